from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from _planted import CUBE, cube_with_shared, full_levels, study
from mendel.diagnose import TraitFacts, estimate_trait
from mendel.diagnose.interpolation import (
    GRID,
    WITHIN,
    above_middle,
    curve_arms,
    half_way,
    half_way_share,
    monotone,
)

SHARES = np.array([0.0, 0.1, 0.25, 0.5, 1.0])
FACTS = TraitFacts("t", "share")
levels = st.lists(st.floats(0, 1), min_size=5, max_size=5).filter(lambda v: v[-1] > v[0] + 1e-3)


def half(values):
    return half_way_share(SHARES, monotone(np.array(values), np.ones(5), True))


@given(levels)
def test_half_way_is_a_share(values):
    assert 0 <= half(values) <= 1


@given(levels, st.integers(1, 3), st.floats(0, 0.5))
def test_a_higher_level_in_between_never_moves_half_way_up(values, at, more):
    low, high = sorted((values[0], values[-1]))
    inside = [min(max(v, low), high) for v in values]
    raised = list(inside)
    raised[at] = min(raised[at] + more, high)
    assert half(raised) <= half(inside) + 1e-9


@given(levels)
def test_half_way_is_the_same_upside_down(values):
    down = half_way_share(SHARES, monotone(1 - np.array(values), np.ones(5), False))
    assert down == pytest.approx(half(values))


@pytest.mark.parametrize(
    ("values", "share"),
    [
        ([0, 0.1, 0.25, 0.5, 1], 0.5),
        ([0, 1, 1, 1, 1], 0.05),
        ([0, 0, 0, 0, 1], 0.75),
        ([0, 0.5, 0.5, 0.5, 1], 0.1),
    ],
)
def test_known_curves(values, share):
    assert half(values) == pytest.approx(share)


def test_a_flat_curve_has_no_half_way():
    with pytest.raises(ValueError, match="does not move"):
        half_way_share(SHARES, np.ones(5))


def test_virulent_is_told_from_proportional_with_an_interval():
    plain = full_levels(lambda b, p, t: 0.05 + 0.9 * t)
    virulent = plain | {"mix/0.1": 0.8, "mix/0.25": 0.9, "mix/0.5": 0.95}
    found = [
        estimate_trait(*study(x, np.random.default_rng(0), seeds=10), FACTS, CUBE).half_way
        for x in (plain, virulent)
    ]
    assert found[0].low < 0.5 < found[0].high
    assert found[1].high < 0.15 < found[0].low
    for one in found:
        assert 0 <= one.low <= one.estimate <= one.high <= 1


@given(levels, st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_the_interval_is_every_share_that_is_not_rejected_by_itself(values, seed):
    arms = dict(zip(SHARES.tolist(), ("cube/OOA", "mix/0.1", "mix/0.25", "mix/0.5", "cube/OOO"), strict=True))
    planted = dict(zip(arms.values(), values, strict=True))
    tables = study(full_levels(lambda b, p, t: 0.5) | planted, np.random.default_rng(seed))
    fit = estimate_trait(*tables, FACTS, CUBE).fit
    (difference,) = fit.estimate([{"cube/OOO": 1.0, "cube/OOA": -1.0}])
    found = half_way(fit, arms, difference)
    if found.estimate is None:
        return
    between = [np.linspace(a, b, WITHIN + 1) for a, b in pairwise(SHARES)]
    grid = np.unique(np.concatenate([np.linspace(0.0, 1.0, GRID + 1), *between]))
    tested = fit.estimate([above_middle(share, arms) for share in grid.tolist()])
    kept = [s for s, one in zip(grid.tolist(), tested, strict=True) if one.low <= 0 <= one.high]
    assert (found.low, found.high) == (min([found.estimate, *kept]), max([found.estimate, *kept]))


def test_two_seeds_show_no_difference_of_the_ends_and_so_no_half_way_share():
    plain = full_levels(lambda b, p, t: t)
    found = estimate_trait(*study(plain, np.random.default_rng(0), seeds=2), FACTS, CUBE).half_way
    assert found.estimate is None
    assert "not shown to differ" in found.why


def test_no_half_way_where_the_ends_do_not_differ():
    found = estimate_trait(
        *study(full_levels(lambda b, p, t: 0.4), np.random.default_rng(0)), FACTS, CUBE
    ).half_way
    assert found.estimate is None
    assert "not shown to differ" in found.why


def test_no_half_way_without_a_share_in_between_or_with_a_shared_teacher():
    none = full_levels(lambda b, p, t: t, mixes=())
    assert (
        "no share between" in estimate_trait(*study(none, np.random.default_rng(0)), FACTS, CUBE).half_way.why
    )
    cube = cube_with_shared(2)
    found = estimate_trait(*study(none, np.random.default_rng(0)), FACTS, cube).half_way
    assert "share their teacher" in found.why


def test_the_curve_runs_from_OOA_to_OOO():  # noqa: N802
    assert list(curve_arms(CUBE, {"mix/0.5": 0.5, "mix/0.1": 0.1}).items()) == [
        (0.0, "cube/OOA"), (0.1, "mix/0.1"), (0.5, "mix/0.5"), (1.0, "cube/OOO"),
    ]  # fmt: skip
