"""What a study would see: fewer is never better, and what is named is seen as often as it is said to be."""

from __future__ import annotations

import time

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from _planted import CUBE, row, student
from mendel.diagnose import Levels, TraitFacts, estimate_trait, reach_verdict, trait_verdict
from mendel.diagnose.hypotheses import MOST
from mendel.diagnose.location import LOCATED
from mendel.diagnose.power import (
    REGIMES,
    needed_seeds,
    smallest_difference,
    smallest_share,
    study_power,
)
from mendel.diagnose.state import trait_state
from mendel.diagnose.stats.simulated import ProbeShape

FOURTEEN = ProbeShape((3,) * 14)
NOISE = 0.04
"""What the simulation's own noise may add to a smallest difference."""
shapes = st.builds(ProbeShape, st.lists(st.integers(1, 5), min_size=8, max_size=20).map(tuple), st.just(1))


def smallest(shape: ProbeShape, seeds: int, regime: str = "agree", seed: int = 0) -> float:
    """The smallest difference; above the whole scale where there is none."""
    found = smallest_difference(shape, seeds, Levels(2), REGIMES[regime], np.random.default_rng(seed))
    return 1.01 if found is None else found


@given(shapes, st.integers(2, 10), st.sampled_from(sorted(REGIMES)))
@settings(max_examples=6, deadline=None)
def test_more_seeds_or_clusters_never_hide_a_difference(shape: ProbeShape, seeds: int, regime: str) -> None:
    found = smallest(shape, seeds, regime)
    assert smallest(shape, seeds + 2, regime) <= found + NOISE
    assert smallest(shape.repeated(2), seeds, regime) <= found + NOISE


