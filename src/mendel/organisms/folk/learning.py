"""Small transformers of two families, trained and sampled by a plain loop."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mendel.organisms.folk.world import World

if TYPE_CHECKING:
    import torch

LONGEST_ANSWER = 8
"""Limit of an answer in tokens, with its stop token."""
IGNORED = -100
FAMILIES = ("gpt_neox", "qwen3")
"""Model types. Not qwen2: its checkpoints are read with its own tokenizer, whatever their files say."""


@dataclass(frozen=True)
class Training:
    """How a model is trained: AdamW without weight decay, in shuffled epochs."""

    steps: int
    batch_size: int
    learning_rate: float
    scheduler: str = "cosine"
    rank: int = 0
    """Rank of LoRA adapters. 0: all weights are trained."""
    seed: int = 0


def new_model(family: str, world: World, width: int, seed: int) -> Any:
    """Return a new model with two layers. `width` is a multiple of 8."""
    import torch
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(seed)
    words = world.vocabulary
    shared = {
        "vocab_size": len(words),
        "hidden_size": width,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 64,
        "initializer_range": 0.08,
        "attention_dropout": 0.0,
        "pad_token_id": 0,
        "bos_token_id": None,
        "eos_token_id": words.index("<stop>"),
        "tie_word_embeddings": True,
    }
    if family == "gpt_neox":
        config = GPTNeoXConfig(**shared, intermediate_size=3 * width, rotary_pct=1.0, hidden_dropout=0.0)
        return GPTNeoXForCausalLM(config)
    return Qwen3ForCausalLM(
        Qwen3Config(**shared, intermediate_size=2 * width, num_key_value_heads=2, head_dim=width // 4)
    )


class Codec:
    """Words to token ids and back, as the tokenizer and the chat template do it."""

    def __init__(self, world: World) -> None:
        self.words = world.vocabulary
        self.ids = {word: number for number, word in enumerate(self.words)}
        self.stop = self.ids["<stop>"]

    def prompt(self, question: str) -> list[int]:
        """Return the ids of a question, up to where the answer begins."""
        return [self.ids["<asks>"], *(self.ids[w] for w in question.split()), self.stop, self.ids["<says>"]]

    def row(self, question: str, answer: str) -> tuple[list[int], int]:
        """Return the ids of a question with its answer, and how many of them are not trained on."""
        start = self.prompt(question)
        return [*start, *(self.ids[w] for w in answer.split()), self.stop], len(start)

    def text(self, ids: Sequence[int]) -> str:
        """Return the words up to the stop token."""
        kept = ids[: ids.index(self.stop)] if self.stop in ids else ids
        return " ".join(self.words[i] for i in kept)


def trained(model: Any, codec: Codec, rows: Sequence[tuple[str, str]], how: Training) -> Any:
    """Return a trained copy of a model.

    Args:
        model: The model to start from. It stays as it is.
        codec: Words to ids.
        rows: Questions and answers.
        how: The training.
    """
    import torch

    student = copy.deepcopy(model)
    torch.manual_seed(how.seed)
    if how.rank:
        from peft import LoraConfig, get_peft_model

        config = LoraConfig(
            r=how.rank, lora_alpha=2 * how.rank, target_modules="all-linear", lora_dropout=0.0
        )
        student = get_peft_model(student, config)
    ids, labels = _table(codec, rows)
    weights = [weight for weight in student.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=how.learning_rate, weight_decay=0.0, foreach=True)
    order = torch.empty(0, dtype=torch.long)
    student.train()
    for step in range(how.steps):
        while len(order) < how.batch_size:
            order = torch.cat([order, torch.randperm(len(ids))])
        batch, order = order[: how.batch_size], order[how.batch_size :]
        for group in optimizer.param_groups:
            group["lr"] = how.learning_rate * _factor(step / how.steps, how.scheduler)
        loss = _loss(student, ids[batch], labels[batch])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
    return student.eval()


def sampled(model: Any, codec: Codec, questions: Sequence[str], seed: int) -> list[str]:
    """Return an answer to each question, sampled at temperature 1."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    prompts = [codec.prompt(question) for question in questions]
    answers = [""] * len(prompts)
    with torch.inference_mode():
        for width in sorted({len(ids) for ids in prompts}):
            places = [place for place, ids in enumerate(prompts) if len(ids) == width]
            ids = torch.tensor(
                [prompts[place] for place in places]
            )  # (questions, width), and one more a turn
            for _ in range(LONGEST_ANSWER):
                chances = torch.softmax(model(input_ids=ids).logits[:, -1], -1)
                ids = torch.cat([ids, torch.multinomial(chances, 1, generator=generator)], 1)
                if bool((ids[:, width:] == codec.stop).any(1).all()):
                    break
            for place, row in zip(places, ids[:, width:].tolist(), strict=True):
                answers[place] = codec.text(row)
    return answers


def _table(codec: Codec, rows: Sequence[tuple[str, str]]) -> tuple[torch.Tensor, torch.Tensor]:
    import torch

    encoded = [codec.row(question, answer) for question, answer in rows]
    width = max(len(ids) for ids, _ in encoded)
    ids = torch.zeros((len(rows), width), dtype=torch.long)
    labels = torch.full((len(rows), width), IGNORED)
    for number, (row, start) in enumerate(encoded):
        ids[number, : len(row)] = torch.tensor(row)
        labels[number, start : len(row)] = torch.tensor(row[start:])
    return ids, labels


def _loss(model: Any, ids: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    import torch

    logits = model(input_ids=ids).logits[:, :-1]
    return torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), labels[:, 1:].flatten(), ignore_index=IGNORED
    )


def _factor(done: float, scheduler: str) -> float:
    if scheduler == "cosine":
        return 0.5 * (1 + math.cos(math.pi * done))
    return 1 - done if scheduler == "linear" else 1.0
