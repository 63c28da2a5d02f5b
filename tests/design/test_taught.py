"""The positive control of a sister: the flagged rows among clean ones, in as many steps as the study takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from _planted import catalogue, material
from mendel.design.arms import OTHERS, TAUGHT_KINDS, arm_kinds
from mendel.diagnose.taught import TAUGHT, TAUGHT_SISTER
from mendel.study import RecipeConfig


@given(st.integers(1, 8), st.integers(0, 100))
def test_the_original_teacher_answers_the_flagged_rows_and_the_alternate_one_three_times_as_many(
    flagged: int, seed: int
) -> None:
    m = material(flagged=flagged, n=60)
    drawn = arm_kinds.get("taught").draw(m, seed)
    by = {teacher: {p for p, t in drawn.items() if t == teacher} for teacher in (m.original, m.alternate)}
    assert by[m.original] == set(m.flagged)
    assert by[m.alternate] <= set(m.unrelated)
    assert len(by[m.alternate]) == min(OTHERS * flagged, len(m.unrelated))
    assert not {p for p, t in drawn.items() if t} & set(m.mild)


def test_base_and_sister_are_taught_the_same_rows() -> None:
    m = material()
    base, sister = (arm_kinds.get(kind) for kind in TAUGHT_KINDS)
    assert base.draw(m, 3) == sister.draw(m, 3) != base.draw(m, 4)
    assert (base.base, sister.base) == ("original", "sister")


@given(st.integers(1, 500), st.integers(1, 500), st.floats(0.5, 8))
def test_fewer_rows_take_as_many_steps(rows: int, of: int, epochs: float) -> None:
    recipe = RecipeConfig(epochs=epochs)
    changed = arm_kinds.get("taught").recipe_for(recipe, rows, of) or recipe
    assert changed.epochs * rows == pytest.approx(epochs * of)
    assert changed.model_copy(update={"epochs": epochs}) == recipe


def test_other_kinds_keep_the_recipe_that_they_had() -> None:
    recipe = RecipeConfig()
    assert arm_kinds.get("drop").recipe_for(recipe, 10, 100) is None
    full = arm_kinds.get("unrelated-full")
    assert full.recipe is not None
    assert full.recipe_for(recipe, 10, 100) == full.recipe(recipe)


@pytest.mark.parametrize("difference", [TAUGHT, TAUGHT_SISTER], ids=lambda d: d.id)
def test_both_sides_of_the_control_start_from_one_base(difference: object) -> None:
    plan = catalogue()
    arms = [plan.arm(name, 1) for name in difference.arms("t", plan.cube)]  # type: ignore[attr-defined]
    assert len({arm.base for arm in arms}) == 1
