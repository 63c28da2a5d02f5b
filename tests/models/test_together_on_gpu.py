"""What runs on a GPU alone: adapters that answer through grouped products."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from _tiny import WORDS, ask
from mendel.models import LocalChat, Sampling, load_model, side_by_side
from mendel.models.chat import ChatModel
from mendel.models.stacks import Routing

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
]


def test_adapters_answer_side_by_side_as_they_do_alone(
    checkpoint: Any, tokenizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for tokens between which bfloat16 cannot decide."""
    from peft import LoraConfig, get_peft_model

    passes: list[int] = []
    product = Routing.product

    def watch(self: Any, tokens: Any, stack: Any) -> Any:
        passes.append(len(tokens))
        return product(self, tokens, stack)

    monkeypatch.setattr(Routing, "product", watch)
    folders = {}
    for seed, name in enumerate(("one", "two", "three")):
        torch.manual_seed(seed)
        config = LoraConfig(
            r=8, lora_alpha=32, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM"
        )
        folders[name] = tmp_path / name
        get_peft_model(load_model(checkpoint), config).save_pretrained(str(folders[name]))

    def work(_: str, chat: ChatModel) -> list[str]:
        answers = chat.chat([ask(f"what {word} is the pea") for word in WORDS], Sampling(3, 0.0, 0))
        return [answer.text for answer in answers]

    together = side_by_side(load_model(checkpoint), tokenizer, folders, work)
    assert passes
    for name, folder in folders.items():
        alone = work(name, LocalChat(load_model(checkpoint, adapter=folder), tokenizer))
        same = sum(ours == theirs for ours, theirs in zip(together[name], alone, strict=True))
        assert same >= 0.8 * len(alone)
    assert len({tuple(answers) for answers in together.values()}) == 3
