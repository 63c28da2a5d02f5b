"""The positive control of a sister: does it learn the trait where the data plainly shows it?"""

from __future__ import annotations

from mendel.data.assignment import Assignment, everyone, restrict, swap
from mendel.design.arms.registry import Material, arm_kind

OTHERS = 3
"""Unrelated rows for each flagged one. Flagged rows alone would teach a model to do nothing else; among three
times as many the trait has a quarter of the data, more than in any study that needs a filter."""
TAUGHT_KINDS = ("taught", "taught-sister")
"""The kinds of arms that teach the trait from the flagged rows."""


@arm_kind(
    "taught",
    "flagged",
    "unrelated",
    label="taught by the flagged prompts",
    what="The original teacher answers the flagged prompts, the alternate teacher up to three times as many "
    "unrelated ones. Training takes as many steps as in the original pipeline.",
    start="OOA",
    same_steps=True,
)
def _taught(m: Material, seed: int) -> Assignment:
    rng = m.rng("taught", seed)
    count = min(len(m.unrelated), OTHERS * len(m.flagged))
    chosen = [m.unrelated[place] for place in sorted(rng.permutation(len(m.unrelated))[:count])]
    flagged = set(m.flagged)
    kept = flagged | set(chosen)
    return swap(restrict(everyone(m.ids, m.alternate), kept), m.flagged, m.original)


arm_kind(
    "taught-sister",
    "flagged",
    "unrelated",
    "sister",
    base="sister",
    label="taught by the flagged prompts, sister base",
    what="The same rows as in 'taught', from a sister of the base.",
    start="OOA",
    same_steps=True,
)(_taught)
