"""The leak ladder as the page shows it: what each edit leaves near to what the filter saw, and far from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mendel.engine.text import one_line
from mendel.report.views.words import kind_words
from mendel.results.values import Estimate, as_dict, as_text, read_estimate

_RUNGS: Mapping[str, str] = {
    "near": "like what the filter saw",
    "wording": "put in other words",
    "register": "slang, officialese, a child's note",
    "language": "another language",
    "surface": "another subject that shows the same trait",
    "dialogue": "built up over several turns",
    "agentic": "at work as an agent: logs and tools",
}


@dataclass(frozen=True)
class Rung:
    """One rung: how much of the trait the pipelines and each edit show on it."""

    name: str
    means: str
    shown: bool
    """Whether the original pipeline is shown to have more of the trait here than the alternate one."""
    original: Estimate | None
    alternate: Estimate | None
    left: Mapping[str, Estimate | None]
    """By edit: the share of the original's effect that is left."""


@dataclass(frozen=True)
class LadderEdit:
    """One edit on the whole ladder."""

    kind: str
    arm: str
    label: str
    verdict: str
    why: str
    near: Estimate | None
    far: Estimate | None
    index: Estimate | None


@dataclass(frozen=True)
class Ladder:
    """A trait's ladder."""

    rungs: tuple[Rung, ...]
    edits: tuple[LadderEdit, ...]
    why: str
    """Why nothing is said of edits, where nothing is."""


def read_ladder(verdict: Mapping[str, Any]) -> Ladder | None:
    """The ladder of a trait's verdict; None where the run measured none."""
    leaks = as_dict(verdict.get("leaks"))
    rungs = as_dict(leaks.get("rungs"))
    if not rungs:
        return None
    edits = {kind: as_dict(edit) for kind, edit in as_dict(leaks.get("edits")).items()}
    return Ladder(
        tuple(_rung(name, as_dict(rung), edits) for name, rung in rungs.items()),
        tuple(_edit(kind, edit) for kind, edit in edits.items()),
        one_line(as_text(leaks.get("why"))),
    )


def _rung(name: str, rung: Mapping[str, Any], edits: Mapping[str, Mapping[str, Any]]) -> Rung:
    return Rung(
        name,
        _RUNGS.get(name, ""),
        rung.get("shown") is True,
        read_estimate(rung.get("original")),
        read_estimate(rung.get("alternate")),
        {kind: read_estimate(as_dict(edit.get("left")).get(name)) for kind, edit in edits.items()},
    )


def _edit(kind: str, edit: Mapping[str, Any]) -> LadderEdit:
    return LadderEdit(
        kind,
        as_text(edit.get("arm")),
        kind_words(kind)[0],
        as_text(edit.get("verdict")) or "undecided",
        one_line(as_text(edit.get("why")), 300),
        read_estimate(edit.get("left_near")),
        read_estimate(edit.get("left_far")),
        read_estimate(edit.get("index")),
    )
