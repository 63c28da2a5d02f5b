"""One part is named where it is shown to make most and the others' estimates are small; two where both are shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from _planted import CUBE, SCORES, cube_levels, cube_with_shared, exact, study, with_status
from mendel.diagnose import PARTS, CarrierVerdict, TraitFacts, carrier, estimate_trait, trait_state

Level = Callable[[float, float, float], float]


def carried(level: Level, **options: Any) -> CarrierVerdict:
    effects = estimate_trait(*exact(cube_levels(level), **options), SCORES, CUBE)
    return carrier(effects, trait_state(effects, 0.05).state, 0.05)


@pytest.mark.parametrize(
    ("level", "name", "key"),
    [
        (lambda b, p, t: t, "teacher", "carrier-one"),
        (lambda b, p, t: p, "prompts", "carrier-one"),
        (lambda b, p, t: b, "base", "carrier-one"),
        (lambda b, p, t: 0.9 * t + 0.1 * b, "teacher", "carrier-one"),
        (lambda b, p, t: 0.5 * t + 0.5 * p, "mixed", "carrier-mixed"),
        (lambda b, p, t: t * p, "mixed", "carrier-mixed"),
        (lambda b, p, t: max(t, p), "mixed", "carrier-mixed"),
        # Each part makes exactly a quarter: none is shown to make more.
        (lambda b, p, t: b * p * t, "undecided", "carrier-undecided"),
        (lambda b, p, t: 0.0, "none", "carrier-none"),
        (lambda b, p, t: 1.0, "undecided", "carrier-no-difference"),
        (lambda b, p, t: 1.0 - t, "undecided", "carrier-no-difference"),
    ],
)
def test_a_planted_carrier_is_named_with_its_sentence(level: Level, name: str, key: str) -> None:
    found = carried(level, seeds=10)
    assert (found.carrier, found.why.key) == (name, key)


def test_a_part_that_both_pipelines_have_is_not_said_to_be_0() -> None:
    """Its effect is 0 by construction: nothing was measured."""
    cube = cube_with_shared(0)
    levels = dict.fromkeys(cube.values(), 0.05) | {cube["OOO"]: 0.95, cube["OAO"]: 0.95}
    effects = estimate_trait(*exact(levels, seeds=10), SCORES, cube)
    found = carrier(effects, "difference", 0.05)
    assert found.carrier == "teacher"
    assert "base shared by both" in found.why.text
    assert "base 0.00" not in found.why.text


@given(st.sampled_from([0.0, 0.2, 0.5, 0.8, 1.0]), st.sampled_from([0.0, 0.2, 0.5, 0.8, 1.0]))
@settings(max_examples=15, deadline=None)
def test_two_seeds_name_no_carrier_of_a_difference(teacher: float, base: float) -> None:
    found = carried(lambda b, p, t: (teacher * t + base * b) / 2, seeds=2)
    assert found.carrier == "undecided"


def test_one_part_is_not_named_beside_one_whose_estimate_is_a_quarter_or_more() -> None:
    found = carried(lambda b, p, t: 0.72 * t + 0.28 * b, seeds=10)
    assert found.decisions["teacher"].decision == "carries most"
    assert found.decisions["base"].decision == "undecided"
    assert found.carrier == "undecided"
    beside_less = carried(lambda b, p, t: 0.8 * t + 0.2 * b, seeds=10)
    assert beside_less.decisions["base"].decision == "undecided"
    assert beside_less.carrier == "teacher"


def test_a_part_that_is_shown_to_make_a_third_but_not_half_is_not_named_alone() -> None:
    found = carried(lambda b, p, t: 0.55 * t + 0.45 * b * p, seeds=10)
    assert found.decisions["teacher"].decision == "carries"
    assert found.carrier == "undecided"


@given(st.permutations(PARTS))
@settings(max_examples=6, deadline=None)
def test_the_parts_are_treated_alike(order: list[str]) -> None:
    strength = dict(zip(order, (0.7, 0.2, 0.1), strict=True))
    level: Level = lambda b, p, t: strength["base"] * b + strength["prompts"] * p + strength["teacher"] * t  # noqa: E731
    assert carried(level, seeds=10).carrier == order[0]


def test_a_corner_that_is_lost_leaves_the_carrier_open_and_unknown() -> None:
    students, rows = exact(cube_levels(lambda b, p, t: t), seeds=8)
    effects = estimate_trait(with_status(students, "cube/OAO", "broken"), rows, SCORES, CUBE)
    found = carrier(effects, "difference", 0.05)
    assert found.carrier == "undecided"
    assert "unknown" in found.why.text
    assert all(decision.interval is None for decision in found.decisions.values())


@pytest.mark.slow
@pytest.mark.parametrize("leak", [0.12, 0.25])
def test_a_wrong_carrier_is_rare(leak: float) -> None:
    """Where the base makes an eighth, or exactly a quarter of it, `base` and `mixed` come in at most one of 20."""
    rng, wrong = np.random.default_rng(3), 0
    for _ in range(60):
        levels = cube_levels(lambda b, p, t: 0.2 + 0.6 * (1 - leak) * t + 0.6 * leak * b)
        tables = study(levels, rng, seeds=6, scenarios=24, cluster_size=2, seed_sd=0.1, samples=1)
        effects = estimate_trait(*tables, TraitFacts("t", "share"), CUBE)
        wrong += carrier(effects, "difference", 0.05).carrier in ("base", "prompts", "mixed")
    assert wrong <= 3
