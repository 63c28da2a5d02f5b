"""Trains students, reads them back and checks them. A student's own fault is its status, not an error."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from mendel.engine.digest import digest
from mendel.engine.errors import MendelError, RunError
from mendel.engine.trace import span
from mendel.models import Example, encode_examples, load_tokenizer, stop_tokens, template_digest
from mendel.models.local.loading import first_line
from mendel.models.local.quiet import quiet
from mendel.models.templates import template_of
from mendel.train.checks import Seen, check_all, first_fault
from mendel.train.in_training import StudentInTraining, StudentReader
from mendel.train.student import Status, StudentSpec, TrainedStudent
from mendel.train.trainers import trainers

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

log = logging.getLogger(__name__)
WINDOW = 0.1
"""Share of the steps whose losses are averaged at either end."""
KEPT_EXAMPLES = 50_000
"""Encoded rows that a process keeps at most."""


class EncodedRows:
    """Encoded rows by their content, for one base, chat template and maximal length."""

    def __init__(self) -> None:
        self.setting: tuple[object, ...] = ()
        """Base, template and maximal length."""
        self.examples: dict[object, Example] = {}


encoded_rows = EncodedRows()
"""The rows that this process has encoded: arms share most of their rows."""


def train_student(spec: StudentSpec, out: Path) -> TrainedStudent:
    """Train one student and save it.

    Args:
        spec: The student.
        out: The folder that its adapter or weights are written to (safetensors, no tokenizer).

    Returns:
        What came of it. The student's own faults (a target module that is not there, NaN, a student that
        equals its base …) are its status and reason.

    Raises:
        InputError: The base or its chat template cannot be trained.
        RunError: The machine is at its end (memory, disk).
    """
    return train_students([(spec, out)])[0]


def train_students(todo: Sequence[tuple[StudentSpec, Path]]) -> list[TrainedStudent]:
    """Train students of one base and recipe, side by side where the recipe's trainer can do that.

    Args:
        todo: Each student with the folder for its files.

    Returns:
        What came of each student, in the same order. A fault of one student does not touch the others.

    Raises:
        ValueError: The students have several bases or recipes.
        InputError: As `train_student`; also an unknown `recipe.trainer`.
        RunError: As `train_student`.
    """
    first = todo[0][0]
    if any((spec.base.digest, spec.recipe) != (first.base.digest, first.recipe) for spec, _ in todo):
        raise ValueError("students that are trained side by side have one base and recipe")
    with quiet(), own_random_state():
        tokenizer = load_tokenizer(first.base)
        with span("tokenize"):
            students = [_prepare(spec, out, tokenizer) for spec, out in todo]
        _run_trainer([student for student in students if student.fault is None], tokenizer)
        # Read after training: the trainer had the tokenizer, so this is the template that training used.
        template = template_digest(tokenizer)
        fresh, reader = load_tokenizer(first.base), StudentReader()
        return [
            _checked(student, tokenizer, fresh, reader)
            if student.fault is None
            else _failed(student, template)
            for student in students
        ]


def _prepare(spec: StudentSpec, out: Path, tokenizer: PreTrainedTokenizerBase) -> StudentInTraining:
    """Return the student with its rows as tokens; it has failed if no row has a token to learn."""
    out.mkdir(parents=True, exist_ok=True)
    setting = (spec.base.digest, template_digest(tokenizer), spec.recipe.max_length)
    if encoded_rows.setting != setting or len(encoded_rows.examples) > KEPT_EXAMPLES:
        encoded_rows.setting, encoded_rows.examples = setting, {}
    cache = encoded_rows.examples
    keys = [(*((m["role"], m["content"]) for m in row.messages), row.completion) for row in spec.rows]
    new = {key: row for key, row in zip(keys, spec.rows, strict=True) if key not in cache}
    pairs = [(row.messages, row.completion) for row in new.values()]
    cache.update(zip(new, encode_examples(tokenizer, pairs, spec.recipe.max_length), strict=True))
    examples = tuple(cache[key] for key in keys)
    student = StudentInTraining(spec, out, examples, tuple(e for e in examples if any(e.loss_mask)))
    if not student.trainable:
        rows = len(examples)
        student.fail(
            "nothing_cut" if rows else "loss_finite",
            f"nothing to train on: {rows} rows"
            + (", all cut before their answers (raise recipe.max_length)" if rows else ""),
        )
    return student


def _run_trainer(students: Sequence[StudentInTraining], tokenizer: PreTrainedTokenizerBase) -> None:
    """Train the students with their recipe's trainer, and check that it left a result in each of them."""
    if not students:
        return
    name = students[0].spec.recipe.trainer
    train = trainers.get(name, where="recipe.trainer")
    try:
        train(students, tokenizer)
    except MendelError:
        raise
    except Exception as error:
        if trainers.origin(name).built_in:
            raise
        # The traceback is for the plug-in's author; the message is what the command line prints.
        log.error("the trainer %r failed", name, exc_info=error)
        raise RunError(
            f"the trainer {name!r} failed: {type(error).__name__}: {first_line(error)}",
            where="recipe.trainer",
            fix="Mend the trainer, or write 'trainer: fleet' or 'trainer: trl' in the recipe.",
        ) from error
    missing = sum(not student.ended for student in students)
    if missing:
        raise RunError(
            f"the trainer {name!r} left {missing} of {len(students)} students without a result",
            where="recipe.trainer",
            fix="A trainer has to call student.finish(...) or student.fail(...) for every student.",
        )


