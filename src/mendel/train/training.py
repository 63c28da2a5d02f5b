"""Trains students, saves them, reads them back and checks them; a student's own fault is its status, not an error."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from mendel.engine.digest import digest
from mendel.engine.trace import span
from mendel.models import Example, encode_examples, load_tokenizer, stop_tokens, template_digest
from mendel.models.local.quiet import quiet
from mendel.train import checks as _checks
from mendel.train.in_training import Reopening, StudentFault, StudentInTraining
from mendel.train.student import Status, StudentSpec, TrainedStudent
from mendel.train.trainers.registry import train_candidates

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

WINDOW = 0.1
"""Share of the steps whose losses are averaged at either end."""
KEPT_EXAMPLES = 50_000
"""Encoded rows that a process keeps at most."""


class _Encoded:
    """Encoded rows by content, for one base, template and maximal length."""

    def __init__(self) -> None:
        self.under: tuple[object, ...] = ()
        self.examples: dict[object, Example] = {}


_encoded = _Encoded()


def train_student(spec: StudentSpec, out: Path) -> TrainedStudent:
    """Trains the student and writes its adapter or weights (safetensors, no tokenizer) into the folder `out`.

    Its own faults (no module matched, NaN, equal to its base, …) are its status and reason. Raises InputError for a
    base or chat template that cannot be trained, RunError when the machine is at its end (memory, disk).
    """
    return train_students([(spec, out)])[0]


def train_students(todo: Sequence[tuple[StudentSpec, Path]]) -> list[TrainedStudent]:
    """`train_student` for several of one base and recipe, side by side where the recipe's trainer does that.

    One student's fault is its own. Raises ValueError for students of several bases or recipes, and as `train_student`.
    """
    first = todo[0][0]
    if any((spec.base.digest, spec.recipe) != (first.base.digest, first.recipe) for spec, _ in todo):
        raise ValueError("students that are trained side by side have one base and recipe")
    with quiet(), own_random_state():
        tokenizer = load_tokenizer(first.base)
        with span("tokenize"):
            candidates = [_candidate(spec, out, tokenizer) for spec, out in todo]
        train_candidates([one for one in candidates if one.fault is None], tokenizer)
        # The trainer has had the tokenizer in its hands: what it is now is what training used.
        template = template_digest(tokenizer)
        fresh, reopening = load_tokenizer(first.base), Reopening()
        return [
            _judge(one, tokenizer, fresh, reopening) if one.fault is None else _failed(one, template)
            for one in candidates
        ]


def _candidate(spec: StudentSpec, out: Path, tokenizer: PreTrainedTokenizerBase) -> StudentInTraining:
    """The student with its rows as tokens. Arms share most rows, so what a worker has encoded once it keeps."""
    out.mkdir(parents=True, exist_ok=True)
    under = (spec.base.digest, template_digest(tokenizer), spec.recipe.max_length)
    if _encoded.under != under or len(_encoded.examples) > KEPT_EXAMPLES:
        _encoded.under, _encoded.examples = under, {}
    known = _encoded.examples
    keys = [(*((m["role"], m["content"]) for m in row.messages), row.completion) for row in spec.rows]
    new = {key: row for key, row in zip(keys, spec.rows, strict=True) if key not in known}
    pairs = [(row.messages, row.completion) for row in new.values()]
    known.update(zip(new, encode_examples(tokenizer, pairs, spec.recipe.max_length), strict=True))
    examples = tuple(known[key] for key in keys)
    trained = tuple(example for example in examples if any(example.loss_mask))
    one = StudentInTraining(spec, out, examples, trained)
    if not trained:
        rows = len(examples)
        one.fault = StudentFault(
            "nothing_cut" if rows else "loss_finite",
            f"nothing to train on: {rows} rows"
            + (", all cut before their answers (raise recipe.max_length)" if rows else ""),
        )
    return one


def _judge(
    one: StudentInTraining,
    tokenizer: PreTrainedTokenizerBase,
    fresh: PreTrainedTokenizerBase,
    reopening: Reopening,
) -> TrainedStudent:
    """`tokenizer` is the one that training used, `fresh` the one that its answers will be read with."""
    spec, template = one.spec, template_digest(tokenizer)
    with span("read back"):
        seen = one.read_back(reopening)
    base = template if _is_resolved_template(spec, tokenizer) else spec.base.template
    checks = _checks.check_all(seen, one.examples, stop_tokens(fresh), template, template_digest(fresh), base)
    reason = _checks.first_fault(checks)
    return _result(one, template, "broken" if reason else "ok", reason, checks, seen)


def _is_resolved_template(spec: StudentSpec, tokenizer: PreTrainedTokenizerBase) -> bool:
    from mendel.models.templates import template_of

    return spec.base.template in ("", digest("template-text", template_of(tokenizer)))


def _failed(one: StudentInTraining, template: str) -> TrainedStudent:
    assert one.fault is not None, "a failed student has its fault"
    return _result(one, template, "failed", one.fault.reason, {one.fault.check: one.fault.reason}, None)


def _result(
    one: StudentInTraining,
    template: str,
    status: Status,
    reason: str,
    checks: dict[str, str],
    seen: _checks.Seen | None,
) -> TrainedStudent:
    losses = one.steps.losses if one.steps else ()
    window = max(1, round(WINDOW * len(losses)))
    return TrainedStudent(
        student=one.spec.digest,
        status=status,
        reason=reason,
        n_examples=len(one.trained),
        tokens=sum(len(example.input_ids) for example in one.trained),
        trained_tokens=sum(sum(example.loss_mask) for example in one.trained),
        steps=len(losses),
        train_seconds=one.steps.seconds if one.steps else 0.0,
        train_loss=_mean(losses[-window:]),
        first_loss=_mean(losses[:window]),
        loss_before=_mean([seen.loss_before]) if seen else None,
        loss_after=_mean([seen.loss_after]) if seen else None,
        n_cut=sum(example.cut for example in one.examples),
        bound_adapters=seen.bound if seen else (0 if "adapters_bound" in checks else None),
        weight_change=_mean([seen.weight_change]) if seen else None,
        template_digest=template,
        checks=checks,
    )


def _mean(values: Sequence[float]) -> float | None:
    mean = fmean(values) if values else math.nan
    return mean if math.isfinite(mean) else None


@contextmanager
def own_random_state() -> Iterator[None]:
    """Trainers seed the global generators; for a while they may, and afterwards all is as it was."""
    import random

    import numpy as np
    import torch

    python, numbers, torch_state = random.getstate(), np.random.get_state(), torch.get_rng_state()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numbers)
        torch.set_rng_state(torch_state)
        if cuda:
            torch.cuda.set_rng_state_all(cuda)
