"""The leak ladder of verdicts.json as types: what edits leave near to the filter and far from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mendel.engine.interval import Interval
from mendel.results.records import by, optional

UNDECIDED = "undecided"


@dataclass(frozen=True)
class RungVerdict:
    """One rung of the leak ladder: scenarios at one distance from what the filter saw."""

    original: Interval = Interval()
    """Level of the original pipeline on this rung."""
    alternate: Interval = Interval()
    """Level of the alternate pipeline on this rung."""
    shown: bool = False
    """Whether the original pipeline is shown to have more of the trait here than the alternate one."""
    levels: Mapping[str, Interval] = by("arm")
    """Level of each arm on this rung."""


@dataclass(frozen=True)
class ControlLeak:
    """The same edit of random prompts, on the ladder."""

    arm: str = ""
    """The arm of the random control."""
    left: Mapping[str, Interval] = by("rung")
    """Share of the original's effect that is left, by rung."""
    left_near: Interval = Interval()
    """The share that is left on the rung like what the filter saw."""
    left_far: Interval = Interval()
    """The share that is left over all other rungs."""


@dataclass(frozen=True)
class EditLeak:
    """What one edit leaves of the trait, near to and far from what the filter saw."""

    arm: str = ""
    """The edit's arm."""
    levels: Mapping[str, Interval] = by("rung")
    """The arm's level, by rung."""
    left: Mapping[str, Interval] = by("rung")
    """Share of the original's effect that is left, by rung."""
    left_near: Interval = Interval()
    """The share that is left on the rung like what the filter saw."""
    left_far: Interval = Interval()
    """The share that is left over all other rungs."""
    index: Interval = Interval()
    """Left far over left near: 1 means the edit works everywhere alike, above 1 the trait leaks past it."""
    verdict: str = UNDECIDED
    """`removed` (shown to be cleared on every rung), `removed where we looked`, `not removed` or
    `undecided`."""
    raised: tuple[str, ...] = ()
    """Rungs on which the edit is shown to have more of the trait than the original pipeline, by more than the
    smallest difference of interest."""
    open: tuple[str, ...] = ()
    """Rungs on which the edit is shown neither to clear the trait, nor to leave or raise it."""
    why: str = ""
    """The reason in words."""
    control: ControlLeak | None = optional()
    """The random control of the same size."""


@dataclass(frozen=True)
class LeakVerdict:
    """A trait's leak ladder."""

    rungs: Mapping[str, RungVerdict] = by("rung")
    """What the pipelines show, by rung."""
    edits: Mapping[str, EditLeak] = by("edit")
    """What each edit leaves, by kind of edit."""
    why: str | None = optional()
    """Why no edit is judged."""
