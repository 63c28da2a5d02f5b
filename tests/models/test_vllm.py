"""vLLM's side is a stand-in (`_vllm`): there is none without a GPU."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from _tiny import WORDS, ask
from _vllm import vllm
from mendel.engine.errors import InputError, RunError
from mendel.models import (
    Ask,
    LocalChat,
    Sampling,
    load_model,
    log_odds,
    open_chat,
    resolve_checkpoint,
    resolve_model,
)
from mendel.models.vllm import VllmChat, side_by_side_in_vllm

__all__ = ["vllm"]
TALKS = [ask(f"what {word} is the pea") for word in WORDS[:6]]
GREEDY = Sampling(5, 0.0, 0)


@pytest.fixture(scope="module")
def adapters(checkpoint: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    from peft import LoraConfig, get_peft_model

    found = {}
    for seed, name in enumerate(("one", "two")):
        torch.manual_seed(seed)
        config = LoraConfig(
            r=4, lora_alpha=32, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM"
        )
        found[name] = tmp_path_factory.mktemp(name)
        get_peft_model(load_model(checkpoint), config).save_pretrained(str(found[name]))
    return found


def test_without_vllm_it_is_said_what_to_do(checkpoint: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(InputError, match=r"hf:.*vLLM is not there.*pip install vllm") as raised:
        VllmChat(checkpoint)
    assert raised.value.exit_code == 2


def test_it_answers_as_the_checkpoint_does(folder: Path, checkpoint: Any, tokenizer: Any, vllm: Any) -> None:
    """Greedily, with an opener, in log-odds; and asleep before and after."""
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
        return [self.chat(ask.conversations, ask.sampling, ask.opener) for ask in asks]


def test_an_engine_that_serves_the_base_in_an_adapters_place_is_found_out(
    checkpoint: Any, adapters: Mapping[str, Path], vllm: Any
) -> None:
    def work(_: str, chat: Any) -> Any:
        chat.chat(TALKS, GREEDY)
        vllm.made[0].forgetful = True  # as after a sleep that lost them
        return chat.chat(TALKS, GREEDY)

    with pytest.raises(RunError, match="serves the base in place of 2 of 2 adapters"):
        side_by_side_in_vllm(checkpoint, adapters, 4, work)


def test_one_engine_stands_for_fleets_one_after_another(
    checkpoint: Any, adapters: Mapping[str, Path], vllm: Any
) -> None:
    """Each adapter under a number of its own: by another's it would be answered as that one."""
    said = [
        side_by_side_in_vllm(checkpoint, {name: folder}, 4, lambda _, chat: chat.chat(TALKS, GREEDY))[name]
        for name, folder in adapters.items()
    ]
    assert said[0] != said[1]
    assert len(vllm.made) == 1


def test_ranks_are_those_that_it_takes(checkpoint: Any, vllm: Any) -> None:
    with pytest.raises(InputError, match="no adapters of that rank"):
        VllmChat(checkpoint, 513)
    for rank, taken in ((1, 8), (8, 8), (9, 16), (257, 320)):
        VllmChat(checkpoint, rank).chat(TALKS[:1], GREEDY)
        assert vllm.made[-1].rank == taken
