"""A student on its way: its rows as tokens, how its training went, and what was seen of it while it was in memory."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mendel.engine.errors import MendelError
from mendel.models import Example, count_adapters, device, load_model
from mendel.models.local.loading import swap_adapter
from mendel.train import checks as _checks
from mendel.train import observe as _inspect
from mendel.train.order import Steps, pass_tokens
from mendel.train.student import StudentSpec

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class StudentFault(Exception):
    """Why a student's training did not end: becomes its reason, and never leaves this package."""

    def __init__(self, check: str, reason: str) -> None:
        super().__init__(reason)
        self.check, self.reason = check, reason


def load_student(spec: StudentSpec, folder: Path) -> PreTrainedModel:
    """A trained student, read from the folder that it was saved in; raises RunError if a part does not bind."""
    if spec.recipe.method == "lora":
        return load_model(spec.base, adapter=folder)
    return load_model(spec.base, weights=folder)


class Reopening:
    """Trained students of one base and recipe, read from their folders one after another.

    On a GPU adapters change places in one model: to set one up takes longer than all that is looked at.
    """

    def __init__(self) -> None:
        self._model: PreTrainedModel | None = None

    def student(self, spec: StudentSpec, folder: Path) -> PreTrainedModel:
        """As `load_student`; it is what it is until the next one is asked for."""
        if self._model is not None:
            swap_adapter(self._model, folder)
            return self._model
        model = load_student(spec, folder)
        if spec.recipe.method == "lora" and device() == "cuda":
            self._model = model
        return model


@dataclass(frozen=True)
class _InMemory:
    """What can be seen of a trained student only as long as its model is there."""

    before: _inspect.Look
    trained: _inspect.Look
    change: float
    adapters: int | None


@dataclass
class StudentInTraining:
    """A student on its way from its spec to its files in the folder `out`."""

    spec: StudentSpec
    out: Path
    examples: tuple[Example, ...]
    """All rows; those without anything to train on are left out of `trained`."""
    trained: tuple[Example, ...]
    steps: Steps | None = None
    fault: StudentFault | None = None
    _seen: _InMemory | None = None

    def take(self, model: Any, steps: Steps, adapter: str | None) -> None:
        """Looks at the trained student and saves it: `model` as it is, or the `adapter` of that name in it."""
        self.steps, self.fault, self._seen = steps, None, None
        if not steps.losses or not all(math.isfinite(loss) for loss in steps.losses):
            self.fault = StudentFault("loss_finite", _checks.loss_finite(steps.losses or [math.nan]))
            return
        model.eval()
        probes = self._probes(model)
        if adapter is not None:
            model.set_adapter(adapter)
            with model.disable_adapter():
                before = _inspect.look(model, probes)
            change = _inspect.adapter_change(model, adapter)
        else:
            self._as_read_back(model)
            base = load_model(self.spec.base)
            before = _inspect.look(base, probes)
            change = _inspect.full_change(model, base)
        trained = _inspect.look(model, probes[:1])
        adapters = count_adapters(model) if adapter is not None else None
        _inspect.save(model, self.spec, self.out, adapter)
        self._seen = _InMemory(before, trained, change, adapters)

    def read_back(self, reopening: Reopening) -> _checks.Seen:
        """What was seen of it, its files included; to be called when what trained it is let go."""
        assert self._seen is not None, "a candidate without a fault was looked at"
        assert self.steps is not None, "and was trained"
        seen, bound, error, after = self._seen, None, "", None
        try:
            student = reopening.student(self.spec, self.out)
            bound = _inspect.bound_in_files(self.out) if seen.adapters is not None else None
            after = _inspect.look(student, self._probes(student))
        except MendelError as fault:
            error = fault.message
        return _checks.Seen(
            losses=self.steps.losses,
            loss_before=seen.before.loss,
            loss_after=after.loss if after else math.nan,
            weight_change=seen.change,
            output_change=_inspect.distance(seen.before, after) if after else math.nan,
            reload_change=_inspect.distance(seen.trained, after) if after else math.nan,
            reload_error=error,
            adapters=seen.adapters,
            bound=bound,
            device=device(),
        )

    def _probes(self, model: Any) -> list[Example]:
        return _inspect.probe_rows(self.trained, pass_tokens(model))

    def _as_read_back(self, model: Any) -> None:
        if device() == "cuda":
            import torch

            model.to(torch.bfloat16)
