from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mendel.measure.agreement import Agreement, agreement

HIT = st.sampled_from([0.0, 1.0])
HITS = st.lists(st.tuples(HIT, HIT), min_size=1, max_size=30)
SCORES = st.lists(st.tuples(st.integers(0, 10), st.integers(0, 10)), min_size=1, max_size=30)


def rated(pairs: list[tuple[float, float]], size: int = 1, hit_at: float = 0.5, seed: int = 0) -> Agreement:
    """The agreement of pairs of scores, in clusters of `size`."""
    one, other = ([float(pair[i]) for pair in pairs] for i in (0, 1))
    return agreement(one, other, [str(i // size) for i in range(len(pairs))], hit_at, seed)


def table(no: int, only_other: int, only_one: int, yes: int) -> list[tuple[float, float]]:
    return [(0.0, 0.0)] * no + [(0.0, 1.0)] * only_other + [(1.0, 0.0)] * only_one + [(1.0, 1.0)] * yes


def same(one: float | None, other: float | None) -> bool:
    return one is other is None or (
        one is not None and other is not None and math.isclose(one, other, abs_tol=1e-9)
    )


def test_kappa_is_cohens() -> None:
    # A. Viera and J. Garrett, Fam. Med. 37 (2005), table 2: kappa 0.68 of 15, 5, 10 and 70.
    found = rated(table(70, 10, 5, 15))
    assert found.table == ((70, 10), (5, 15))
    assert found.agree == 0.85
    chance = 0.2 * 0.25 + 0.8 * 0.75
    assert found.hits.estimate == pytest.approx((0.85 - chance) / (1 - chance))
    assert found.scores is None, "two scores: the hits say it all"


@given(SCORES)
def test_weighted_kappa_is_that_of_the_table_with_squared_weights(pairs: list[tuple[int, int]]) -> None:
    found = rated(pairs, hit_at=5)
    if found.scores is None or found.scores.estimate is None:
        return
    counts = np.zeros((11, 11))
    for i, j in pairs:
        counts[i, j] += 1
    expected = np.outer(counts.sum(1), counts.sum(0)) / len(pairs)
    weights = np.subtract.outer(np.arange(11), np.arange(11)) ** 2
    assert found.scores.estimate == pytest.approx(1 - (weights * counts).sum() / (weights * expected).sum())


@given(SCORES)
def test_who_is_first_does_not_matter(pairs: list[tuple[int, int]]) -> None:
    found, turned = rated(pairs, hit_at=5), rated([(b, a) for a, b in pairs], hit_at=5)
    assert found.agree == turned.agree
    assert found.table == tuple(zip(*turned.table, strict=True))
    assert same(found.hits.estimate, turned.hits.estimate)
    assert (found.scores is None) == (turned.scores is None)
    if found.scores and turned.scores:
        assert same(found.scores.estimate, turned.scores.estimate)


@given(HITS)
def test_what_is_called_a_hit_does_not_matter(pairs: list[tuple[float, float]]) -> None:
    found, swapped = rated(pairs), rated([(1 - a, 1 - b) for a, b in pairs])
    assert same(found.hits.estimate, swapped.hits.estimate)
    assert found.agree == swapped.agree


@given(SCORES, st.floats(0.1, 10), st.floats(-100, 100))
def test_the_scales_unit_does_not_matter(pairs: list[tuple[int, int]], unit: float, zero: float) -> None:
    found = rated(pairs, hit_at=5)
    moved = rated([(a * unit + zero, b * unit + zero) for a, b in pairs], hit_at=5 * unit + zero)
    if found.scores and moved.scores:
        assert same(found.scores.estimate, moved.scores.estimate)


@given(HITS)
def test_kappa_is_one_only_of_equal_raters(pairs: list[tuple[float, float]]) -> None:
    value = rated(pairs).hits.estimate
    assert value is None or (value == pytest.approx(1)) == all(a == b for a, b in pairs)


@given(st.integers(0, 10_000), st.floats(0.2, 0.8), st.floats(0.2, 0.8))
def test_independent_raters_are_near_chance(seed: int, first: float, second: float) -> None:
    rng = np.random.default_rng(seed)
    pairs = list(zip(rng.random(2000) < first, rng.random(2000) < second, strict=True))
    # In few clusters, so that no interval is drawn.
    value = rated([(float(a), float(b)) for a, b in pairs], size=1000).hits.estimate
    assert value is not None
    assert abs(value) < 0.12


@given(HITS, st.integers(1, 4))
def test_the_interval_holds_the_estimate_and_has_a_width(pairs: list[tuple[float, float]], size: int) -> None:
    hits = rated(pairs, size).hits
    if hits.low is not None and hits.high is not None and hits.estimate is not None:
        assert hits.low <= hits.estimate <= hits.high <= 1
        assert hits.high - hits.low > 0.01


def test_perfect_agreement_of_few_is_not_certain() -> None:
    few, many = rated(table(15, 0, 0, 5)).hits, rated(table(150, 0, 0, 50)).hits
    assert few.high == many.high == 1
    assert few.low is not None
    assert many.low is not None
    assert few.low < 0.8 < 0.9 < many.low < 1


def test_clusters_widen_the_interval() -> None:
    pairs = [pair for pair in table(6, 2, 2, 6) for _ in range(5)]
    apart, alike = rated(pairs).hits, rated(pairs, 5).hits
    assert apart.estimate == alike.estimate
    assert apart.high is not None
    assert apart.low is not None
    assert alike.high is not None
    assert alike.low is not None
    assert alike.high - alike.low > 1.5 * (apart.high - apart.low)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=8, max_size=20), st.randoms())
def test_neither_the_order_nor_the_clusters_names_matter(pairs: list[tuple[int, int]], rng: object) -> None:
    rows = [(a, b, f"c{i // 2}") for i, (a, b) in enumerate(pairs)]
    mixed = [(a, b, f"other {c}"[::-1]) for a, b, c in rows]
    rng.shuffle(mixed)  # type: ignore[attr-defined]
    found, again = (
        agreement([r[0] for r in of], [r[1] for r in of], [r[2] for r in of], 2.0) for of in (rows, mixed)
    )
    assert same(found.hits.estimate, again.hits.estimate)
    assert same(found.hits.low, again.hits.low)
    assert same(found.hits.high, again.hits.high)


def test_the_seed_moves_an_interval_little() -> None:
    pairs = table(40, 8, 6, 20)
    lows = [rated(pairs, seed=seed).hits.low for seed in range(5)]
    assert len(set(lows)) == 5
    assert max(low for low in lows if low) - min(low for low in lows if low) < 0.03


def test_scores_that_nobody_gave_are_left_out_and_counted() -> None:
    found = agreement([1.0, None, 0.0, None], [1.0, 0.0, 0.0, None], ["a", "b", "c", "d"], 0.5)
    assert (found.n, found.unjudged) == (2, 2)
    assert found.table == ((1, 0), (0, 1))
    assert found.hits.estimate == 1


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        ([], [], "no response was scored by both"),
        ([None], [1.0], "no response was scored by both"),
        ([0.0, 0.0], [0.0, 1.0], "the first rater gave all 2 responses the same hits"),
        ([0.0, 1.0], [1.0, 1.0], "the second rater gave all 2 responses the same hits"),
        ([0.0, 0.0], [0.0, 0.0], "both raters each gave all 2 responses the same hits"),
    ],
)
def test_a_kappa_that_cannot_be_said_says_why(
    one: list[float | None], other: list[float | None], why: str
) -> None:
    hits = agreement(one, other, [str(i) for i in range(len(one))], 0.5).hits
    assert (hits.estimate, hits.low, hits.high) == (None, None, None)
    assert hits.why.startswith(why)


def test_few_clusters_give_no_interval() -> None:
    hits = rated(table(9, 1, 1, 9), size=5).hits
    assert hits.estimate == pytest.approx(0.8)
    assert (hits.low, hits.high) == (None, None)
    assert hits.why == "4 clusters are too few for an interval; 5 are needed"


def test_scores_of_other_responses_are_refused() -> None:
    with pytest.raises(ValueError, match="2 and 1 scores, 2 clusters"):
        agreement([0.0, 1.0], [1.0], ["a", "b"], 0.5)
    with pytest.raises(ValueError, match="not finite"):
        agreement([math.nan, 1.0], [1.0, 1.0], ["a", "b"], 0.5)
