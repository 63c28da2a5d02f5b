"""The health check of a student: the share of easy questions answered rightly, and of replies that loop."""

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
"""A student with less than this share of its base's right answers is damaged."""
LEAST_WELL_FORMED = 0.5
"""Least share of a student's answers to plain questions that are neither empty nor loops."""


@dataclass(frozen=True)
class Health:
    """Shares (0 to 1) of a student's responses to the assistant probe."""

    right: float
    """Right answers; to questions only, where the probe has other kinds of scenarios too."""
    well_formed: float
    """Responses that are neither empty nor loops."""
    n: int
    """Number of responses."""
    kinds: Mapping[str, float] = field(default_factory=dict)
    """Right answers by kind of scenario: questions, instructions, formats."""


def builtin_assistant() -> Trait:
    """Return the English probe that ships with the package: easy questions with patterns of right answers."""
    return load_trait(Path(__file__).with_name("assistant.yaml"))


def assistant_health(table: pyarrow.Table, probe: Trait | None = None) -> Health:
    """Return a student's health, from its measurements of the assistant probe.

    Args:
        table: Measurements of the probe; a hit is a right answer, and no score is a wrong one.
        probe: The probe, whose scenarios say which kind they are; None: only the overall shares are given.

    Raises:
        ValueError: The table is empty.
    """
    responses = table["response"].to_pylist()
    if not responses:
        raise ValueError("no measurements of the assistant probe")
    hits = sum(bool(hit) for hit in table["hit"].to_pylist())
    formed = sum(well_formed(response) for response in responses)
    kinds = _by_kind(table, probe)
    # A small base follows few instructions, so a share of them is noise. Plain questions show damage.
    right = kinds.get("question", hits / len(responses))
    return Health(right, formed / len(responses), len(responses), kinds)


def assistant_fault(health: Health, base_right: float) -> str:
    """Return why a student is no working assistant; '' if it is one.

    Args:
        health: The student's health.
        base_right: The share of right answers of the student's base.
    """
    if health.well_formed < LEAST_WELL_FORMED:
        return (
            f"no working assistant: {health.well_formed:.0%} of its answers to plain questions are "
            f"neither empty nor loops (at least {LEAST_WELL_FORMED:.0%} must be)"
        )
    if health.right < LEAST_RIGHT * base_right:
        return (
            f"no working assistant: {health.right:.0%} of plain questions answered rightly, its base "
            f"{base_right:.0%} (at least half of that is needed)"
        )
    return ""


def _by_kind(table: pyarrow.Table, probe: Trait | None) -> dict[str, float]:
    kinds = {s.scenario: s.kind for s in probe.scenarios if s.kind} if probe else {}
    if not kinds:
        return {}
    hits: dict[str, list[bool]] = {}
    for scenario, hit in zip(table["scenario"].to_pylist(), table["hit"].to_pylist(), strict=True):
        if scenario in kinds:
            hits.setdefault(kinds[scenario], []).append(bool(hit))
    return {kind: sum(values) / len(values) for kind, values in hits.items()}
