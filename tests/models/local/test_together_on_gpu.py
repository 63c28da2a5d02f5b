"""What runs on a GPU alone: adapters that answer through grouped products."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from _tiny import WORDS, ask, make_adapter
from mendel.models import LocalChat, Sampling, load_model, side_by_side
from mendel.models.chat import ChatModel
from mendel.models.local.stacks import Routing

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
]


def test_adapters_answer_side_by_side_as_they_do_alone(
    checkpoint: Any, tokenizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for tokens between which bfloat16 cannot decide."""
    passes: list[int] = []
    product = Routing.product

    def watch(self: Any, tokens: Any, stack: Any) -> Any:
        passes.append(len(tokens))
        return product(self, tokens, stack)

    monkeypatch.setattr(Routing, "product", watch)
    folders = {
        name: make_adapter(checkpoint, tmp_path / name, seed, rank=8)
        for seed, name in enumerate(("one", "two", "three"))
    }

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
