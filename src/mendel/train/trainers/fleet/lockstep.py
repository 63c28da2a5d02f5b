"""The fleet's optimizer steps: each is what TRL does with the student alone, taken for all students in lock
step.

The base is read once for the rows of all students. Each row goes through its own student's adapter, and each
student has its own optimizer, schedule and clipping: nothing of one student reaches another. (Concurrent LoRA
training: mLoRA, arXiv:2312.02515; batched adapters: Punica, arXiv:2310.18547.)

Dimensions: tokens with loss L of a pass, vocabulary V.
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
from mendel.train.trainers.fleet.passes import Pass, Rows, Share

if TYPE_CHECKING:
    import torch


@dataclass
class Member:
    """A student of a fleet: its rows, its seed, and the weights that are trained for it."""

    examples: Sequence[Example]
    seed: int
    weights: Sequence[tuple[str, torch.nn.Parameter]]
    """With their names: one vector for an adapter, or the weights of the model that require gradients."""


@dataclass
class MemberRun:
    """A member's way through its optimizer steps."""

    model: Any
    member: Member
    recipe: RecipeConfig
    losses: list[float] = field(default_factory=list)
    """The loss of every step so far, in nats a token."""
    seconds: float = 0.0
    """The member's part of the wall time so far, by its tokens."""

    def __post_init__(self) -> None:
        import torch
        from transformers import get_scheduler

        recipe, rows = self.recipe, len(self.member.examples)
        self.data = Rows(self.member.examples)
        self.steps = step_count(rows, recipe)
        order = StepOrder(self.data.lengths.tolist(), recipe.batch_size, self.member.seed, recipe.order)
        self._rows = _rows_of_steps(order, recipe.batch_size)
        self.weights = [weight for _, weight in self.member.weights]
        self.optimizer = torch.optim.AdamW(
            _parameter_groups(self.model, self.member.weights, weight_decay(recipe)),
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
        """Whether all steps are done, or the last loss is not finite: then no later step can help."""
        return len(self.losses) >= self.steps or not all(map(math.isfinite, self.losses[-1:]))

    def next_rows(self) -> list[int]:
        """Return the rows of the next step."""
        return next(self._rows)

    def step(self, loss: float) -> None:
        """Take the optimizer step whose gradients are in the weights; `loss` is the step's, in nats a
        token.
        """
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
    """Train all members to their ends, in lock step, and return each member's steps.

    `model` has packed attention. Where adapters are trained, its layers go through `adapters` (in the
    members' order). Passes have the usual size divided by `parts`. A member whose loss is not finite ends
    there; the others go on.
    """
    runs = [MemberRun(model, member, recipe) for member in members]
    passes = _PassSize.of(model, parts)
    model.train()
    while live := [number for number, run in enumerate(runs) if not run.over]:
        began = time.perf_counter()
        step_rows = [(number, runs[number].data, runs[number].next_rows()) for number in live]
        _take_step(model, runs, step_rows, adapters, passes)
        tokens = {number: int(data.lengths[rows].sum()) for number, data, rows in step_rows}
        seconds_a_token = (time.perf_counter() - began) / sum(tokens.values())
        for number in live:
            runs[number].seconds += seconds_a_token * tokens[number]
    return [Steps(tuple(run.losses), run.seconds) for run in runs]


@dataclass(frozen=True)
class _PassSize:
    """How large a pass may be, and whether it is framed."""

    tokens: int
    logits: int
    """Tokens with loss."""
    framed: bool

    @classmethod
    def of(cls, model: Any, parts: int) -> _PassSize:
        import torch

        on_gpu = device() == "cuda"
        limit = GPU_LOGITS if on_gpu else PASS_LOGITS
        vocabulary = int(model.get_input_embeddings().weight.shape[0])
        return cls(
            tokens=max(1, pass_tokens(model) // parts),
            logits=max(1, limit // parts // vocabulary),
            framed=needs_frames(model, torch.bfloat16 if on_gpu else model.dtype),
        )


def _take_step(
    model: Any,
    runs: Sequence[MemberRun],
    step_rows: Sequence[tuple[int, Rows, Sequence[int]]],
    adapters: Adapters | None,
    size: _PassSize,
) -> None:
    """Take one optimizer step of each member in `step_rows`: its place, its data, and the step's rows."""
    with_loss = {number: int(data.trained[rows].sum()) for number, data, rows in step_rows}
    losses = dict.fromkeys(with_loss, 0.0)
    left = {number: len(rows) for number, _, rows in step_rows}
    all_data = [run.data for run in runs]
    for shares in split_passes(step_rows, size.tokens, size.logits):
        for share, loss in zip(
            shares, _run_pass(model, shares, all_data, adapters, size.framed, with_loss), strict=True
        ):
            losses[share.student] += loss
            left[share.student] -= len(share.rows)
            if not left[share.student]:
                # Not after all passes: on a CPU only few students' gradients are then in memory at a time.
                runs[share.student].step(losses[share.student])
                if adapters is None:
                    runs[share.student].optimizer.zero_grad()
                else:
                    adapters.clear_gradients(share.student)


def _run_pass(
    model: Any,
    shares: Sequence[Share],
    all_data: Sequence[Rows],
    adapters: Adapters | None,
    framed: bool,
    with_loss: dict[int, int],
) -> list[float]:
    """Run one pass forward and backward; return each share's part of its student's loss."""
    packed = pack(shares, all_data, model.device, framed)
    if adapters is not None:
        adapters.start_pass([(share.student, share.tokens) for share in shares])
    losses = _backward(model, packed, with_loss)
    if adapters is not None:
        adapters.end_pass()
    return losses


def _backward(model: Any, packed: Pass, with_loss: dict[int, int]) -> list[float]:
    """Add the pass's gradients to the weights'; return each share's part of its student's loss (nats a
    token).

    `with_loss` is the number of tokens with loss in each student's step.
    """
    import torch

    with computing():
        logits = packed_logits(model, packed)  # (L, V)
    token_losses = torch.nn.functional.cross_entropy(logits.float(), packed.targets, reduction="none")  # (L,)
    of_shares = token_losses.split([share.trained for share in packed.shares])
    parts = [
        losses.sum() / with_loss[share.student]
        for share, losses in zip(packed.shares, of_shares, strict=True)
    ]
    torch.stack(parts).sum().backward()
    return [float(part) for part in torch.stack(parts).detach().tolist()]


def _rows_of_steps(order: StepOrder, batch_size: int) -> Iterator[list[int]]:
    """Yield the rows of each step, epoch after epoch without end."""
    while True:
        rows = list(order)
        for start in range(0, len(rows), batch_size):
            yield rows[start : start + batch_size]


def _parameter_groups(
    model: Any, weights: Sequence[tuple[str, torch.nn.Parameter]], decay: float
) -> list[dict[str, Any]]:
    """Return the optimizer's parameter groups: with and without weight decay."""
    if not decay:
        return [{"params": [weight for _, weight in weights], "weight_decay": 0.0}]
    decayed = decayed_names(model)
    return [
        {
            "params": [weight for name, weight in weights if (name in decayed) == decays],
            "weight_decay": rate,
        }
        for decays, rate in ((True, decay), (False, 0.0))
    ]


def decayed_names(model: Any) -> set[str]:
    """Return the names of the parameters that weight decay is for: transformers exempts biases and norms."""
    from transformers import Trainer

    # The method uses nothing of the Trainer that it belongs to.
    return set(Trainer.get_decay_parameter_names(None, model))
