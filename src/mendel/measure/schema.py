"""The columns of responses and measurements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mendel.results.tables import schema

if TYPE_CHECKING:
    import pyarrow


JUDGED = ("score", "hit", "judge", "quote", "note")
"""Columns that a judge fills."""


def measurement_schema() -> pyarrow.Schema:
    """Return the columns of measurements, one row an answer: a run folder's, and `opener`, `task_score`.

    `sample` counts from 0; `turn` is the answer's number in the conversation, from 1. `score` is on the
    trait's scale, and `hit` says whether it reaches the judge's `hit_at`. Both are null where the judge could
    not tell (never for rules), and `note` says why. `judge` is the trait's `judge_id`; `quote` is the passage
    that a model's score rests on; `prompt` is the conversation as JSON text. `log_odds` (nats) is the
    scenario's, the same for all its samples; null where the trait has none or it is not finite. `opener` is
    the forced beginning of the responses, or else of the log-odds' answers; null without either. `task_score`
    is that of an Inspect task's own scorer. `tokens` counts the generated tokens; `prompt_tokens` and
    `dollars` are an endpoint's count and price (null for a local model).
    """
    import pyarrow as pa

    columns = [pa.field("opener", pa.string()), pa.field("task_score", pa.float64())]
    return pa.schema([*schema("measurements"), *columns])


def response_schema() -> pyarrow.Schema:
    """Return the columns of responses without scores: those of measurements that no judge fills."""
    import pyarrow as pa

    return pa.schema([column for column in measurement_schema() if column.name not in JUDGED])
