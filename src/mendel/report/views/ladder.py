"""The leak ladder as the page shows it.

What each edit leaves near to what the filter saw, and far from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mendel.engine.text import one_line
from mendel.report.views.words import kind_words
from mendel.results.interval import Interval
from mendel.results.leaks import EditLeak, RungVerdict
from mendel.results.verdicts import TraitVerdict

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
    original: Interval
    alternate: Interval
    left: Mapping[str, Interval]
    """By edit: the share of the original's effect that is left."""
    raised: tuple[str, ...] = ()
    """The edits that are shown to raise the trait here."""


@dataclass(frozen=True)
class LadderEdit:
    """One edit on the whole ladder."""

    kind: str
    arm: str
    label: str
    verdict: str
    why: str
    near: Interval
    far: Interval
    index: Interval


@dataclass(frozen=True)
class Ladder:
    """A trait's ladder."""

    rungs: tuple[Rung, ...]
    edits: tuple[LadderEdit, ...]
    why: str
    """Why nothing is said of edits, where nothing is."""


def ladder_of(verdict: TraitVerdict) -> Ladder | None:
    """Return the ladder of a trait's verdict; None where the run measured none."""
    leaks = verdict.leaks
    if leaks is None or not leaks.rungs:
        return None
    return Ladder(
        tuple(_rung(name, rung, leaks.edits) for name, rung in leaks.rungs.items()),
        tuple(_edit(kind, edit) for kind, edit in leaks.edits.items()),
        one_line(leaks.why or ""),
    )


def _rung(name: str, rung: RungVerdict, edits: Mapping[str, EditLeak]) -> Rung:
    return Rung(
        name,
        _RUNGS.get(name, ""),
        rung.shown,
        rung.original,
        rung.alternate,
        {kind: edit.left.get(name, Interval()) for kind, edit in edits.items()},
        tuple(kind_words(kind)[0] for kind, edit in edits.items() if name in edit.raised),
    )


def _edit(kind: str, edit: EditLeak) -> LadderEdit:
    return LadderEdit(
        kind,
        edit.arm,
        kind_words(kind)[0],
        edit.verdict,
        one_line(edit.why, 600),
        edit.left_near,
        edit.left_far,
        edit.index,
    )
