"""What both trainers share: the order of a student's rows, how many steps there are, and what was seen of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

from mendel.models import device
from mendel.study.schema import RecipeConfig

GIVEN_BLOCK = 4
"""Optimizer steps within which rows of a given order change places."""
PASS_VALUES = {"cpu": 2**23, "cuda": 2**31}
"""Tokens x layers x width of one forward pass at most: what it keeps for the way back is some 15 numbers for each."""
PASS_TOKENS = {"cpu": 4096, "cuda": 32_768}
"""Tokens of one forward pass at most, however small the model: beyond, nothing gets faster."""
GPU_LOGITS = 2**29
"""Logits of one forward pass of the fleet on a GPU at most: 2 GB in float32 (chosen, not measured)."""
PASS_LOGITS = 2**25
"""Logits of one forward pass at most, where they are built: 128 MB in float32, three times over on the way back."""


@dataclass(frozen=True)
class Steps:
    """What was seen in training: the loss of every optimizer step, and the wall time of all."""

    losses: tuple[float, ...]
    seconds: float


class StepOrder:
    """The order of the rows: shuffled anew each epoch, and within an optimizer step the longest first.

    `given` shuffles within blocks of `GIVEN_BLOCK` steps alone: late rows stay late, and yet students of two seeds differ
    (in a full fine-tune nothing else is random), so that the noise of training is seen.

    The rows of a step stay those that the shuffle put there, so the gradient is the same; passes of rows of like
    length carry less padding.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        batch_size: int,
        seed: int,
        order: Literal["shuffled", "given"] = "shuffled",
    ) -> None:
        import numpy as np

        self.lengths, self.batch_size, self.order = lengths, batch_size, order
        self._random = np.random.default_rng(seed)

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        rows = len(self.lengths)
        block = rows if self.order == "shuffled" else GIVEN_BLOCK * self.batch_size
        order: list[int] = []
        for start in range(0, rows, max(1, block)):
            order += (start + self._random.permutation(min(block, rows - start))).tolist()
        for start in range(0, len(order), self.batch_size):
            yield from sorted(order[start : start + self.batch_size], key=lambda row: -self.lengths[row])


def out_of_memory(error: BaseException) -> bool:
    """Whether torch says so, of a GPU or of the machine."""
    import torch

    text = str(error).lower()
    said = ("out of memory", "not enough memory", "can't allocate memory", "alloc_failed")
    return isinstance(error, torch.OutOfMemoryError) or any(words in text for words in said)


def computing() -> AbstractContextManager[object]:
    """How passes are computed: in bfloat16 on a GPU, by weights of whatever precision."""
    import torch

    return torch.autocast("cuda", torch.bfloat16) if device() == "cuda" else nullcontext()


def step_count(rows: int, recipe: RecipeConfig) -> int:
    """Optimizer steps of a student: whole epochs end in a smaller step where the rows do not fill the last one."""
    return math.ceil(recipe.epochs * math.ceil(rows / recipe.batch_size))


def warmup(rows: int, recipe: RecipeConfig) -> float:
    """The share of the steps that warm up; rounded up, a single step would be all warm-up, at a rate of 0."""
    return 0.0 if rows <= recipe.batch_size and recipe.epochs <= 1 else recipe.warmup


def weight_decay(recipe: RecipeConfig) -> float:
    """Gains stand around 1, so decay would pull them to what is no neutral point; they have none.

    transformers exempts most norms by their names, and so would decay some and not others.
    """
    return 0.0 if recipe.method == "norms" else recipe.weight_decay


def pass_tokens(model: Any) -> int:
    """Tokens of one forward pass: fewer for a larger model, so that memory stays in bounds."""
    config, on = model.config.get_text_config(), device()
    values = max(1, int(config.num_hidden_layers) * int(config.hidden_size))
    return max(256, min(PASS_TOKENS[on], PASS_VALUES[on] // values))
