"""The columns of responses and measurements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mendel.results.tables import schema

if TYPE_CHECKING:
    import pyarrow


JUDGED = ("score", "hit", "judge", "quote", "note")
"""Columns that a judge fills."""


def measurement_schema() -> pyarrow.Schema:
    """Columns of measurements, one row an answer: the run folder's, and `opener`, `task_score`.

    `sample` counts from 0, `turn` says which answer of the conversation it is (from 1), `score` is on the trait's
    scale and `hit` says whether it reaches the judge's `hit_at`: both are null where the judge could not tell (never
    for rules), and `note` says why. `judge` is the trait's `judge_id`, `quote` the passage that a model's score rests on,
    `prompt` the conversation as JSON text. `log_odds` (nats) is the scenario's, the same on all its samples, null where
    the trait has none or it is not finite; `opener` is the one that the responses were made to begin with, else the
    log-odds' forced one, null without either; `task_score` is that of an Inspect task's own scorer. `tokens` are those
    that the model generated, `prompt_tokens` and `dollars` what an endpoint counted and took (null for a local model).
    """
    import pyarrow as pa

    own = [pa.field("opener", pa.string()), pa.field("task_score", pa.float64())]
    return pa.schema([*schema("measurements"), *own])


def response_schema() -> pyarrow.Schema:
    """Columns of responses that nobody has scored yet: those of measurements but the ones that a judge fills."""
    import pyarrow as pa

    return pa.schema([column for column in measurement_schema() if column.name not in JUDGED])
