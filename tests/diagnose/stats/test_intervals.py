from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mendel.diagnose.stats.intervals import Estimate, Fit
from mendel.diagnose.stats.panel import Panel


@st.composite
def panels(draw, arms=3, bounded=True):
    """Panels of a few arms, also with values at 0 and 1, one cluster, one seed or untrained arms."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    sizes = np.array(draw(st.lists(st.integers(1, 4), min_size=1, max_size=12)), dtype=float)
    seeds = [draw(st.integers(1, 4)) for _ in range(arms)]
    levels = [draw(st.sampled_from([0.0, 0.02, 0.3, 0.5, 0.9, 1.0])) for _ in range(arms)]
    arm_of = tuple(f"a{i}" for i, n in enumerate(seeds) for _ in range(n))
    chance = np.repeat(levels, seeds)[:, None]
    sums = rng.binomial(2 * sizes.astype(int), chance, size=(len(arm_of), len(sizes))) / 2
    untrained = frozenset({"a0"}) if draw(st.booleans()) else frozenset()
    bounds = (0.0, 1.0) if bounded else None
    return Panel(tuple(f"s{i:02d}" for i in range(len(arm_of))), arm_of, sums, sizes, untrained, bounds)


weights = st.fixed_dictionaries({f"a{i}": st.floats(-2, 2).filter(lambda w: abs(w) > 1e-3) for i in range(3)})


@given(panels(), weights, st.floats(0.5, 0.999))
@settings(max_examples=200)
def test_low_is_below_the_estimate_and_high_above_and_both_are_possible_values(panel, w, level):
    (found,) = Fit(panel).estimate([w])
    ends = found.interval(level)
    if len(panel.sizes) == 1:
        assert ends is None
        assert "cluster" in found.why
    else:
        assert ends is not None
        assert found.limits[0] - 1e-9 <= ends[0] <= found.estimate <= ends[1] <= found.limits[1] + 1e-9


@given(panels(), weights)
def test_the_negative_contrast_has_the_mirrored_interval(panel, w):
    one, other = Fit(panel).estimate([w, {arm: -weight for arm, weight in w.items()}])
    assert one.estimate == pytest.approx(-other.estimate)
    if one.low is not None:
        assert (one.low, one.high) == pytest.approx((-other.high, -other.low))


@given(panels(), st.lists(weights, min_size=1, max_size=5), st.floats(0.5, 0.999))
def test_the_ends_of_many_contrasts_are_those_of_each(panel, contrasts, level):
    fit = Fit(panel)
    if len(panel.sizes) == 1:
        return
    matrix = np.array([[w.get(arm, 0.0) for arm in fit.arms] for w in contrasts])
    low, high = fit.ends(matrix, level)
    for one, *ends in zip(fit.estimate(contrasts), low, high, strict=True):
        clipped = (
            min(max(ends[0], one.limits[0]), one.estimate),
            max(min(ends[1], one.limits[1]), one.estimate),
        )
        assert one.interval(level) == pytest.approx(clipped, rel=1e-12, abs=1e-12)


@given(panels(), weights)
def test_a_higher_level_never_narrows(panel, w):
    (found,) = Fit(panel).estimate([w])
    narrow, wide = found.interval(0.9), found.interval(0.99)
    if narrow is not None and wide is not None:
        assert wide[0] <= narrow[0]
        assert wide[1] >= narrow[1]


@given(panels(bounded=False), weights, st.floats(-3, 3), st.floats(0.1, 5))
def test_shift_and_scale_of_the_values_shift_and_scale_the_interval(panel, w, shift, scale):
    moved = Panel(
        panel.students, panel.arm_of, scale * panel.sums + shift * panel.sizes, panel.sizes, panel.untrained
    )
    (one,), (other,) = Fit(panel).estimate([w]), Fit(moved).estimate([w])
    offset = shift * sum(w.values())
    assert other.estimate == pytest.approx(scale * one.estimate + offset, abs=1e-6)
    if one.low is not None:
        assert other.low == pytest.approx(scale * one.low + offset, abs=1e-5, rel=1e-5)


@given(panels(), st.randoms(use_true_random=False))
def test_the_order_of_students_and_clusters_changes_nothing(panel, random):
    students, clusters = list(range(len(panel.students))), list(range(len(panel.sizes)))
    random.shuffle(students)
    random.shuffle(clusters)
    shuffled = Panel(
        panel.students, tuple(panel.arm_of[i] for i in students), panel.sums[np.ix_(students, clusters)],
        panel.sizes[clusters], panel.untrained, panel.bounds,
    )  # fmt: skip
    w = {"a1": 1.0, "a2": -1.0}
    (one,), (other,) = Fit(panel).estimate([w]), Fit(shuffled).estimate([w])
    assert other.estimate == pytest.approx(one.estimate)
    assert (other.low is None) == (one.low is None)
    if one.low is not None:
        assert (other.low, other.high) == pytest.approx((one.low, one.high))


@pytest.mark.parametrize("level", [0.0, 1.0])
@pytest.mark.parametrize("seeds", [2, 8])
def test_a_rate_of_0_or_1_is_as_wide_as_all_students_that_agree_on_it_allow(level, seeds):
    arms = ("a",) * seeds + ("b",) * seeds
    sums = np.full((2 * seeds, 30), level)
    fit = Fit(Panel(tuple(f"{i:02d}" for i in range(2 * seeds)), arms, sums, np.ones(30), bounds=(0.0, 1.0)))
    rate, difference = fit.estimate([{"a": 1.0}, {"a": 1.0, "b": -1.0}])
    # No student of the study was at the other end, so that all of them bound how often one would be.
    hidden = 1 - 0.025 ** (1 / (2 * seeds))
    assert max(rate.high - level, level - rate.low) == pytest.approx(hidden, abs=0.02)
    assert difference.high == pytest.approx(hidden, abs=0.02)
    # For these students only the scenarios, few of which show what is rare, are a sample.
    low, high = rate.of_these_students()
    assert 0.1 < high - low < 0.13
    few = Fit(Panel(fit.panel.students, arms, sums[:, :10], np.ones(10), bounds=(0.0, 1.0)))
    least, most = few.estimate([{"a": 1.0}])[0].of_these_students()
    assert most - least > 2 * (high - low)


def test_scenarios_are_paired_between_arms():
    """What moves all arms alike is no noise of their difference."""
    rng = np.random.default_rng(0)
    shared = rng.normal(0, 5, 40)
    arm_of = ("a",) * 3 + ("b",) * 3
    sums = shared + rng.normal(0, 0.1, (6, 40))
    level, difference = Fit(Panel(tuple("123456"), arm_of, sums, np.ones(40))).estimate(
        [{"a": 1.0}, {"a": 1.0, "b": -1.0}]
    )
    assert level.se > 0.5
    assert difference.se < 0.1


def test_noise_of_seeds_is_in_the_interval_and_does_not_fall_with_scenarios():
    rng = np.random.default_rng(0)
    arm_of = ("a",) * 4 + ("b",) * 4
    spread = []
    for n in (50, 5000):
        sums = np.repeat([[-0.5], [0.5], [-0.5], [0.5]] * 2, n, axis=1) + rng.normal(0, 0.1, (8, n))
        (found,) = Fit(Panel(tuple("12345678"), arm_of, sums, np.ones(n))).estimate([{"a": 1.0, "b": -1.0}])
        spread.append(found.se)
    assert spread[0] == pytest.approx(spread[1], rel=0.1)
    assert spread[1] == pytest.approx(np.sqrt(2 * (1 / 3) / 4), rel=0.1)


def test_clusters_that_agree_within_count_as_one_scenario_each():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(6, 20))
    arm_of = ("a",) * 3 + ("b",) * 3
    w = {"a": 1.0, "b": -1.0}
    (plain,) = Fit(Panel(tuple("123456"), arm_of, values, np.ones(20))).estimate([w])
    (copied,) = Fit(Panel(tuple("123456"), arm_of, values * 4, np.full(20, 4.0))).estimate([w])
    assert (copied.estimate, copied.se) == pytest.approx((plain.estimate, plain.se))


def test_an_arm_with_one_seed_borrows_the_noise_of_the_others():
    rng = np.random.default_rng(0)
    arm_of = ("a",) * 3 + ("b",) * 3 + ("c",)
    sums = rng.normal(0, 1, (7, 1)) + rng.normal(0, 0.1, (7, 50))
    fit = Fit(Panel(tuple("1234567"), arm_of, sums, np.ones(50)))
    assert fit.knows_training_noise
    (found,) = fit.estimate([{"c": 1.0}])
    assert found.se > 0.3


def test_one_seed_everywhere_leaves_the_noise_of_training_unknown():
    rng = np.random.default_rng(0)
    fit = Fit(Panel(("1", "2"), ("a", "b"), rng.normal(size=(2, 50)), np.ones(50)))
    assert not fit.knows_training_noise
    assert fit.estimate([{"a": 1.0, "b": -1.0}])[0].low is not None


def test_an_untrained_arm_has_no_noise_of_training():
    rng = np.random.default_rng(0)
    sums = rng.normal(0, 1, (5, 1)) + rng.normal(0, 0.1, (5, 50))
    arm_of = ("a",) * 4 + ("base",)
    panel = Panel(tuple("12345"), arm_of, sums, np.ones(50), frozenset({"base"}))
    (found,) = Fit(panel).estimate([{"base": 1.0}])
    assert found.se < 0.05


def test_no_weights_are_exactly_0_and_an_arm_without_students_is_unknown():
    panel = Panel(("1", "2"), ("a", "a"), np.ones((2, 5)), np.ones(5), bounds=(0.0, 1.0))
    zero, unknown = Fit(panel).estimate([{}, {"a": 1.0, "gone": -1.0}])
    assert zero.json() == {"estimate": 0.0, "low": 0.0, "high": 0.0}
    assert unknown.json() == {"estimate": None, "low": None, "high": None, "why": "no usable student in gone"}


def test_a_panel_of_the_wrong_shape_is_refused():
    with pytest.raises(ValueError, match="sums is"):
        Panel(("1",), ("a",), np.ones((2, 5)), np.ones(5))
    with pytest.raises(ValueError, match="needs an arm"):
        Panel(("1",), (), np.ones((1, 5)), np.ones(5))


def test_without_a_standard_error_there_is_no_interval():
    assert Estimate(0.5).interval() is None
    assert Estimate(None, why="x").json()["low"] is None


@pytest.mark.slow
@pytest.mark.parametrize(("scenarios", "seeds"), [(12, 2), (30, 2), (30, 4)])
def test_the_variances_alone_cover_about_95_percent_and_the_whole_interval_no_less(scenarios, seeds):
    """A small copy of benchmarks/calibration.py on the normal scale: crossed effects, a difference of two
    arms of eight.
    """
    rng = np.random.default_rng(5)
    arms, hits, whole, n = 8, 0, 0, 700
    arm_of = tuple(f"a{i}" for i in range(arms) for _ in range(seeds))
    sizes = np.array([1.0, 2.0, 3.0] * (scenarios // 6))
    names = tuple(f"{i:02d}" for i in range(len(arm_of)))
    for _ in range(n):
        seed = rng.normal(0, 0.3, (len(arm_of), 1))
        by_arm = np.repeat(rng.normal(0, 0.5, (arms, len(sizes))), seeds, axis=0)
        noise = rng.normal(0, 1, (len(arm_of), len(sizes))) / np.sqrt(sizes)
        sums = (seed + rng.normal(size=len(sizes)) + by_arm + noise) * sizes
        (found,) = Fit(Panel(names, arm_of, sums, sizes)).estimate([{"a0": 1.0, "a1": -1.0}])
        low, high = replace(found, agreement=None).interval()
        hits += low <= 0 <= high
        whole += found.low <= 0 <= found.high
    # 700 studies at 95 %: their standard error is .8 %.
    assert 0.93 <= hits / n <= 0.985
    assert whole >= hits
