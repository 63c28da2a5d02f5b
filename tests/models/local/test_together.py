"""Adapters that answer side by side say what each says alone."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from _tiny import WORDS, ask, make_adapter
from mendel.engine.errors import RunError
from mendel.models import LocalChat, Sampling, attach_adapter, load_model, log_odds, side_by_side
from mendel.models.chat import ChatModel
from mendel.models.local import together
from mendel.models.local.loading import swap_adapter

TALKS = [ask(f"what {word} is the pea") for word in WORDS]
SAMPLED = Sampling(6, 1.0, 3)


@pytest.fixture(scope="module")
def adapters(checkpoint: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Three that differ much from the base and from each other."""
    return {
        name: make_adapter(checkpoint, tmp_path_factory.mktemp(name), seed)
        for seed, name in enumerate(("one", "two", "three"))
    }


@pytest.fixture(params=["peft", "stacked"], autouse=True)
def routing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How rows go through their adapters: as peft takes them there, and in grouped products as on a GPU."""
    monkeypatch.setattr(together, "can_stack", lambda *_: request.param == "stacked")
    return str(request.param)


def alone(checkpoint: Any, tokenizer: Any, folder: Path) -> LocalChat:
    return LocalChat(load_model(checkpoint, adapter=folder), tokenizer)


def texts(answers: Sequence[Any]) -> list[tuple[str, str]]:
    return [(answer.text, answer.finish_reason) for answer in answers]


def test_each_answers_as_it_does_alone(checkpoint: Any, tokenizer: Any, adapters: dict[str, Path]) -> None:
    """Sampled and greedy, in more turns than one, with a prefix, and in log-odds."""

    def work(name: str, chat: ChatModel) -> list[Any]:
        first = texts(chat.chat(TALKS, SAMPLED))
        own = [ask(f"is it {text}") for text, _ in first]  # what each is asked next depends on what it said
        second = texts(chat.chat(own, Sampling(4, 0.0, 0), "yes"))
        return [first, second, chat.log_odds(TALKS[:4], "it is ", ["green"], ["yellow"])]

    together = side_by_side(load_model(checkpoint), tokenizer, adapters, work)
    assert list(together) == list(adapters)
    for name, folder in adapters.items():
        first, second, odds = work(name, alone(checkpoint, tokenizer, folder))
        assert together[name][:2] == [first, second]
        assert together[name][2] == pytest.approx(odds, abs=1e-3)
    said = {str(answers[0]) for answers in together.values()}
    assert len(said) == len(adapters)


def test_one_batch_answers_all_of_them(
    checkpoint: Any, tokenizer: Any, adapters: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []
    real = together.generate_all

    def watch(model: Any, tokens: Any, asks: Any, *more: Any) -> Any:
        asked.append(sorted(ask.adapter for ask in asks))
        return real(model, tokens, asks, *more)

    monkeypatch.setattr(together, "generate_all", watch)

    def work(name: str, chat: ChatModel) -> int:
        for _ in range({"one": 1, "two": 2, "three": 2}[name]):
            chat.chat(TALKS[:3], SAMPLED)
        return threading.get_ident()

    threads = side_by_side(load_model(checkpoint), tokenizer, adapters, work)
    assert len(set(threads.values())) == 3
    assert asked == [["one", "three", "two"], ["three", "two"]]


def test_other_requests_are_answered_in_the_same_batch(
    checkpoint: Any, tokenizer: Any, adapters: dict[str, Path]
) -> None:
    samplings = {"one": Sampling(3, 0.0, 0), "two": Sampling(6, 1.0, 1), "three": Sampling(3, 0.0, 0)}

    def work(name: str, chat: ChatModel) -> Any:
        return texts(chat.chat(TALKS[:5], samplings[name]))

    together = side_by_side(load_model(checkpoint), tokenizer, adapters, work)
    for name, folder in adapters.items():
        assert together[name] == work(name, alone(checkpoint, tokenizer, folder))


def test_what_one_raises_is_raised_and_nobody_waits_for_it(
    checkpoint: Any, tokenizer: Any, adapters: dict[str, Path]
) -> None:
    done: list[str] = []

    def work(name: str, chat: ChatModel) -> None:
        if name == "two":
            raise RunError("the disk is full")
        chat.chat(TALKS[:3], SAMPLED)
        done.append(name)

    with pytest.raises(RunError, match="the disk is full"):
        side_by_side(load_model(checkpoint), tokenizer, adapters, work)
    assert sorted(done) == ["one", "three"]


def test_an_error_in_answering_reaches_all_who_asked(
    checkpoint: Any, tokenizer: Any, adapters: dict[str, Path]
) -> None:
    caught: list[str] = []

    def work(name: str, chat: ChatModel) -> None:
        try:
            chat.chat([ask("what " * 200)], SAMPLED)
        except Exception as error:
            caught.append(f"{name}: {type(error).__name__}")

    side_by_side(load_model(checkpoint), tokenizer, adapters, work)
    assert sorted(caught) == ["one: InputError", "three: InputError", "two: InputError"]


def test_an_adapter_that_does_not_bind_is_not_served(
    checkpoint: Any, tokenizer: Any, adapters: dict[str, Path], tmp_path: Path
) -> None:
    import shutil

    from safetensors.torch import load_file, save_file

    shutil.copytree(adapters["two"], tmp_path / "two")
    file = tmp_path / "two" / "adapter_model.safetensors"
    save_file({key.replace("layers.0", "layers.7"): value for key, value in load_file(file).items()}, file)
    with pytest.raises(RunError, match="binds 7 of"):
        side_by_side(
            load_model(checkpoint),
            tokenizer,
            {"one": adapters["one"], "two": tmp_path / "two"},
            lambda *_: None,
        )


def test_adapters_in_one_model_keep_their_weights(checkpoint: Any, adapters: dict[str, Path]) -> None:
    model: Any = load_model(checkpoint)
    for name, folder in adapters.items():
        model = attach_adapter(model, folder, name)
    ids = torch.tensor([[2, 4, 9, 6]])
    for name, folder in adapters.items():
        model.set_adapter(name)
        with torch.inference_mode():
            held = model(input_ids=ids).logits
            own = load_model(checkpoint, adapter=folder)(input_ids=ids).logits
        torch.testing.assert_close(held, own, atol=1e-4, rtol=1e-4)


def test_log_odds_of_a_model_with_adapters_need_no_merging(
    checkpoint: Any, tokenizer: Any, adapters: dict[str, Path]
) -> None:
    model = attach_adapter(load_model(checkpoint), adapters["one"])
    merged = load_model(checkpoint, adapter=adapters["one"])
    mine, theirs = (
        log_odds(one, tokenizer, TALKS[:3], "it is ", ["green"], ["yellow"])
        for one in (model, merged)  # type: ignore[arg-type]
    )
    assert mine == pytest.approx(theirs, abs=1e-3)


def test_adapters_change_places(checkpoint: Any, adapters: dict[str, Path], tmp_path: Path) -> None:
    import shutil

    from safetensors.torch import load_file, save_file

    ids = torch.tensor([[2, 4, 9, 6]])
    model: Any = attach_adapter(load_model(checkpoint), adapters["one"])
    swap_adapter(model, adapters["two"])
    with torch.inference_mode():
        swapped = model(input_ids=ids).logits
        expected = attach_adapter(load_model(checkpoint), adapters["two"])(input_ids=ids).logits
    torch.testing.assert_close(swapped, expected)
    shutil.copytree(adapters["three"], tmp_path / "three")
    file = tmp_path / "three" / "adapter_model.safetensors"
    save_file({key.replace("layers.0", "layers.7"): value for key, value in load_file(file).items()}, file)
    with pytest.raises(RunError, match="binds 7 of"):
        swap_adapter(model, tmp_path / "three")
    file.write_bytes(b"no weights")
    with pytest.raises(RunError, match="cannot be loaded"):
        swap_adapter(model, tmp_path / "three")
