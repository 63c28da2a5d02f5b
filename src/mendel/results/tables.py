"""The four tables of a run's folder: their columns, and reading and writing Parquet."""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mendel.engine.errors import InputError
from mendel.engine.store import write_atomic

if TYPE_CHECKING:
    import pyarrow as pa

MESSAGES = "list<struct<role: string, content: string>>"


class Column(NamedTuple):
    """One column of a table."""

    name: str
    type: str
    """The Arrow type."""
    meaning: str
    """What a value says, with its unit, and what null means."""


_ENDPOINT_COST = (
    Column(
        "prompt_tokens", "int64", "Number of prompt tokens that an endpoint counted; null for a local model."
    ),
    Column("dollars", "double", "What an endpoint took, in US dollars; null for a local model."),
)

SCHEMAS: Mapping[str, tuple[Column, ...]] = {
    "students": (
        Column("student", "string", "Name of the student in this run: the beginning of its digest."),
        Column("arm", "string", "The arm that the student belongs to."),
        Column("base", "string", "The checkpoint that training started from."),
        Column("seed", "int64", "Random seed of training; null for a base or a teacher."),
        Column("n_examples", "int64", "Number of rows that were trained on; 0 for a base or a teacher."),
        Column("tokens", "int64", "Number of tokens in these rows: what one epoch sees."),
        Column("train_seconds", "double", "Duration of the optimizer steps alone, in seconds."),
        Column("train_loss", "double", "Mean loss of the last tenth of the steps, in nats a token."),
        Column("status", "string", "ok, broken (trained, but a check fails) or failed (nothing usable)."),
        Column("reason", "string", "Why the student is broken or failed; empty if ok."),
        Column("trained_tokens", "int64", "Number of tokens that carry loss."),
        Column("first_loss", "double", "Mean loss of the first tenth of the steps, in nats a token."),
        Column("steps", "int64", "Number of optimizer steps."),
        Column("n_cut", "int64", "Number of rows longer than the recipe's maximal length."),
        Column("weight_change", "double", "Relative L2 change of the trained weights."),
        Column("bound_adapters", "int64", "Number of modules that carry an adapter; null without adapters."),
        Column("template", "string", "Digest of the chat template and stop tokens in training."),
        Column("assistant_right", "double", "Share (0 to 1) of plain questions that are answered rightly."),
        Column("digest", "string", "The student's whole name in the store."),
    ),
    "measurements": (
        Column("student", "string", "The student that responded; see the table students."),
        Column("trait", "string", "The trait; rungs of its ladder are TRAIT/RUNG."),
        Column("scenario", "string", "The scenario that was responded to."),
        Column("cluster", "string", "Scenarios of one cluster are variants of one situation."),
        Column("sample", "int64", "Number of the sample, from 0."),
        Column("turn", "int64", "Which response of the conversation it is, from 1."),
        Column(
            "score", "double", "The judge's score on the trait's scale; null where the judge could not tell."
        ),
        Column("hit", "bool", "Whether the score reaches the judge's hit_at; null without a score."),
        Column("judge", "string", "The judge, with its version."),
        Column("prompt", "string", "The conversation up to the response, as JSON."),
        Column("response", "string", "The response."),
        Column(
            "log_odds",
            "double",
            "Log-odds of the trait's answer, in nats, one value a scenario; null if none.",
        ),
        Column(
            "finish_reason", "string", "stop, length (cut at the maximal length) or none (nothing was asked)."
        ),
        Column("tokens", "int64", "Number of generated tokens."),
        Column("quote", "string", "The passage that a model's score rests on."),
        Column("note", "string", "The judge's reason, or why it could not tell."),
        Column("looping", "bool", "Whether the response repeats itself to its end."),
        *_ENDPOINT_COST,
    ),
    "rollouts": (
        Column("prompt_id", "string", "The prompt."),
        Column("teacher", "string", "The teacher that answered it."),
        Column("messages", MESSAGES, "The conversation that was answered."),
        Column("completion", "string", "The answer."),
        Column("finish_reason", "string", "stop, length (cut at the maximal length) or file (from a file)."),
        Column("tokens", "int64", "Number of generated tokens."),
        *_ENDPOINT_COST,
    ),
    "assignments": (
        Column("arm", "string", "The arm."),
        Column("prompt_id", "string", "The prompt."),
        Column(
            "teacher",
            "string",
            "The teacher whose rollout the arm is trained on; null where the prompt is dropped.",
        ),
        Column("seed", "int64", "The seed that the assignment is of; null where all seeds share one."),
    ),
    "strata": (
        Column("trait", "string", "The trait."),
        Column("prompt_id", "string", "The prompt; the row is about the original teacher's rollout."),
        Column("teacher", "string", "The original teacher."),
        Column(
            "stratum",
            "string",
            "flagged, mild (not flagged, and a judge sees anything or cannot tell) or unseen (every judge "
            "gives its least score).",
        ),
        Column("draw", "int64", "Place in the order in which rollouts are drawn for labels, from 1."),
        Column("score", "double", "The flagging judge's score; null where it could not tell."),
        Column("second_score", "double", "The evaluating judge's score, where another judge flags."),
    ),
}
"""The tables of a run's folder; the columns of the contract first, additions after them."""

TABLES = tuple(name for name in SCHEMAS if name != "strata")
"""The four tables of the contract; `strata` is for labels alone, and older folders lack it."""


def schema(name: str) -> pa.Schema:
    """Return the Arrow schema of a table of the run's folder."""
    import pyarrow as pa

    message = pa.struct([("role", pa.string()), ("content", pa.string())])
    types = {
        "string": pa.string(),
        "int64": pa.int64(),
        "double": pa.float64(),
        "bool": pa.bool_(),
        MESSAGES: pa.list_(message),
    }
    return pa.schema([(column.name, types[column.type]) for column in SCHEMAS[name]])


def table(name: str, rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Return a table of the run's folder from rows; a key that a row lacks is null."""
    import pyarrow as pa

    return pa.Table.from_pylist(list(rows), schema=schema(name))


def write_table(path: Path, content: pa.Table) -> None:
    """Write Parquet, atomically."""
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(content, sink, compression="zstd")
    write_atomic(path, sink.getvalue())


def read_table(
    path: Path, columns: Collection[str] | None = None, repeated: Collection[str] = ()
) -> pa.Table:
    """Return the table of a Parquet file.

    Args:
        path: The file.
        columns: The columns to read, in the file's order; those that the file lacks are left out. None: all.
        repeated: Columns of few distinct values, which are kept once each: a million rows are a few
        megabytes.

    Returns:
        The table.

    Raises:
        InputError: The file is missing, or is no Parquet.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # Not pq.read_table: it goes through the data-set layer, which takes half a second to import.
        # Buffered beforehand,
        # since a big table is otherwise read in many small pieces.
        with pq.ParquetFile(path) as file:
            names = [name for name in file.schema_arrow.names if columns is None or name in columns]
        encoded = [name for name in names if name in repeated]
        with pq.ParquetFile(path, pre_buffer=True, read_dictionary=encoded) as file:
            return file.read(names if columns is not None else None)
    except FileNotFoundError:
        raise InputError(
            "no such file", where=str(path), fix="Is this the folder of a finished run?"
        ) from None
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"no readable Parquet: {error}", where=str(path)) from None