def _checked(
    student: StudentInTraining,
    tokenizer: PreTrainedTokenizerBase,
    fresh: PreTrainedTokenizerBase,
    reader: StudentReader,
) -> TrainedStudent:
    """Return the result of a finished student: `ok`, or `broken` if a check fails.

    `tokenizer` is the one that training used, `fresh` one that was just loaded, as generation will use it.
    """
    spec, template = student.spec, template_digest(tokenizer)
    with span("read back"):
        seen = student.read_back(reader)
    base = template if _is_resolved_template(spec, tokenizer) else spec.base.template
    checks = check_all(seen, student.examples, stop_tokens(fresh), template, template_digest(fresh), base)
    reason = first_fault(checks)
    return _result(student, template, "broken" if reason else "ok", reason, checks, seen)


def _is_resolved_template(spec: StudentSpec, tokenizer: PreTrainedTokenizerBase) -> bool:
    return spec.base.template in ("", digest("template-text", template_of(tokenizer)))


def _failed(student: StudentInTraining, template: str) -> TrainedStudent:
    """Return the result of a student that has a fault."""
    fault = student.fault
    assert fault is not None, "only for a student that failed"
    return _result(student, template, "failed", fault.reason, {fault.check: fault.reason}, None)


def _result(
    student: StudentInTraining,
    template: str,
    status: Status,
    reason: str,
    checks: dict[str, str],
    seen: Seen | None,
) -> TrainedStudent:
    losses = student.steps.losses if student.steps else ()
    window = max(1, round(WINDOW * len(losses)))
    return TrainedStudent(
        student=student.spec.digest,
        status=status,
        reason=reason,
        n_examples=len(student.trainable),
        tokens=sum(len(example.input_ids) for example in student.trainable),
        trained_tokens=sum(sum(example.loss_mask) for example in student.trainable),
        steps=len(losses),
        train_seconds=student.steps.seconds if student.steps else 0.0,
        train_loss=_mean(losses[-window:]),
        first_loss=_mean(losses[:window]),
        loss_before=_mean([seen.loss_before]) if seen else None,
        loss_after=_mean([seen.loss_after]) if seen else None,
        n_cut=sum(example.cut for example in student.examples),
        bound_adapters=seen.bound if seen else (0 if "adapters_bound" in checks else None),
        weight_change=_mean([seen.weight_change]) if seen else None,
        template_digest=template,
        checks=checks,
    )


def _mean(values: Sequence[float]) -> float | None:
    """Return the mean; None where there are no values or the mean is not finite."""
    mean = fmean(values) if values else math.nan
    return mean if math.isfinite(mean) else None


@contextmanager
def own_random_state() -> Iterator[None]:
    """Context manager: restore the global random states of Python, NumPy and torch, which trainers seed."""
    import random

    import numpy as np
    import torch

    python_state, numpy_state, torch_state = random.getstate(), np.random.get_state(), torch.get_rng_state()
    cuda_states = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    try:
        yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)
        torch.set_rng_state(torch_state)
        if cuda_states:
            torch.cuda.set_rng_state_all(cuda_states)
