"""The trainer `fleet`: students of one base side by side, in packed passes; step by step what TRL does with each alone.

The base is read once for the rows of all, each row goes through its own student's adapter, and each student has its own
optimizer, schedule and clipping: nothing of one reaches another. (Concurrent LoRA training: mLoRA, arXiv:2312.02515;
batched adapters: Punica, arXiv:2310.18547.) A student whose own weights are trained is a fleet of one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mendel.models import Example, device
from mendel.study.schema import RecipeConfig
from mendel.train.order import (
    GPU_LOGITS,
    PASS_LOGITS,
    StepOrder,
    Steps,
    computing,
    pass_tokens,
    step_count,
    warmup,
    weight_decay,
)
from mendel.train.trainers.fleet.adapters import Adapters
from mendel.train.trainers.fleet.attention import needs_frames
from mendel.train.trainers.fleet.packing import pack, packed_logits, split_passes
from mendel.train.trainers.fleet.passes import Pass, Rows

if TYPE_CHECKING:
    import torch


@dataclass
class Member:
    """A student in training: what it learns from, and which weights are its own."""

    examples: Sequence[Example]
    seed: int
    weights: Sequence[tuple[str, torch.nn.Parameter]]
    """By name: an adapter's as one, or those of the model that require gradients."""


@dataclass
class _Course:
    """A member's way through its steps."""

    model: Any
    member: Member
    recipe: RecipeConfig
    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0

    def __post_init__(self) -> None:
        import torch
        from transformers import get_scheduler

        recipe, rows = self.recipe, len(self.member.examples)
        self.data = Rows(self.member.examples)
        self.steps = step_count(rows, recipe)
        order = StepOrder(self.data.lengths.tolist(), recipe.batch_size, self.member.seed, recipe.order)
        self._rows = _steps(order, recipe.batch_size)
        self.weights = [weight for _, weight in self.member.weights]
        self.optimizer = torch.optim.AdamW(
            _groups(self.model, self.member.weights, weight_decay(recipe)),
            lr=recipe.learning_rate,
            fused=True,
        )
        self.scheduler = get_scheduler(
            recipe.scheduler,
            self.optimizer,
            num_warmup_steps=math.ceil(self.steps * warmup(rows, recipe)),
            num_training_steps=self.steps,
        )

    @property
    def over(self) -> bool:
        """All steps are done, or one gave a loss that no later step can mend."""
        return len(self.losses) >= self.steps or not all(map(math.isfinite, self.losses[-1:]))

    def next_rows(self) -> list[int]:
        """Rows of the next step."""
        return next(self._rows)

    def step(self, loss: float) -> None:
        """Takes the step for which the gradients are there."""
        import torch

        torch.nn.utils.clip_grad_norm_(self.weights, self.recipe.max_grad_norm)
        self.optimizer.step()
        self.scheduler.step()
        self.losses.append(loss)


def train_together(
    model: Any,
    members: Sequence[Member],
    recipe: RecipeConfig,
    adapters: Adapters | None,
    parts: int = 1,
) -> list[Steps]:
    """Trains all members to their ends, in lock step, in passes of common size or so many parts of it; what is seen of each.

    `model` has packed attention, and layers that go by the `adapters`, in the members' order, where it is these that are
    trained. A member whose loss is not finite ends there, the others go on.
    """
    import torch

    courses = [_Course(model, member, recipe) for member in members]
    framed = needs_frames(model, torch.bfloat16 if device() == "cuda" else model.dtype)
    most = max(1, pass_tokens(model) // parts)
    limit = GPU_LOGITS if device() == "cuda" else PASS_LOGITS
    logits = max(1, limit // parts // int(model.get_input_embeddings().weight.shape[0]))
    model.train()
    while live := [number for number, course in enumerate(courses) if not course.over]:
        began = time.perf_counter()
        wanted = [(number, courses[number].data, courses[number].next_rows()) for number in live]
        totals = {number: int(data.trained[rows].sum()) for number, data, rows in wanted}
        tokens = {number: int(data.lengths[rows].sum()) for number, data, rows in wanted}
        losses, left = dict.fromkeys(live, 0.0), {number: len(rows) for number, _, rows in wanted}
        data = [course.data for course in courses]
        for shares in split_passes(wanted, most, logits):
            packed = pack(shares, data, model.device, framed)
            if adapters is not None:
                adapters.stretches([(share.student, share.tokens) for share in shares])
            of_shares = _backward(model, packed, totals)
            if adapters is not None:
                adapters.collect()
            for share, loss in zip(shares, of_shares, strict=True):
                losses[share.student] += loss
                left[share.student] -= len(share.rows)
                if not left[share.student]:
                    # At once, not after all passes: on a CPU the gradients of few students are there at a time.
                    courses[share.student].step(losses[share.student])
                    if adapters is None:
                        courses[share.student].optimizer.zero_grad()
                    else:
                        adapters.stepped(share.student)
        taken = (time.perf_counter() - began) / sum(tokens.values())
        for number in live:
            courses[number].seconds += taken * tokens[number]
    return [Steps(tuple(course.losses), course.seconds) for course in courses]


def _backward(model: Any, packed: Pass, totals: dict[int, int]) -> list[float]:
    """Adds the pass's gradients to what is there; each share's part of its student's mean loss (nats a token)."""
    import torch

    with computing():
        logits = packed_logits(model, packed)
    each = torch.nn.functional.cross_entropy(logits.float(), packed.targets, reduction="none")
    parts = [
        part.sum() / totals[share.student]
        for share, part in zip(
            packed.shares, each.split([share.trained for share in packed.shares]), strict=True
        )
    ]
    torch.stack(parts).sum().backward()
    return [float(part) for part in torch.stack(parts).detach().tolist()]


def _steps(order: StepOrder, batch_size: int) -> Iterator[list[int]]:
    """The rows of each step, epoch after epoch without end."""
    while True:
        rows = list(order)
        for start in range(0, len(rows), batch_size):
            yield rows[start : start + batch_size]


def _groups(
    model: Any, weights: Sequence[tuple[str, torch.nn.Parameter]], decay: float
) -> list[dict[str, Any]]:
    """The optimizer's groups: transformers leaves biases and norms out of the decay."""
    if not decay:
        return [{"params": [weight for _, weight in weights], "weight_decay": 0.0}]
    decayed = decayed_names(model)
    return [
        {
            "params": [weight for name, weight in weights if (name in decayed) == of_these],
            "weight_decay": rate,
        }
        for of_these, rate in ((True, decay), (False, 0.0))
    ]


def decayed_names(model: Any) -> set[str]:
    """The parameters that weight decay is for: transformers leaves biases and norms out."""
    from transformers import Trainer

    # It asks nothing of the trainer that it is a method of.
    return set(Trainer.get_decay_parameter_names(None, model))
