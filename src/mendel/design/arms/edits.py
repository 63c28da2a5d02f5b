"""The edits of the flagged prompts, each with its random control: as many prompts, drawn at random."""

from __future__ import annotations

from mendel.data.assignment import Assignment, drop, everyone, only, swap
from mendel.design.arms.registry import Material, arm_kind

EDITS = ("drop", "swap", "only", "drop-random", "swap-random", "only-random")
"""What a standard design does to the flagged prompts."""


@arm_kind(
    "drop",
    "flagged",
    label="drop flagged",
    what="Nobody answers the flagged prompts.",
    as_filter="the filter: all flagged",
)
def _drop(m: Material, seed: int) -> Assignment:
    return drop(everyone(m.ids, m.original), m.flagged)


@arm_kind("drop-random", "flagged", label="drop random", what="Nobody answers as many random prompts.")
def _drop_random(m: Material, seed: int) -> Assignment:
    return drop(everyone(m.ids, m.original), m.control(seed))


@arm_kind("swap", "flagged", label="swap flagged", what="The alternate teacher answers the flagged prompts.")
def _swap(m: Material, seed: int) -> Assignment:
    return swap(everyone(m.ids, m.original), m.flagged, m.alternate)


@arm_kind(
    "swap-random",
    "flagged",
    label="swap random",
    what="The alternate teacher answers as many random prompts.",
)
def _swap_random(m: Material, seed: int) -> Assignment:
    return swap(everyone(m.ids, m.original), m.control(seed), m.alternate)


@arm_kind(
    "only",
    "flagged",
    label="only flagged",
    what="The original teacher answers the flagged prompts, the alternate teacher the rest.",
    start="OOA",
)
def _only(m: Material, seed: int) -> Assignment:
    return only(m.ids, m.flagged, m.original, m.alternate)


@arm_kind(
    "only-random",
    "flagged",
    label="only random",
    what="The original teacher answers as many random prompts, the alternate teacher the rest.",
    start="OOA",
)
def _only_random(m: Material, seed: int) -> Assignment:
    return only(m.ids, m.control(seed), m.original, m.alternate)
