"""A student between its spec and its files: its rows as tokens, its training steps, and what was measured in
memory.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mendel.engine.errors import MendelError
from mendel.models import Example, count_adapters, device, load_model
from mendel.models.local.loading import swap_adapter
from mendel.train import checks, observe
from mendel.train.order import Steps, pass_tokens
from mendel.train.student import StudentSpec

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def load_student(spec: StudentSpec, folder: Path) -> PreTrainedModel:
    """Load a trained student.

    Args:
        spec: The student.
        folder: The folder that it was saved in.

    Returns:
        The model in evaluation mode, on `mendel.models.device()`.

    Raises:
        RunError: A part of the student's files does not bind to the model.
    """
    if spec.recipe.method == "lora":
        return load_model(spec.base, adapter=folder)
    return load_model(spec.base, weights=folder)


class StudentReader:
    """Reads trained students of one base and recipe from their folders, one after another.

    On a GPU all adapters are read into one model: setting up another adapter takes longer than the whole
    check.
    """

    def __init__(self) -> None:
        self._model: PreTrainedModel | None = None

    def load(self, spec: StudentSpec, folder: Path) -> PreTrainedModel:
        """Load a student as `load_student` does. The returned model is valid until the next call."""
        if self._model is not None:
            swap_adapter(self._model, folder)
            return self._model
        model = load_student(spec, folder)
        if spec.recipe.method == "lora" and device() == "cuda":
            self._model = model
        return model


@dataclass(frozen=True)
class Fault:
    """Why a student has no usable result."""

    check: str
    """Name of the check that it fails."""
    reason: str


@dataclass(frozen=True)
class _InMemory:
    """What can be measured of a trained student only while its model is in memory."""

    before: observe.Look
    """Of the base."""
    trained: observe.Look
    change: float
    adapters: int | None


@dataclass
class StudentInTraining:
    """A student that is being trained. A trainer calls either `finish` or `fail` on it."""

    spec: StudentSpec
    """Base, rows, recipe and seed."""
    out: Path
    """The folder for the student's files; it exists and is empty."""
    examples: tuple[Example, ...]
    """All rows as tokens."""
    trainable: tuple[Example, ...]
    """The rows that have at least one token with loss: what a trainer trains on."""
    steps: Steps | None = None
    """Losses and time of the optimizer steps; None before training has ended."""
    fault: Fault | None = None
    """Why the student failed; None if it did not fail."""
    _seen: _InMemory | None = None

    @property
    def ended(self) -> bool:
        """Whether the student was finished or has failed."""
        return self.fault is not None or self._seen is not None

    def finish(self, model: Any, steps: Steps, adapter: str | None = None) -> None:
        """Measure and save the trained student. A loss that is not finite makes the student fail instead.

        Args:
            model: The trained model; a peft model for LoRA.
            steps: The loss (nats a token) of every optimizer step, and the wall time of all steps.
            adapter: The name of the student's adapter in the model, for LoRA. None: all weights are the
                student's.

        Raises:
            RunError: The files cannot be written.
            TypeError: The recipe's method is `lora` and there is no adapter, or the other way round.
        """
        if (adapter is not None) != (self.spec.recipe.method == "lora"):
            raise TypeError(
                f"student.finish() got adapter={adapter!r} for the method {self.spec.recipe.method!r}: "
                "'lora' needs the adapter's name, every other method takes none"
            )
        self.steps, self.fault, self._seen = steps, None, None
        if not steps.losses or not all(math.isfinite(loss) for loss in steps.losses):
            self.fail("loss_finite", checks.loss_finite(steps.losses or [math.nan]))
            return
        model.eval()
        probes = self._probes(model)
        if adapter is not None:
            model.set_adapter(adapter)
            with model.disable_adapter():
                before = observe.look(model, probes)
            change = observe.adapter_change(model, adapter)
        else:
            _cast_as_read_back(model)
            base = load_model(self.spec.base)
            before = observe.look(base, probes)
            change = observe.full_change(model, base)
        trained = observe.look(model, probes[:1])
        adapters = count_adapters(model) if adapter is not None else None
        observe.save(model, self.spec, self.out, adapter)
        self._seen = _InMemory(before, trained, change, adapters)

    def fail(self, check: str, reason: str) -> None:
        """Record that the student failed.

        Args:
            check: Name of the check that it fails, such as `loss_finite`; a trainer may bring names of its
                own.
            reason: What is wrong, for the column `reason` of the students' table.
        """
        self.fault = Fault(check, reason)

    def read_back(self, reader: StudentReader) -> checks.Seen:
        """Return all that was measured, after reading the student's files once more.

        Only for a finished student, and after the trainer has released its memory.
        """
        assert self._seen is not None, "only for a finished student"
        assert self.steps is not None, "finish() has set them"
        seen, bound, error, after = self._seen, None, "", None
        try:
            model = reader.load(self.spec, self.out)
            bound = observe.bound_in_files(self.out) if seen.adapters is not None else None
            after = observe.look(model, self._probes(model))
        except MendelError as fault:
            error = fault.message
        return checks.Seen(
            losses=self.steps.losses,
            loss_before=seen.before.loss,
            loss_after=after.loss if after else math.nan,
            weight_change=seen.change,
            output_change=observe.distance(seen.before, after) if after else math.nan,
            reload_change=observe.distance(seen.trained, after) if after else math.nan,
            reload_error=error,
            adapters=seen.adapters,
            bound=bound,
            device=device(),
        )

    def _probes(self, model: Any) -> list[Example]:
        return observe.probe_rows(self.trainable, pass_tokens(model))


def _cast_as_read_back(model: Any) -> None:
    """Give the weights the precision in which the saved student is read: bfloat16 on a GPU."""
    if device() == "cuda":
        import torch

        model.to(torch.bfloat16)
