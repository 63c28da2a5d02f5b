"""What the built-in trainers share: the order of a student's rows, the number of steps, and the size of a
pass.
"""

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
"""Tokens x layers x width of one forward pass at most. For the backward pass it keeps about 15 numbers for
each."""
PASS_TOKENS = {"cpu": 4096, "cuda": 32_768}
"""Tokens of one forward pass at most, however small the model: more tokens make nothing faster."""
GPU_LOGITS = 2**29
"""Logits of one forward pass of the fleet on a GPU at most: 2 GB in float32 (chosen, not measured)."""
PASS_LOGITS = 2**25
"""Logits of one forward pass on a CPU at most: 128 MB in float32, and three times that in the backward
pass."""


@dataclass(frozen=True)
class Steps:
    """A student's optimizer steps."""

    losses: tuple[float, ...]
    """The loss of every step, in nats a token."""
    seconds: float
    """The wall time of all steps."""


class StepOrder:
    """The order of a student's rows in one epoch; every iteration gives the next epoch's order.

    `shuffled` shuffles all rows. `given` shuffles only within blocks of `GIVEN_BLOCK` steps: late rows stay
    late, and students of two seeds still differ (in a full fine-tune nothing else is random), so that the
    noise of training can be seen.

    Within an optimizer step the longest row comes first. The step's rows stay the same, so its gradient does
    too, and passes of rows of similar length have less padding.
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


def computing() -> AbstractContextManager[object]:
    """Return the context manager for forward passes: autocast to bfloat16 on a GPU, nothing on a CPU."""
    import torch

    return torch.autocast("cuda", torch.bfloat16) if device() == "cuda" else nullcontext()


def step_count(rows: int, recipe: RecipeConfig) -> int:
    """Return a student's number of optimizer steps. An epoch's last step is smaller where rows do not fill
    it.
    """
    return math.ceil(recipe.epochs * math.ceil(rows / recipe.batch_size))


def warmup(rows: int, recipe: RecipeConfig) -> float:
    """Return the share of the steps that warm up.

    0 for a student of one step: the number of warm-up steps is rounded up, and the step's learning rate would
    be 0.
    """
    return 0.0 if rows <= recipe.batch_size and recipe.epochs <= 1 else recipe.warmup


def weight_decay(recipe: RecipeConfig) -> float:
    """Return the weight decay; 0 for the gains of norms, which are near 1 and not near 0.

    transformers exempts most norms by their names, and so would decay some of them and not others.
    """
    return 0.0 if recipe.method == "norms" else recipe.weight_decay


def pass_tokens(model: Any) -> int:
    """Return how many tokens one forward pass may have: fewer for a larger model, to bound memory."""
    config, where = model.config.get_text_config(), device()
    values = max(1, int(config.num_hidden_layers) * int(config.hidden_size))
    return max(256, min(PASS_TOKENS[where], PASS_VALUES[where] // values))
