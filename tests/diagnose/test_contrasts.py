from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from _planted import CUBE, EDITS, cube_levels, cube_with_shared
from mendel.diagnose import PARTS
from mendel.diagnose.contrasts import (
    INTERACTION,
    cube_contrasts,
    edit_contrasts,
    effect_weights,
    interaction_weights,
    total_weights,
)
from mendel.study.cube import CORNERS, shared_parts

levels_of_corners = st.lists(st.floats(-5, 5), min_size=8, max_size=8).map(
    lambda v: dict(zip(CUBE.values(), v, strict=True))
)


def apply(weights, levels):
    return sum(weight * levels[arm] for arm, weight in weights.items())


@given(levels_of_corners)
def test_label_swap_flips_main_effects_and_keeps_two_way_effects(levels):
    flipped = {f"cube/{c}": levels["cube/" + c.translate(str.maketrans("OA", "AO"))] for c in CORNERS}
    for part in PARTS:
        assert apply(effect_weights(CUBE, part), flipped) == pytest.approx(
            -apply(effect_weights(CUBE, part), levels), abs=1e-9
        )
    for pair in combinations(PARTS, 2):
        assert apply(effect_weights(CUBE, *pair), flipped) == pytest.approx(
            apply(effect_weights(CUBE, *pair), levels), abs=1e-9
        )
    assert apply(total_weights(CUBE), flipped) == pytest.approx(-apply(total_weights(CUBE), levels), abs=1e-9)


@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(-1, 1), st.floats(-1, 1))
def test_additive_cube_has_its_effects_and_no_interaction(base, prompts, teacher, start):
    levels = cube_levels(lambda b, p, t: start + base * b + prompts * p + teacher * t)
    for part, truth in zip(PARTS, (base, prompts, teacher), strict=True):
        assert apply(effect_weights(CUBE, part), levels) == pytest.approx(truth, abs=1e-9)
    assert apply(interaction_weights(CUBE), levels) == pytest.approx(0, abs=1e-9)
    assert apply(total_weights(CUBE), levels) == pytest.approx(base + prompts + teacher, abs=1e-9)


@given(levels_of_corners, st.floats(-3, 3))
def test_a_constant_moves_no_contrast(levels, constant):
    for contrast in cube_contrasts(CUBE):
        moved = {arm: level + constant for arm, level in levels.items()}
        assert apply(contrast.weights, moved) == pytest.approx(apply(contrast.weights, levels), abs=1e-9)


@pytest.mark.parametrize(
    ("level", "interaction", "two_way"),
    [
        (lambda b, p, t: p * t, 1.0, 1.0),
        (lambda b, p, t: max(p, t), -1.0, -1.0),
        (lambda b, p, t: b * p * t, 2.0, 0.5),
        (lambda b, p, t: max(b, p, t), -1.0, -0.5),
    ],
    ids=["and", "or", "and of three", "or of three"],
)
def test_interaction_is_above_0_for_and_below_0_for_or(level, interaction, two_way):
    levels = cube_levels(level)
    assert apply(interaction_weights(CUBE), levels) == pytest.approx(interaction)
    assert apply(effect_weights(CUBE, "prompts", "teacher"), levels) == pytest.approx(two_way)


@given(levels_of_corners)
def test_interaction_is_the_sum_of_two_way_effects_where_there_is_no_three_way_one(levels):
    sign = {c: (-1) ** c.count("A") for c in CORNERS}
    three_way = sum(sign[c] * levels[CUBE[c]] for c in CORNERS) / 8
    plain = {CUBE[c]: levels[CUBE[c]] - sign[c] * three_way for c in CORNERS}
    summed = sum(apply(effect_weights(CUBE, *pair), plain) for pair in combinations(PARTS, 2))
    assert apply(interaction_weights(CUBE), plain) == pytest.approx(summed, abs=1e-9)


@pytest.mark.parametrize("positions", [(0,), (1,), (2,), (0, 1), (0, 1, 2)])
def test_a_shared_part_has_no_weights_and_says_so(positions):
    cube = cube_with_shared(*positions)
    shared = {PARTS[i] for i in positions}
    assert set(shared_parts(cube)) == shared
    for contrast in cube_contrasts(cube):
        named = set(contrast.id.split(":")) & set(PARTS)
        if named & shared:
            assert contrast.weights == {}
            assert "share" in contrast.reads
        elif named:
            assert bool(contrast.weights) == (len(named) == 1 or not (named & shared))
    if len(positions) > 1:
        assert interaction_weights(cube) == {}


@given(levels_of_corners)
def test_with_a_shared_base_the_interaction_is_that_of_prompts_and_teacher(levels):
    cube = cube_with_shared(0)
    known = {arm: levels[arm] for arm in cube.values()}
    assert apply(interaction_weights(cube), known) == pytest.approx(
        apply(effect_weights(cube, "prompts", "teacher"), known), abs=1e-9
    )


def test_edits_compare_what_they_say():
    arms = [*CUBE.values(), *(f"{edit}/t" for edit in EDITS)]
    level = dict.fromkeys(arms, 0.0) | {
        "cube/OOO": 0.9,
        "cube/OOA": 0.1,
        "drop/t": 0.8,
        "drop-random/t": 0.85,
        "swap/t": 0.2,
        "swap-random/t": 0.84,
        "only/t": 0.7,
        "only-random/t": 0.15,
    }
    found = {c.id: apply(c.weights, level) for c in edit_contrasts("t", CUBE, arms)}
    assert found == pytest.approx(
        {
            "t/drop": 0.1, "t/drop-random": 0.05, "t/swap": 0.7, "t/swap-random": 0.06, "t/drop-beyond-random": 0.05, "t/swap-beyond-random": 0.64,
            "t/swap-beyond-drop": 0.6, "t/sufficient": 0.6, "t/sufficient-random": 0.05, "t/sufficient-beyond-random": 0.55,
        }
    )  # fmt: skip


def test_an_edit_without_its_arm_in_the_study_is_left_out():
    found = [c.id for c in edit_contrasts("t", CUBE, [*CUBE.values(), "drop/t", "swap/other"])]
    assert found == ["t/drop"]


def test_ids_are_unique_and_weights_sum_to_0():
    contrasts = [
        *cube_contrasts(CUBE),
        *edit_contrasts("t", CUBE, [*CUBE.values(), *(f"{e}/t" for e in EDITS)]),
    ]
    assert len({c.id for c in contrasts}) == len(contrasts)
    assert INTERACTION in {c.id for c in contrasts}
    for contrast in contrasts:
        assert sum(contrast.weights.values()) == pytest.approx(0)
        assert set(contrast.weights) <= set(contrast.involved)
