"""Where a trait's difference sits: each part with its two shares and what they show."""

from __future__ import annotations

from dataclasses import dataclass

from mendel.engine.text import one_line
from mendel.report.views.words import LOCATED, PLACES
from mendel.results.interval import MISSING, UNKNOWN, Interval
from mendel.results.verdicts import LocationPart, TraitVerdict


@dataclass(frozen=True)
class LocationRow:
    """One part of the pipelines' data, or of the pipelines, and how much of the difference it carries."""

    name: str
    label: str
    brings: Interval
    """What the part brings in alone, as a share of the difference; unknown without an estimate."""
    takes: Interval
    """What goes when it is taken out."""
    decision: str
    """What the shares show, in words."""
    decided: bool
    why: str
    """Why a share is unknown; empty where both are known."""

    @property
    def known(self) -> bool:
        """Whether at least one share was measured."""
        return bool(self.brings) or bool(self.takes)


def location_rows(verdict: TraitVerdict) -> tuple[LocationRow, ...]:
    """Return the parts in the order of the page.

    Args:
        verdict: The trait's verdict.

    Returns:
        The rows; empty where the run says nothing of a location: the pipelines are not shown to differ, or an
        older mendel wrote the folder.
    """
    parts = verdict.location or {}
    return tuple(_row(name, parts[name]) for name in PLACES if name in parts)


def _row(name: str, part: LocationPart) -> LocationRow:
    brings, takes = part.brings or Interval(), part.takes or Interval()
    known, both = bool(brings) or bool(takes), bool(brings) and bool(takes)
    return LocationRow(
        name=name,
        label=PLACES[name],
        brings=brings,
        takes=takes,
        decision=LOCATED.get(part.decision, LOCATED["undecided"]) if known else "not known",
        decided=known and part.decision in ("carries", "does not carry"),
        why="" if both else one_line(part.why or MISSING, 300),
    )


def share_text(share: Interval) -> str:
    """Return a share as a percentage with its interval.

    Args:
        share: A share of the difference; 1 is all of it.

    Returns:
        `62 % [40, 85]`; `?` where an end is unknown, which means that it is farther out than was looked.
    """
    if not share:
        return MISSING
    if share.low is None and share.high is None:
        return f"{_percent(share.estimate)} %, {UNKNOWN}"
    return f"{_percent(share.estimate)} % [{_percent(share.low)}, {_percent(share.high)}]"


def _percent(share: float | None) -> str:
    # + 0.0 turns a rounded -0 into 0.
    return "?" if share is None else f"{round(100 * share) + 0.0:.0f}".replace("-", "\N{MINUS SIGN}")
