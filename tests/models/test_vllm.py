"""vLLM's side is a stand-in (`_vllm`): there is none without a GPU."""

from __future__ import annotations

import os
import random
import sys
import weakref
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from _tiny import WORDS, ask, make_adapter
from _vllm import vllm
from mendel.engine.errors import InputError, RunError
from mendel.models import (
    Ask,
    LocalChat,
    ModelSource,
    Sampling,
    load_model,
    log_odds,
    open_chat,
    resolve_checkpoint,
    resolve_model,
)
from mendel.models.vllm import VllmChat, side_by_side_in_vllm
from mendel.models.vllm.engine import unserved

__all__ = ["vllm"]
TALKS = [ask(f"what {word} is the pea") for word in WORDS[:6]]
GREEDY = Sampling(5, 0.0, 0)


@pytest.fixture(scope="module")
def adapters(checkpoint: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {
        name: make_adapter(checkpoint, tmp_path_factory.mktemp(name), seed)
        for seed, name in enumerate(("one", "two"))
    }


def test_without_vllm_it_is_said_what_to_do(checkpoint: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(InputError, match=r"hf:.*vLLM is not installed.*pip install vllm") as raised:
        VllmChat(checkpoint)
    assert raised.value.exit_code == 2


def test_it_answers_as_the_checkpoint_does(folder: Path, checkpoint: Any, tokenizer: Any, vllm: Any) -> None:
    """Greedily, with a prefix, in log-odds; and asleep before and after."""
    source = resolve_model(f"vllm:{folder}", Path("/"))
    chat = open_chat(source)
    assert isinstance(chat, VllmChat)
    assert not vllm.made
    model = load_model(checkpoint)
    local = LocalChat(model, tokenizer)
    assert chat.chat(TALKS, GREEDY) == local.chat(TALKS, GREEDY)
    assert chat.chat(TALKS, GREEDY, "it is") == local.chat(TALKS, GREEDY, "it is")
    odds = (TALKS, "it is ", ["green", "tall pea"], ["yellow"])
    assert chat.log_odds(*odds) == pytest.approx(log_odds(model, tokenizer, *odds), abs=1e-4)
    assert chat.chat([], GREEDY) == []
    (engine,) = vllm.made
    assert not engine.awake
    assert not engine.enable_lora
    assert engine.generation_config == "vllm"


def test_it_is_another_model_than_the_checkpoint_by_itself(folder: Path, checkpoint: Any) -> None:
    served = resolve_checkpoint(f"vllm:{folder}", Path("/"))
    assert served.served
    assert not checkpoint.served
    assert served.path == checkpoint.path
    assert served.digest != checkpoint.digest
    assert resolve_model(f"vllm:{folder}", Path("/")).digest == served.digest


def test_rows_draw_by_their_seed_and_place(checkpoint: Any, vllm: Any) -> None:
    chat = VllmChat(checkpoint)
    sampled = Sampling(8, 1.0, 3)
    alone, again = chat.chat(TALKS, sampled), chat.chat(TALKS, sampled)
    assert alone == again
    together = chat.chat_all([Ask(TALKS, Sampling(8, 1.0, 4)), Ask(TALKS, sampled)])
    assert together[1] == alone
    assert together[0] != alone
    same = chat.chat([TALKS[0]] * 6, sampled)
    assert len({answer.text for answer in same}) > 1


def test_adapters_answer_in_one_batch_as_each_does_alone(
    checkpoint: Any, tokenizer: Any, adapters: Mapping[str, Path], vllm: Any
) -> None:
    odds = (TALKS[:3], "it is ", ["green"], ["yellow"])

    def work(_: str, chat: Any) -> Any:
        first = chat.chat(TALKS, GREEDY)
        return (
            first,
            chat.chat_all([Ask(TALKS[:2], GREEDY, "yes"), Ask(TALKS[2:], GREEDY)]),
            chat.log_odds(*odds),
        )

    together = side_by_side_in_vllm(checkpoint, adapters, 4, work)
    for name, folder in adapters.items():
        local = work(name, _Plain(LocalChat(load_model(checkpoint, adapter=folder), tokenizer)))
        assert together[name][:2] == local[:2]
        assert together[name][2] == pytest.approx(local[2], abs=1e-3)
    (engine,) = vllm.made
    assert engine.rank == 8
    assert not engine.awake
    assert ["one"] * len(TALKS) + ["two"] * len(TALKS) in engine.batches


class _Plain:
    """Several asks one after another."""

    def __init__(self, chat: LocalChat) -> None:
        self.chat, self.log_odds = chat.chat, chat.log_odds

    def chat_all(self, asks: Any) -> Any:
        return [self.chat(ask.conversations, ask.sampling, ask.prefix) for ask in asks]


@pytest.mark.parametrize("noise", [0.0, 1e-3])
@pytest.mark.parametrize("asked", ["answers", "log-odds"])
def test_an_engine_that_serves_the_base_in_an_adapters_place_is_found_out(
    checkpoint: Any, adapters: Mapping[str, Path], vllm: Any, asked: str, noise: float
) -> None:
    """Also where rounding alone makes the base differ from itself."""

    def ask_it(chat: Any) -> Any:
        if asked == "answers":
            return chat.chat(TALKS, GREEDY)
        return chat.log_odds(TALKS[:1], "it is ", ["green"], ["yellow"])

    def work(_: str, chat: Any) -> Any:
        ask_it(chat)
        vllm.made[0].noise = noise
        ask_it(chat)
        vllm.made[0].forgetful = True  # as after a sleep that lost them
        return ask_it(chat)

    with pytest.raises(RunError, match=r"serves the base in place of [12] of [12] adapters"):
        side_by_side_in_vllm(checkpoint, adapters, 4, work)
    assert vllm.ended == 1  # another one may serve them


@given(
    st.floats(1e-6, 1.0),
    st.lists(st.integers(2, 6), min_size=1, max_size=4),
    st.sets(st.integers(0, 3), max_size=4),
    st.integers(0, 1000),
)
def test_an_adapter_is_missed_where_only_rounding_tells_it_from_the_base(
    noise: float, lengths: list[int], lost: set[int], seed: int
) -> None:
    """What a served one changes is ten times what the base changes by itself."""
    draw = random.Random(seed)
    prompts = {f"a{n}": [tuple(range(length)) for length in lengths] for n in range(4)}

    def log_probs(ids: Any, by: Any) -> list[list[float]]:
        return [
            [
                draw.choice([-noise, noise]) + (0.0 if name is None or int(name[1]) in lost else 10 * noise)
                for _ in one
            ]
            for name, one in zip(by, ids, strict=True)
        ]

    found = unserved(log_probs, prompts)
    assert {int(name[1]) for name in found} <= lost

    def exact(ids: Any, by: Any) -> list[list[float]]:
        return [
            [0.0 if name is None or int(name[1]) in lost else noise for _ in one]
            for name, one in zip(by, ids, strict=True)
        ]

    assert {int(name[1]) for name in unserved(exact, prompts)} == lost


def test_what_the_context_does_not_hold_is_refused(checkpoint: Any, vllm: Any) -> None:
    chat = VllmChat(checkpoint)
    with pytest.raises(InputError, match="1 of 2 conversations are too long"):
        chat.chat([TALKS[0], ask("what " * 600)], GREEDY)
    assert chat.chat(TALKS[:1], GREEDY)


def test_what_vllm_raises_is_an_error_of_the_run_and_the_next_request_starts_it_anew(
    checkpoint: Any, vllm: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = VllmChat(checkpoint)
    expected = chat.chat(TALKS, GREEDY)

    def dies(*_: Any, **__: Any) -> Any:
        raise ValueError("EngineCore encountered an issue.\nSee stack trace")

    monkeypatch.setattr(vllm.made[0], "generate", dies)
    with pytest.raises(
        RunError, match=r"vLLM: ValueError: EngineCore encountered an issue\. Write hf:"
    ) as raised:
        chat.chat(TALKS, GREEDY)
    assert raised.value.exit_code == 1
    assert chat.chat(TALKS, GREEDY) == expected
    assert (len(vllm.made), vllm.ended) == (2, 1)


def test_it_keeps_to_this_process_and_off_standard_output(checkpoint: Any, vllm: Any) -> None:
    VllmChat(checkpoint)
    assert os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] == "0"
    assert os.environ["VLLM_LOGGING_STREAM"] == "ext://sys.stderr"


def test_one_engine_stands_for_the_base_and_for_fleets_one_after_another(
    checkpoint: Any, adapters: Mapping[str, Path], vllm: Any
) -> None:
    """Each adapter under a number of its own: by another's it would be answered as that one."""
    source = ModelSource(checkpoint.ref, checkpoint.digest, replace(checkpoint, ref="vllm:base"), rank=4)
    by_base = open_chat(source).chat(TALKS, GREEDY)
    said = [
        side_by_side_in_vllm(checkpoint, {name: folder}, 4, lambda _, chat: chat.chat(TALKS, GREEDY))[name]
        for name, folder in adapters.items()
    ]
    assert said[0] != said[1]
    assert VllmChat(checkpoint).chat(TALKS, GREEDY) == by_base
    assert (len(vllm.made), vllm.ended) == (1, 0)


def test_a_model_that_is_kept_open_makes_room(folder: Path, checkpoint: Any, vllm: Any) -> None:
    source = resolve_model(f"hf:{folder}", Path("/"))
    opened = open_chat(source)
    assert isinstance(opened, LocalChat)
    kept = weakref.ref(opened.model)
    del opened
    assert kept() is not None
    VllmChat(checkpoint).chat(TALKS[:1], GREEDY)
    assert kept() is None


def test_ranks_are_those_that_it_takes(checkpoint: Any, vllm: Any) -> None:
    with pytest.raises(InputError, match="no adapters of that rank"):
        VllmChat(checkpoint, 513)
    for rank, taken, slots in ((1, 8, 16), (9, 16, 16), (33, 64, 4), (257, 320, 1)):
        VllmChat(checkpoint, rank).chat(TALKS[:1], GREEDY)
        assert (vllm.made[-1].rank, vllm.made[-1].slots) == (taken, slots)
    assert vllm.ended == 3
