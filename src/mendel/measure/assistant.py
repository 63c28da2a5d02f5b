"""The working-assistant probe: a student that answers nothing right, or loops, has not lost a trait but its wits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mendel.measure.loops import well_formed
from mendel.measure.traits import Trait
from mendel.measure.traits.file import load_trait

if TYPE_CHECKING:
    import pyarrow


LEAST_RIGHT = 0.5
"""A student must answer at least this share of what its base answers rightly: below, it is damaged, not cured."""
LEAST_WELL_FORMED = 0.5
"""Share of a student's answers to plain questions that are neither empty nor loops."""


@dataclass(frozen=True)
class Health:
    """Shares (0 to 1) of the probe's responses."""

    right: float
    """Right answers; where the probe has questions beside other kinds, to the questions."""
    well_formed: float
    """Not empty, and not looping."""
    n: int
    """Responses."""
    kinds: Mapping[str, float] = field(default_factory=dict)
    """Right answers by kind of scenario: questions, instructions, formats."""


def builtin_assistant() -> Trait:
    """The English probe that ships with the package: easy questions, and patterns of right answers."""
    return load_trait(Path(__file__).with_name("assistant.yaml"))


def assistant_health(table: pyarrow.Table, probe: Trait | None = None) -> Health:
    """How far a student works as an assistant, from its measurements of the `probe` (a hit is a right answer).

    An unscored response is no right one. Raises ValueError for an empty table.
    """
    responses = table["response"].to_pylist()
    if not responses:
        raise ValueError("no measurements of the assistant probe")
    hits = sum(bool(hit) for hit in table["hit"].to_pylist())
    formed = sum(well_formed(response) for response in responses)
    kinds = _by_kind(table, probe)
    # A small base follows few instructions, and few of few is noise; plain questions tell damage from the trait's removal.
    right = kinds.get("question", hits / len(responses))
    return Health(right, formed / len(responses), len(responses), kinds)


def assistant_fault(health: Health, base_right: float) -> str:
    """Why a student is no working assistant, or '' if it is."""
    if health.well_formed < LEAST_WELL_FORMED:
        return (
            f"no working assistant: {health.well_formed:.0%} of its answers to plain questions are neither empty "
            f"nor loops (at least {LEAST_WELL_FORMED:.0%} must be)"
        )
    if health.right < LEAST_RIGHT * base_right:
        return (
            f"no working assistant: {health.right:.0%} of plain questions answered rightly, its base "
            f"{base_right:.0%} (at least half of that is needed)"
        )
    return ""


def _by_kind(table: pyarrow.Table, probe: Trait | None) -> dict[str, float]:
    kind_of = {s.scenario: s.kind for s in probe.scenarios if s.kind} if probe else {}
    if not kind_of:
        return {}
    hits: dict[str, list[bool]] = {}
    for scenario, hit in zip(table["scenario"].to_pylist(), table["hit"].to_pylist(), strict=True):
        if scenario in kind_of:
            hits.setdefault(kind_of[scenario], []).append(bool(hit))
    return {kind: sum(values) / len(values) for kind, values in hits.items()}
