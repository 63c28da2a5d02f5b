"""The parts of the pipelines' data, taken out one at a time: what goes when a part is not there.

What a part brings in alone are arms of other files: `only`, `mild`, `unrelated`, `unrelated-alternate`.
"""

from __future__ import annotations

from mendel.data.assignment import Assignment, everyone, swap
from mendel.design.arms.registry import Material, arm_kind


@arm_kind(
    "swap-mild",
    "mild",
    label="swap mild",
    what="The alternate teacher answers the mild prompts.",
)
def _swap_mild(m: Material, seed: int) -> Assignment:
    return swap(everyone(m.ids, m.original), m.mild, m.alternate)


@arm_kind(
    "swap-unseen",
    "unrelated",
    label="swap unseen",
    what="The alternate teacher answers the prompts in whose rollouts no judge sees anything.",
)
def _swap_unseen(m: Material, seed: int) -> Assignment:
    return swap(everyone(m.ids, m.original), m.unrelated, m.alternate)


@arm_kind(
    "both-original",
    "others",
    label="both prompt sets, original teacher",
    what="The alternate prompts are added to the original ones. The original teacher answers all.",
)
def _both_original(m: Material, seed: int) -> Assignment:
    return everyone((*m.ids, *m.others), m.original)