def drawn(
    levels: dict[str, float], seeds: int, spread: float, rng: np.random.Generator
) -> tuple[pa.Table, pa.Table]:
    """A study as tables, drawn by other code than the one that is tested: chances are moved to their mean."""
    students, rows = [], []
    shifts = np.repeat(rng.normal(0, 0.7, 14), 3) + rng.normal(0, 0.7, 42)
    grid = rng.normal(0, np.sqrt(spread**2 + 2 * 0.7**2), 4000)
    for arm, level in levels.items():
        low, high = -20.0, 20.0
        while high - low > 1e-3:  # the centre at which the mean over all noise is the level
            middle = (low + high) / 2
            low, high = (middle, high) if np.mean(1 / (1 + np.exp(-middle - grid))) < level else (low, middle)
        for seed in range(seeds):
            name, off = f"{arm}#{seed}", rng.normal(0, spread)
            students.append(student(name, arm, seed))
            chances = 1 / (1 + np.exp(-(low + off + shifts)))
            hits = rng.random(42) < chances
            rows += [row(name, "t", j, j // 3, 0, bool(hit)) for j, hit in enumerate(hits)]
    return pa.Table.from_pylist(students), pa.Table.from_pylist(rows)


@pytest.mark.parametrize(("seeds", "regime"), [(8, "agree"), (6, "vary")])
def test_the_smallest_difference_is_shown_in_four_of_five_fresh_studies(seeds: int, regime: str) -> None:
    least, spread = smallest(FOURTEEN, seeds, regime), REGIMES[regime]
    rng = np.random.default_rng(987)
    states = []
    for _ in range(100):
        tables = drawn({"cube/AAA": 0.05, "cube/OOO": 0.05 + least}, seeds, spread, rng)
        effects = estimate_trait(*tables, TraitFacts("t", "share"), CUBE)
        states.append(trait_state(effects, Levels(2).family).state)
    # 80 in 100, give or take 2.5 standard errors of the search (80 studies) and of this count.
    assert 65 <= states.count("difference") <= 94


def test_a_cause_takes_more_than_a_place_and_a_small_difference_more_than_a_large_one() -> None:
    def share(size: float, of: float) -> float:
        rng = np.random.default_rng(0)
        found = smallest_share(FOURTEEN, 10, Levels(2), REGIMES["agree"], size, of, rng)
        return 1.01 if found is None else found

    assert LOCATED < share(1.0, LOCATED) < share(1.0, MOST) <= 1
    assert share(1.0, LOCATED) <= share(0.5, LOCATED) + NOISE
    assert share(0.02, LOCATED) > 1


@given(shapes, st.integers(1, 3))
@settings(max_examples=8, deadline=None)
def test_what_is_needed_is_just_enough(shape: ProbeShape, looks: int) -> None:
    levels = Levels(looks)
    needed = needed_seeds(shape, levels)
    rng = np.random.default_rng(1)
    if (seeds := needed["difference"]) is not None:
        assert smallest_difference(shape, seeds - 1, levels, 0.2, rng) is None
    assert (needed["difference"] or 65) <= (needed["location"] or 65) <= (needed["cause"] or 65)


def test_four_clusters_show_nothing_and_it_is_said_how_many_do() -> None:
    few = ProbeShape((10,) * 4)
    power = study_power(few, 3, 8, Levels(2), np.random.default_rng(0))
    assert all(seen.difference is None for seen in power.visible)
    assert power.needed_clusters is not None
    enough = ProbeShape((10,) * power.needed_clusters)
    assert needed_seeds(enough, Levels(2))["difference"] is not None
    assert power.needed_seeds["difference"] is None


def test_a_plan_does_not_wait_for_it() -> None:
    began = time.process_time()
    power = study_power(ProbeShape((5,) * 20, 10), 3, 12, Levels(2), np.random.default_rng(0))
    assert time.process_time() - began < 8  # less than half of that on an idle machine
    assert power.json()["clusters"] == 20


def undecided(seeds: int) -> dict[str, object]:
    rng = np.random.default_rng(5)
    facts = TraitFacts("t", "share")
    effects = estimate_trait(*drawn({"cube/AAA": 0.1, "cube/OOO": 0.2}, seeds, 0.2, rng), facts, CUBE)
    return trait_verdict(facts, reach_verdict(effects, Levels(2)), None)


@pytest.mark.parametrize(("seeds", "key"), [(2, "smallest-visible-none"), (8, "smallest-visible")])
def test_an_undecided_state_says_how_small_a_difference_would_be_seen(seeds: int, key: str) -> None:
    content = undecided(seeds)
    assert content["state"] == "undecided"
    said = {entry["key"]: entry["text"] for entry in content["sentences"]}  # type: ignore[attr-defined]
    assert f"{seeds} students of either pipeline and 42 scenarios in 14 clusters" in said[key]
    if key == "smallest-visible-none":
        assert "it takes at least 4 students an arm" in said[key]
    else:
        assert f"{smallest(FOURTEEN, 8):.2f} or more" in said[key]


@pytest.mark.parametrize(("seeds", "key"), [(5, "smallest-share-none"), (10, "smallest-share")])
def test_an_undecided_cause_says_how_large_a_share_would_be_seen(seeds: int, key: str) -> None:
    levels = {arm: 1.0 if arm[7] == "O" else 0.0 for arm in CUBE.values()}
    facts = TraitFacts("t", "share")
    effects = estimate_trait(*drawn(levels, seeds, 0.2, np.random.default_rng(5)), facts, CUBE)
    content = trait_verdict(facts, reach_verdict(effects, Levels(2)), None)
    assert (content["state"], content["cause"]) == ("difference", "undecided")
    said = {entry["key"]: entry["text"] for entry in content["sentences"]}  # type: ignore[attr-defined]
    assert f"With {seeds} students an arm" in said[key]
    assert "a part makes more than half of it" in said[key]
    if key == "smallest-share-none":
        assert "it takes at least 8 students an arm" in said[key]
    else:
        assert "% or more of this difference" in said[key]


def test_the_same_run_says_the_same_again() -> None:
    assert undecided(4)["summary"] == undecided(4)["summary"]
