"""A run's folder as far as the run has come: what is there is read, what is not is named."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mendel.engine.errors import InputError
from mendel.engine.interval import as_float
from mendel.engine.text import one_line
from mendel.results.records import as_dict, as_text
from mendel.results.tables import TABLES, read_table
from mendel.results.verdicts import VERDICTS, Verdicts, read_verdicts
from mendel.study.cube import CORNERS, shared_parts

if TYPE_CHECKING:
    import pyarrow as pa

MISSING_TABLE: Mapping[str, str] = {
    "students": "which students were trained, and how that went",
    "measurements": "the responses behind the numbers",
    "rollouts": "what the teachers answered",
    "assignments": "which teacher answered which prompt, so the size of each edit",
}
"""What a reader does not learn without each table."""


@dataclass(frozen=True)
class RunFolder:
    """The content of a run's folder. Tables that are not there (yet) are None, and `missing` says so."""

    path: Path
    verdicts: Verdicts = field(default_factory=Verdicts)
    study: Mapping[str, Any] = field(default_factory=dict)
    """The resolved study; empty where it is missing or cannot be read."""
    study_text: str = ""
    tables: Mapping[str, pa.Table | None] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    """A line for each file that is missing or cannot be read."""

    @property
    def name(self) -> str:
        """The study's name."""
        return self.verdicts.study or as_text(self.study.get("name")) or self.path.name

    @property
    def cube(self) -> Mapping[str, str]:
        """The arm at each corner `OOO` … `AAA`; corners that do not differ may share one."""
        return {corner: self.verdicts.cube.get(corner) or f"cube/{corner}" for corner in CORNERS}

    @property
    def arm_words(self) -> Mapping[str, Mapping[str, str | None]]:
        """What to call each arm, as the run says; empty in the folder of an older run."""
        return {
            arm: {"label": words.label, "what": words.what, "trait": words.trait}
            for arm, words in self.verdicts.arms.items()
        }

    @cached_property
    def assistant(self) -> Mapping[str, float]:
        """The share of plain questions that each arm's usable students answer rightly, where that was
        measured."""
        table = self.tables.get("students")
        if table is None or not {"arm", "status", "assistant_right"} <= set(table.column_names):
            return {}
        shares: dict[str, list[float]] = {}
        columns = (table[name].to_pylist() for name in ("arm", "status", "assistant_right"))
        for arm, status, right in zip(*columns, strict=True):
            share = as_float(right)
            if status == "ok" and share is not None:
                shares.setdefault(arm, []).append(share)
        return {arm: sum(values) / len(values) for arm, values in shares.items()}

    @property
    def shared(self) -> frozenset[str]:
        """Which of base, prompts and teacher both pipelines have in common.

        Their change leaves every arm the same.
        """
        return frozenset(shared_parts(self.cube))


def read_folder(
    path: Path,
    columns: Mapping[str, Collection[str]] | None = None,
    repeated: Mapping[str, Collection[str]] | None = None,
) -> RunFolder:
    """Read a run's folder, finished or not.

    Args:
        path: The folder.
        columns: The tables to read, and the columns of each. Other tables are only looked for.
        repeated: By table, its columns of few distinct values; see `read_table`.

    Returns:
        What the folder holds; `missing` names the rest.

    Raises:
        InputError: The path is no folder, holds nothing of a run, or its verdicts.json cannot be read.
    """
    if not path.is_dir():
        raise InputError("no such folder", where=str(path), fix="Give the folder that `mendel run` wrote.")
    verdicts = read_verdicts(path) if (path / VERDICTS).is_file() else None
    study_text = _text(path / "study.yaml")
    missing = []
    if verdicts is None:
        missing.append("verdicts.json: the effects and verdicts; the run has not come that far.")
    if study_text is None:
        missing.append("study.yaml: what was asked.")
    tables: dict[str, pa.Table | None] = dict.fromkeys(TABLES)
    for name in TABLES:
        file = path / f"{name}.parquet"
        problem = "" if file.is_file() else "it is not there"
        if columns is not None and name in columns and not problem:
            tables[name], problem = _table(file, columns[name], (repeated or {}).get(name, ()))
        if problem:
            missing.append(f"{name}.parquet: {MISSING_TABLE[name]}; {problem}.")
    if verdicts is None and study_text is None and all(table is None for table in tables.values()):
        raise InputError(
            "no run in this folder", where=str(path), fix="Give the folder that `mendel run` wrote."
        )
    return RunFolder(
        path, verdicts or Verdicts(), _study(study_text or ""), study_text or "", tables, tuple(missing)
    )


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else None


def _study(text: str) -> Mapping[str, Any]:
    import yaml

    try:
        return as_dict(yaml.safe_load(text))
    except (yaml.YAMLError, RecursionError):
        return {}


def _table(path: Path, columns: Collection[str], repeated: Collection[str]) -> tuple[pa.Table | None, str]:
    """Return the table, or None and why it cannot be read."""
    try:
        return as_unicode(read_table(path, columns, repeated)), ""
    except InputError as error:
        return None, f"it cannot be read ({one_line(error.what.removeprefix('no readable Parquet: '))})"


def as_unicode(table: pa.Table) -> pa.Table:
    """Return the table with bytes that are no UTF-8 replaced by U+FFFD.

    Parquet lets anything stand in a column of texts.
    """
    import pyarrow as pa

    for i, name in enumerate(table.column_names):
        column = table[name]
        if not pa.types.is_string(column.type):
            continue
        try:
            column.validate(full=True)
        except pa.ArrowInvalid:
            raw = column.cast(pa.binary()).to_pylist()
            mended = [None if value is None else value.decode(errors="replace") for value in raw]
            table = table.set_column(i, name, pa.array(mended, pa.string()))
    return table
