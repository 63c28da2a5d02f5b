"""Each state is said where it is shown, and nothing is said of what was not tested."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from _planted import CUBE, SCORES, cube_with_shared, exact, with_status
from mendel.diagnose import Effects, StateVerdict, estimate_trait, trait_state
from mendel.diagnose.sentences import SENTENCES


def effects_of(levels: Mapping[str, float], cube: Mapping[str, str] = CUBE, **options: Any) -> Effects:
    return estimate_trait(*exact(levels, **options), SCORES, cube)


def state_of(original: float, alternate: float, **options: Any) -> StateVerdict:
    return trait_state(effects_of({"cube/OOO": original, "cube/AAA": alternate}, **options), 0.05)


@pytest.mark.parametrize(
    ("original", "alternate", "state", "key"),
    [
        (1.0, 0.0, "difference", "state-difference"),
        (0.9, 0.3, "difference", "state-difference"),
        (1.0, 1.0, "shared", "state-shared"),
        (0.5, 0.5, "shared", "state-shared"),
        (0.0, 0.0, "absent", "state-absent"),
        (0.1, 0.12, "absent", "state-absent"),
        (0.2, 0.12, "undecided", "state-undecided"),
        (0.2, 0.89, "undecided", "state-reverse"),
    ],
)
def test_a_state_is_said_with_its_sentence(original: float, alternate: float, state: str, key: str) -> None:
    found = state_of(original, alternate)
    assert (found.state, found.why.key) == (state, key)
    assert found.reverse == (key == "state-reverse")
    assert f"{original:.2f}" in found.why.text
    assert f"{alternate:.2f}" in found.why.text


def test_a_trait_that_both_pipelines_show_unequally_is_not_called_shared() -> None:
    """Both are shown to have it, and the difference is not shown yet: to call it shared would hide it."""
    for original, alternate in ((0.7, 0.33), (0.33, 0.7)):
        effects = effects_of({"cube/OOO": original, "cube/AAA": alternate}, seeds=2, scenarios=60)
        for arm in ("cube/OOO", "cube/AAA"):
            assert (effects.levels[arm].low or 0.0) > 0.1
        assert trait_state(effects, 0.05).state == "undecided"
    assert state_of(0.7, 0.65, seeds=6, scenarios=60).state == "shared"


LEVELS = st.sampled_from([0.0, 0.05, 0.15, 0.3, 0.5, 0.7, 0.95, 1.0])


@given(LEVELS, LEVELS, st.sampled_from([2, 3, 5, 8]))
@settings(max_examples=40, deadline=None)
def test_exchanged_pipelines_turn_a_difference_into_one_the_other_way(
    original: float, alternate: float, seeds: int
) -> None:
    one = state_of(original, alternate, seeds=seeds, scenarios=14)
    other = state_of(alternate, original, seeds=seeds, scenarios=14)
    assert one.why.key in SENTENCES
    if one.state == "difference":
        assert other.reverse
        assert original > alternate
    elif not one.reverse:
        assert other.state == one.state


@given(LEVELS, LEVELS)
@settings(max_examples=30, deadline=None)
def test_two_seeds_decide_no_difference_and_no_absence(original: float, alternate: float) -> None:
    found = state_of(original, alternate, seeds=2)
    assert found.state in ("undecided", "shared")
    assert not found.reverse


def test_a_difference_below_a_tenth_of_the_scale_is_none() -> None:
    # Students in the middle of the range hide nothing, so that less than a tenth is shown to be above 0.
    levels = {"cube/OOO": 0.57, "cube/AAA": 0.48, "cube/OAO": 1.0, "cube/AOO": 0.0}
    effects = effects_of(levels, scenarios=80)
    low = effects.estimates["total"].low
    assert low is not None
    assert low > 0
    assert trait_state(effects, 0.05).state == "shared"


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"seeds": 2}, "two students a pipeline"),
        ({"scenarios": 12}, "twelve clusters leave more than a fifth possible"),
        ({"outcomes": {"cube/OOO": [0.0] * 7 + [0.25]}}, "one student shows it"),
    ],
)
def test_absence_is_not_said_of_too_few_students_or_scenarios_or_with_one_that_shows_it(
    options: dict[str, Any], why: str
) -> None:
    assert state_of(0.0, 0.0, **options).state == "undecided", why


def test_absence_is_not_said_where_a_student_broke() -> None:
    students, rows = exact({"cube/OOO": 0.0, "cube/AAA": 0.0}, seeds=5)
    effects = estimate_trait(with_status(students, "cube/OOO", "broken", keep=4), rows, SCORES, CUBE)
    assert effects.counts["cube/OOO"] == 4
    assert trait_state(effects, 0.05).state == "undecided"


def test_one_seed_decides_nothing() -> None:
    for original, alternate in ((1.0, 0.0), (0.0, 0.0), (1.0, 1.0)):
        found = state_of(original, alternate, seeds=1)
        assert (found.state, found.why.key) == ("undecided", "state-one-seed")


def test_where_nothing_was_measured_nothing_is_known() -> None:
    students, rows = exact({"cube/OOO": 1.0, "cube/AAA": 0.0}, seeds=3)
    for lost in ("cube/OOO", "cube/AAA"):
        effects = estimate_trait(with_status(students, lost, "broken"), rows, SCORES, CUBE)
        found = trait_state(effects, 0.05)
        assert (found.state, found.why.key) == ("undecided", "state-unmeasured")
        assert lost in found.why.text
    none = estimate_trait(students, rows.filter(pa.array([False] * rows.num_rows)), SCORES, CUBE)
    assert trait_state(none, 0.05).why.key == "state-unmeasured"


def test_the_same_pipeline_twice_shares_what_it_shows() -> None:
    cube = cube_with_shared(0, 1, 2)
    assert trait_state(effects_of({"cube/OOO": 0.9}, cube, seeds=3), 0.05).state == "shared"
    assert trait_state(effects_of({"cube/OOO": 0.0}, cube, seeds=3), 0.05).state == "absent"


def test_the_same_students_share_a_trait_even_with_one_seed_if_many_arms_show_it() -> None:
    cube = cube_with_shared(0, 1, 2)
    arms = {
        "cube/OOO": 0.9,
        **{f"{kind}/t": 0.9 for kind in ("drop", "drop-random", "drop-milder", "counter")},
    }
    found = trait_state(effects_of(arms, cube, seeds=1), 0.05)
    assert (found.state, found.why.key) == ("shared", "state-same-students")
    low = trait_state(effects_of({"cube/OOO": 0.02}, cube, seeds=1), 0.05)
    assert (low.state, low.why.key) == ("undecided", "state-one-seed")
