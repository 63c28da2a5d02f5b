"""A run's folder as far as it has come: what is there is read, what is not is named."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import yaml

from mendel.design.cube import shared_parts
from mendel.design.names import corner_arm
from mendel.engine.errors import InputError
from mendel.engine.text import one_line
from mendel.report.views.words import CORNERS, Words
from mendel.results.values import as_dict, as_float, as_text

if TYPE_CHECKING:
    import pyarrow as pa

TABLES: Mapping[str, str] = {
    "students": "which students were trained, and how that went",
    "measurements": "the responses behind the numbers",
    "rollouts": "what the teachers answered",
    "assignments": "which teacher answered which prompt, so the size of each edit",
}
"""The tables of a run, and what the page cannot show without each."""

COLUMNS: Mapping[str, frozenset[str]] = {
    "students": frozenset(
        [
            "student",
            "arm",
            "base",
            "seed",
            "n_examples",
            "tokens",
            "train_seconds",
            "train_loss",
            "status",
            "reason",
            "assistant_right",
        ]
    ),
    "measurements": frozenset(
        ["student", "trait", "scenario", "cluster", "sample", "turn", "score", "hit", "judge"]
    ),
    "rollouts": frozenset(),
    "assignments": frozenset(["arm", "prompt_id", "teacher"]),
}
"""The columns that the page reads; of the rollouts only that they are there. The texts of the measurements, most of the
file, are read where the page needs them, and not kept."""

REPEATED: Mapping[str, tuple[str, ...]] = {
    "measurements": ("student", "trait", "scenario", "cluster", "judge")
}
"""Columns of few distinct values, kept once: a million rows are a few megabytes."""


@dataclass(frozen=True)
class RunFolder:
    """The content of a run's folder. Tables that are not there (yet) are None, and `missing` says so."""

    path: Path
    verdicts: Mapping[str, Any]
    study: Mapping[str, Any]
    study_text: str
    tables: Mapping[str, pa.Table | None]
    missing: tuple[str, ...]

    @property
    def name(self) -> str:
        """The study's name."""
        return as_text(self.verdicts.get("study")) or as_text(self.study.get("name")) or self.path.name

    @property
    def cube(self) -> Mapping[str, str]:
        """The arm at each corner `OOO` … `AAA`; corners that do not differ may share one."""
        given = as_dict(self.verdicts.get("cube"))
        return {corner: as_text(given.get(corner)) or corner_arm(corner) for corner in CORNERS}

    @property
    def arm_words(self) -> Words:
        """What to call each arm, as the run says; {} in the folder of an older run."""
        return {arm: as_dict(words) for arm, words in as_dict(self.verdicts.get("arms")).items()}

    @cached_property
    def assistant(self) -> Mapping[str, float]:
        """The share of plain questions that each arm's usable students answer rightly, where that was measured."""
        table = self.tables.get("students")
        if table is None or not {"arm", "status", "assistant_right"} <= set(table.column_names):
            return {}
        found: dict[str, list[float]] = {}
        rows = (table[name].to_pylist() for name in ("arm", "status", "assistant_right"))
        for arm, status, right in zip(*rows, strict=True):
            value = as_float(right)
            if status == "ok" and value is not None:
                found.setdefault(arm, []).append(value)
        return {arm: fmean(values) for arm, values in found.items()}

    @property
    def shared(self) -> frozenset[str]:
        """Which of base, prompts and teacher both pipelines have in common: their change leaves every arm the same."""
        return frozenset(shared_parts(self.cube))


def read_folder(path: Path, tables: Collection[str] = tuple(TABLES)) -> RunFolder:
    """Reads a run's folder, finished or not; of its tables those named in `tables`, the others are only looked for.

    Raises InputError where it is no folder, holds nothing of a run, or its verdicts.json cannot be read.
    """
    if not path.is_dir():
        raise InputError("no such folder", where=str(path), fix="Give the folder that `mendel run` wrote.")
    verdicts, study_text = _verdicts(path / "verdicts.json"), _text(path / "study.yaml")
    missing = []
    if verdicts is None:
        missing.append("verdicts.json: the effects and verdicts; the run has not come that far.")
    if study_text is None:
        missing.append("study.yaml: what was asked.")
    read: dict[str, pa.Table | None] = dict.fromkeys(TABLES)
    for name in TABLES:
        file = path / f"{name}.parquet"
        if name in tables:
            read[name], problem = _table(file)
        else:
            problem = "" if file.is_file() else "it is not there"
        if problem:
            missing.append(f"{name}.parquet: {TABLES[name]}; {problem}.")
    if verdicts is None and study_text is None and all(table is None for table in read.values()):
        raise InputError(
            "no run in this folder", where=str(path), fix="Give the folder that `mendel run` wrote."
        )
    return RunFolder(path, verdicts or {}, _study(study_text or ""), study_text or "", read, tuple(missing))


def _verdicts(path: Path) -> Mapping[str, Any] | None:
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8", errors="replace"))
    except ValueError as error:
        raise InputError(
            f"no JSON: {error}", where=str(path), fix="Run the study again: it resumes."
        ) from None
    if not isinstance(content, dict):
        raise InputError("no JSON object", where=str(path), fix="Run the study again: it resumes.")
    return content


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else None


def _study(text: str) -> Mapping[str, Any]:
    try:
        return as_dict(yaml.safe_load(text))
    except yaml.YAMLError:
        return {}


def _table(path: Path) -> tuple[pa.Table | None, str]:
    """The table with the columns that the page reads, or None and the reason."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        return None, "it is not there"
    try:
        # Not pq.read_table, which imports pandas: half a second, a quarter of the page's time.
        names = pq.ParquetFile(path).schema_arrow.names
        file = pq.ParquetFile(path, read_dictionary=[n for n in names if n in REPEATED.get(path.stem, ())])
        return _as_text(file.read([name for name in names if name in COLUMNS[path.stem]])), ""
    except (pa.ArrowException, OSError) as error:
        return None, f"it cannot be read ({one_line(str(error))})"


def _as_text(table: pa.Table) -> pa.Table:
    """The table with bytes that are no UTF-8 replaced by U+FFFD: Parquet lets anything stand in a column of strings."""
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
