"""Looser and stricter filters than the study's own."""

from __future__ import annotations

from mendel.data.assignment import Assignment, drop, everyone
from mendel.design.arms.registry import Material, arm_kind

THRESHOLDS = ("drop-strongest", "drop", "drop-milder", "unrelated")
"""Kinds of arms that filter ever more strictly, the loosest first."""


@arm_kind(
    "drop-strongest",
    "flagged",
    label="drop the stronger half of the flagged",
    what="Nobody answers the higher-scored half of the flagged prompts.",
    as_filter="a looser filter: the stronger half of the flagged",
)
def _drop_strongest(m: Material, seed: int) -> Assignment:
    ranked = _strongest_first(m, m.flagged)
    return drop(everyone(m.ids, m.original), ranked[: max(1, len(ranked) // 2)])


@arm_kind(
    "drop-milder",
    "flagged",
    "mild",
    label="drop the flagged and the stronger half of the mild",
    what="Nobody answers the flagged prompts and the higher-scored half of the mild ones.",
    as_filter="a stricter filter: the stronger half of the mild ones, too",
)
def _drop_milder(m: Material, seed: int) -> Assignment:
    # With all of the mild ones dropped it is the arm `unrelated`.
    ranked = _strongest_first(m, m.mild)
    return drop(everyone(m.ids, m.original), [*m.flagged, *ranked[: max(1, len(ranked) // 2)]])


def _strongest_first(m: Material, prompts: tuple[str, ...]) -> list[str]:
    scores = dict(m.scores)
    return sorted(prompts, key=lambda prompt: (-scores.get(prompt, 0.0), prompt))
