"""How the run was made: the study, the recipe, the students and what became of them, time and cost."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mendel.engine.errors import InputError
from mendel.engine.interval import as_float
from mendel.engine.text import one_line, shorten
from mendel.results.folder import RunFolder
from mendel.results.interval import duration
from mendel.results.manifest import read_manifest
from mendel.results.records import as_dict, as_text

STUDENTS_SHOWN = 400
WARNINGS_SHOWN = 100
STUDY_CHARACTERS = 30_000


@dataclass(frozen=True)
class StudentRow:
    """One line of the students' table, as text."""

    student: str
    arm: str
    seed: str
    n_examples: str
    tokens: str
    train_seconds: str
    train_loss: str
    status: str
    reason: str
    base: str


@dataclass(frozen=True)
class Made:
    """What the last section shows."""

    study: str
    recipe: tuple[tuple[str, str], ...]
    facts: tuple[tuple[str, str], ...]
    versions: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]
    more_warnings: int
    students: tuple[StudentRow, ...]
    more_students: int
    lost: tuple[StudentRow, ...]
    """Students that are broken or failed; they count in no number."""
    unsaid: tuple[StudentRow, ...]
    """Those of them that no warning names."""
    counts: tuple[tuple[str, int], ...]


def how_it_was_made(folder: RunFolder) -> Made:
    """Return the last section, read from the folder's files."""
    rows = list(_students(folder))
    # Those that need a look stand first, then the arms in the table's order.
    rows.sort(key=lambda row: row.status == "ok")
    rows_lost = [row for row in rows if row.status != "ok"]
    warnings = folder.verdicts.warnings
    states = [row.status for row in rows]
    return Made(
        study=shorten(folder.study_text, STUDY_CHARACTERS),
        recipe=tuple(_flat(as_dict(folder.study.get("recipe")))),
        facts=tuple(_facts(folder)),
        versions=tuple(_flat(folder.verdicts.versions)),
        warnings=warnings[:WARNINGS_SHOWN],
        more_warnings=max(0, len(warnings) - WARNINGS_SHOWN),
        students=tuple(rows[:STUDENTS_SHOWN]),
        more_students=max(0, len(rows) - STUDENTS_SHOWN),
        lost=tuple(rows_lost[:STUDENTS_SHOWN]),
        unsaid=tuple(row for row in rows_lost if not any(row.student in warning for warning in warnings)),
        counts=tuple((state, states.count(state)) for state in sorted(set(states), key=lambda s: s != "ok")),
    )


def _facts(folder: RunFolder) -> Iterator[tuple[str, str]]:
    verdicts, study = folder.verdicts, folder.study
    for label, count in (
        ("students trained", verdicts.students_trained),
        ("students reused", verdicts.students_reused),
    ):
        if count is not None:
            yield label, f"{count:,}"
    if verdicts.wall_seconds is not None:
        yield "wall time", duration(verdicts.wall_seconds)
    if verdicts.dollars is not None:
        yield "cost", f"${verdicts.dollars:,.2f}"
    if (seeds := study.get("seeds")) is not None:
        first = study.get("first_seed")
        yield "seeds per arm", one_line(str(seeds)) + (f" (from {one_line(str(first))})" if first else "")
    for side in ("original", "alternate"):
        pipeline = as_dict(study.get(side))
        if pipeline:
            parts = (f"{part} {one_line(str(pipeline[part]), 80)}" for part in pipeline)
            yield f"{side} pipeline", ", ".join(parts)
    if fingerprint := _fingerprint(folder.path):
        yield "fingerprint", fingerprint
    if verdicts.commit:
        yield "commit", verdicts.commit


def _fingerprint(path: Path) -> str:
    """Return the digest of all that went in; an empty text where the folder has no manifest."""
    try:
        return one_line(read_manifest(path).fingerprint, 80)
    except InputError:
        return ""


def _flat(content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in content.items():
        text = value if isinstance(value, str) else json.dumps(value, default=str)
        yield one_line(str(key), 60), one_line(text, 200)


def _students(folder: RunFolder) -> Iterator[StudentRow]:
    table = folder.tables["students"]
    if table is None:
        return
    for row in table.to_pylist():
        seconds, loss = as_float(row.get("train_seconds")), as_float(row.get("train_loss"))
        yield StudentRow(
            student=one_line(str(row.get("student")), 12).split(" … ")[0],
            arm=one_line(str(row.get("arm"))),
            seed=_whole(row.get("seed")),
            n_examples=_whole(row.get("n_examples")),
            tokens=_whole(row.get("tokens")),
            train_seconds="" if seconds is None else f"{seconds:,.1f}",
            train_loss="" if loss is None else f"{loss:.3f}",
            status=one_line(as_text(row.get("status")) or "unknown"),
            reason=one_line(as_text(row.get("reason")), 400),
            base=one_line(str(row.get("base")), 80),
        )


def _whole(value: object) -> str:
    number = as_float(value)
    return "" if number is None else f"{number:,.0f}"
