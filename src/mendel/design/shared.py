"""The kinds of arms that serve all traits: the cube, the interpolation, and models as they are before any
training; and the variants of arms, the same data under another recipe.
"""

from __future__ import annotations

CUBE, MIX, BASE, TEACHER, PREFILL = "cube", "mix", "base", "teacher", "prefill"
SHARED_KINDS = (CUBE, MIX, BASE, TEACHER, PREFILL)
"""No arm kind of a trait may be registered under one of these names."""
SISTER_PREFIX = "sister-"
"""Before the side in the name of a prefilled sister's arm."""


def sister_prefill_arm(side: str) -> str:
    """Return the name of the base's sister that is made to begin as that side's teacher does.

    Args:
        side: `original` or `alternate`.
    """
    return f"{PREFILL}/{SISTER_PREFIX}{side}"


THIRD, TRIPLE, METHOD = "third", "triple", "method"
VARIANTS = (THIRD, TRIPLE, METHOD)
"""Recipes under which decisive arms are repeated: a third of the study's learning rate, three times of it,
the other method. An arm's variant stands behind its kind: `mild~third/TRAIT`, `cube~third/OOO`."""
MARK = "~"


def split_variant(kind: str) -> tuple[str, str]:
    """Return an arm's kind without its variant, and the variant; '' where it has none."""
    plain, mark, variant = kind.rpartition(MARK)
    return (plain, variant) if mark and plain and variant in VARIANTS else (kind, "")
