"""The mild prompts: what a filter leaves, without the unrelated rollouts."""

from __future__ import annotations

from mendel.data.assignment import Assignment, drop, everyone, only
from mendel.design.arms.registry import Material, arm_kind


@arm_kind(
    "mild",
    "mild",
    label="original teacher on the mild prompts",
    what="The flagged prompts are dropped. The original teacher answers the mild prompts, the "
    "alternate teacher the rest.",
    start="OOA",
)
def _mild(m: Material, seed: int) -> Assignment:
    return drop(only(m.ids, m.mild, m.original, m.alternate), m.flagged)


@arm_kind(
    "mild-alternate",
    "mild",
    label="alternate teacher on all but the flagged",
    what="The flagged prompts are dropped. The alternate teacher answers all others.",
    start="OOA",
)
def _mild_alternate(m: Material, seed: int) -> Assignment:
    return drop(everyone(m.ids, m.alternate), m.flagged)
