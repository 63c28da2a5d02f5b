"""The scores that a task's own scorer gave its samples, read from Inspect's logs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from mendel.engine.errors import InputError, RunError
from mendel.measure.inspect_tasks.task import InspectTask

SampleKey = tuple[int, str, int]
"""A sample's variant, id and epoch (from 1)."""


def sample_scores(
    task: InspectTask, logs: Sequence[Any], samples: Sequence[SampleKey], *, scored: bool
) -> list[float | None]:
    """Return the score of every sample, in their order.

    None is the score of a sample whose scorer gave none, and of all samples where the task was not `scored`.

    Raises:
        RunError: A sample failed or did not run; the message names it.
        InputError: The scorer gives several values, and the task's `metric` does not name one.
    """
    scores: dict[SampleKey, float | None] = {}
    for variant, log in enumerate(logs):
        if log.error is not None:
            raise RunError(f"Inspect could not run the task: {log.error.message}", where=task.labels[variant])
        for sample in log.samples or []:
            where = f"{task.labels[variant]}, sample {sample.id!r}, epoch {sample.epoch}"
            if sample.error is not None:
                raise RunError(f"a sample of the task failed: {sample.error.message}", where=where)
            value = _chosen_value(sample.scores or {}, task.metric, where) if scored else None
            scores[variant, str(sample.id), sample.epoch] = value
    missing = next((key for key in samples if key not in scores), None)
    if missing is not None:
        variant, sample_id, epoch = missing
        raise RunError(
            "Inspect did not run a sample",
            where=f"{task.labels[variant]}, sample {sample_id!r}, epoch {epoch}",
        )
    return [scores[key] for key in samples]


def _chosen_value(scores: dict[str, Any], metric: str | None, where: str) -> float | None:
    """Return the value that counts, as a number; None where the scorer left it open."""
    from inspect_ai.scorer import value_to_float

    values: dict[str, Any] = {}
    for name, score in scores.items():
        if isinstance(score.value, dict):
            values |= score.value
            values |= {f"{name}/{key}": value for key, value in score.value.items()}
        else:
            values[name] = score.value
    if metric is None and len(scores) == 1 and len(values) == 1:
        metric = next(iter(values))
    if metric not in values:
        raise InputError(
            "the task's scorer gives several values"
            if metric is None
            else f"the task's scorer gives no {metric!r}",
            where=where,
            allowed=", ".join(sorted(values)) or "none",
            fix="Name the value that counts: inspect: {metric: …}.",
        )
    value = value_to_float()(values[metric]) if values[metric] is not None else math.nan
    return float(value) if math.isfinite(value) else None
