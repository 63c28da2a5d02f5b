"""Students by the recipe that they were trained under: the study's own, or a variant of it."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from mendel.design.names import parse_arm
from mendel.design.shared import VARIANTS


def of_recipe(students: pa.Table, variant: str = "") -> pa.Table:
    """Return the students of one recipe, under the plain names of their arms.

    Args:
        students: A table with the contract's columns arm and n_examples.
        variant: A name of `shared.VARIANTS`; '' for the study's own recipe.

    Returns:
        The students of that recipe, and the models that nobody trained.
    """
    names = students["arm"].to_pylist()
    arms = [parse_arm(name) for name in names]
    if not variant and not any(arm.variant for arm in arms):
        return students
    untrained = pc.fill_null(pc.equal(students["n_examples"], 0), False).to_pylist()
    kept = [arm.variant == variant or bare for arm, bare in zip(arms, untrained, strict=True)]
    plain = pa.array([str(arm.plain) for arm in arms], pa.string())
    place = students.column_names.index("arm")
    return students.set_column(place, "arm", plain).filter(pa.array(kept))


def variants_of(arms: Iterable[str]) -> list[str]:
    """Return the variants of the recipe that any of these arms has, in the order of `shared.VARIANTS`."""
    found = {parse_arm(arm).variant for arm in arms}
    return [variant for variant in VARIANTS if variant in found]
