"""Parquet tables, written atomically, with the columns that tools outside the project read."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mendel.engine.errors import InputError
from mendel.engine.store import write_atomic

if TYPE_CHECKING:
    import pyarrow as pa

Column = tuple[str, str]

MESSAGES = "list<struct<role: string, content: string>>"
SCHEMAS: dict[str, tuple[Column, ...]] = {
    "students": (
        ("student", "string"),
        ("arm", "string"),
        ("base", "string"),
        ("seed", "int64"),
        ("n_examples", "int64"),
        ("tokens", "int64"),
        ("train_seconds", "double"),
        ("train_loss", "double"),
        ("status", "string"),
        ("reason", "string"),
        ("trained_tokens", "int64"),
        ("first_loss", "double"),
        ("steps", "int64"),
        ("n_cut", "int64"),
        ("weight_change", "double"),
        ("bound_adapters", "int64"),
        ("template", "string"),
        ("assistant_right", "double"),
        ("digest", "string"),
    ),
    "measurements": (
        ("student", "string"),
        ("trait", "string"),
        ("scenario", "string"),
        ("cluster", "string"),
        ("sample", "int64"),
        ("turn", "int64"),
        ("score", "double"),
        ("hit", "bool"),
        ("judge", "string"),
        ("prompt", "string"),
        ("response", "string"),
        ("log_odds", "double"),
        ("finish_reason", "string"),
        ("tokens", "int64"),
        ("quote", "string"),
        ("note", "string"),
        ("looping", "bool"),
        ("prompt_tokens", "int64"),
        ("dollars", "double"),
    ),
    "rollouts": (
        ("prompt_id", "string"),
        ("teacher", "string"),
        ("messages", MESSAGES),
        ("completion", "string"),
        ("finish_reason", "string"),
        ("tokens", "int64"),
        ("prompt_tokens", "int64"),
        ("dollars", "double"),
    ),
    "assignments": (("arm", "string"), ("prompt_id", "string"), ("teacher", "string"), ("seed", "int64")),
}
"""The tables of a run's folder; the columns of the contract first, additions after them."""


def schema(name: str) -> pa.Schema:
    """The Arrow schema of a table of the run's folder."""
    import pyarrow as pa

    message = pa.struct([("role", pa.string()), ("content", pa.string())])
    types = {
        "string": pa.string(),
        "int64": pa.int64(),
        "double": pa.float64(),
        "bool": pa.bool_(),
        MESSAGES: pa.list_(message),
    }
    return pa.schema([(column, types[kind]) for column, kind in SCHEMAS[name]])


def table(name: str, rows: Sequence[dict[str, Any]]) -> pa.Table:
    """A table of the run's folder from rows; a key that a row lacks is null."""
    import pyarrow as pa

    return pa.Table.from_pylist(list(rows), schema=schema(name))


def write_table(path: Path, content: pa.Table) -> None:
    """Writes Parquet atomically."""
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(content, sink, compression="zstd")
    write_atomic(path, sink.getvalue())


def read_table(path: Path) -> pa.Table:
    """Reads Parquet; raises InputError for a missing file and for one that is no Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # Not pq.read_table: it goes through the data-set layer, which takes half a second to import. Buffered beforehand,
        # since a big table is otherwise read in many small pieces.
        with pq.ParquetFile(path, pre_buffer=True) as file:
            return file.read()
    except FileNotFoundError:
        raise InputError(
            "no such file", where=str(path), fix="Is this the folder of a finished run?"
        ) from None
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"no readable Parquet: {error}", where=str(path)) from None
