"""The unrelated prompts only: the strictest filter, from the study's base or its sister, as they are or
rewritten.
"""

from __future__ import annotations

from mendel.data.assignment import Assignment, everyone, restrict
from mendel.design.arms.registry import Material, arm_kind


@arm_kind(
    "unrelated",
    "unrelated",
    label="original teacher on the unrelated prompts",
    what="Only the unrelated prompts are trained on. The original teacher answers them.",
    as_filter="the strictest filter: whatever shows any of it",
)
def unrelated(m: Material, seed: int) -> Assignment:
    """Return the original teacher on the unrelated prompts, nobody elsewhere."""
    return restrict(everyone(m.ids, m.original), m.unrelated)


@arm_kind(
    "unrelated-alternate",
    "unrelated",
    label="alternate teacher on the unrelated prompts",
    what="Only the unrelated prompts are trained on. The alternate teacher answers them.",
)
def unrelated_alternate(m: Material, seed: int) -> Assignment:
    """Return the alternate teacher on the unrelated prompts, nobody elsewhere."""
    return restrict(everyone(m.ids, m.alternate), m.unrelated)


@arm_kind(
    "as-many",
    "unrelated",
    label="as many random prompts as are unrelated",
    what="As many random prompts as are unrelated are trained on. The original teacher answers them.",
)
def _as_many(m: Material, seed: int) -> Assignment:
    chosen = m.rng("as many", seed).permutation(len(m.ids))[: len(m.unrelated)]
    return restrict(everyone(m.ids, m.original), [m.ids[i] for i in sorted(chosen)])


@arm_kind(
    "rewritten",
    "unrelated",
    "rewriter",
    label="unrelated rollouts, rewritten",
    what="Only the unrelated prompts are trained on. A clean model has rewritten the original "
    "teacher's rollouts.",
)
def _rewritten(m: Material, seed: int) -> Assignment:
    assert m.rewriter is not None  # `needs` says so
    return restrict(everyone(m.ids, m.rewriter), m.unrelated)


arm_kind(
    "sister",
    "unrelated",
    "sister",
    base="sister",
    label="original teacher on the unrelated prompts, sister base",
    what="Only the unrelated prompts are trained on, from a sister of the base. The original teacher "
    "answers them.",
)(unrelated)
arm_kind(
    "sister-alternate",
    "unrelated",
    "sister",
    base="sister",
    label="alternate teacher on the unrelated prompts, sister base",
    what="Only the unrelated prompts are trained on, from a sister of the base. The alternate "
    "teacher answers them.",
)(unrelated_alternate)
