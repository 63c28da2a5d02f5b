"""What agreeing students leave open: the largest shift that they do not make improbable."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mendel.diagnose.stats.hidden import hidden_share, hidden_shift
from mendel.diagnose.stats.intervals import Fit
from mendel.diagnose.stats.panel import Floats, Panel

ALPHAS = st.floats(0.001, 0.2)
REACHES = st.lists(st.one_of(st.just(0.0), st.floats(0.01, 2.0)), min_size=1, max_size=3)
COUNTS = st.lists(st.integers(1, 12), min_size=3, max_size=3)


def shift(reach: list[float], counts: list[int], alpha: float) -> float:
    (found,) = hidden_shift(np.array([reach]), np.array(counts[: len(reach)], float), alpha)
    return float(found)


def brute_force(reach: list[float], counts: list[int], alpha: float, steps: int = 60) -> float:
    """The best of many ways to share out the budget log(alpha) among the arms."""
    best = 0.0
    for parts in product(range(steps + 1), repeat=len(reach) - 1):
        if sum(parts) > steps:
            continue
        budget = np.array([*parts, steps - sum(parts)]) / steps * np.log(alpha)
        shares = 1 - np.exp(budget / np.array(counts[: len(reach)]))
        best = max(best, float(np.array(reach) @ shares))
    return best


@given(REACHES, COUNTS, ALPHAS)
@settings(max_examples=60, deadline=None)
def test_the_shift_is_the_greatest_that_the_agreement_allows(
    reach: list[float], counts: list[int], alpha: float
) -> None:
    found, best = shift(reach, counts, alpha), brute_force(reach, counts, alpha)
    assert found >= best - 1e-9
    assert found <= best + 0.01 * max(reach)


@given(st.floats(0.01, 2), st.integers(1, 50), ALPHAS)
def test_for_one_arm_it_is_exact(reach: float, count: int, alpha: float) -> None:
    assert shift([reach], [count], alpha) == pytest.approx(reach * (1 - alpha ** (1 / count)))
    assert hidden_share(count, alpha) == pytest.approx(1 - alpha ** (1 / count))


@given(REACHES, COUNTS, ALPHAS, st.integers(0, 2), st.floats(0.01, 1))
def test_more_students_hide_less_and_a_longer_reach_or_a_smaller_chance_hides_more(
    reach: list[float], counts: list[int], alpha: float, at: int, more: float
) -> None:
    at %= len(reach)
    plain = shift(reach, counts, alpha)
    grown = [count + (arm == at) for arm, count in enumerate(counts)]
    longer = [one + more * (arm == at) for arm, one in enumerate(reach)]
    assert shift(reach, grown, alpha) <= plain + 1e-12
    assert shift(longer, counts, alpha) >= plain - 1e-12
    assert shift(reach, counts, alpha / (1 + more)) >= plain - 1e-12


@given(REACHES, COUNTS, ALPHAS, st.randoms(use_true_random=False))
def test_the_order_of_the_arms_changes_nothing(
    reach: list[float], counts: list[int], alpha: float, random
) -> None:
    order = list(range(len(reach)))
    random.shuffle(order)
    moved = shift([reach[i] for i in order], [counts[i] for i in order], alpha)
    assert moved == pytest.approx(shift(reach, counts, alpha), abs=1e-12)


@given(REACHES, COUNTS, ALPHAS, st.floats(0.01, 5))
def test_arms_without_students_do_not_move(
    reach: list[float], counts: list[int], alpha: float, more: float
) -> None:
    with_one = hidden_shift(np.array([[*reach, more]]), np.array([*counts[: len(reach)], 0.0]), alpha)
    assert with_one[0] == pytest.approx(shift(reach, counts, alpha))
    assert hidden_shift(np.array([[more]]), np.zeros(1), alpha).tolist() == [0.0]


def of_levels(levels: dict[str, list[float]], clusters: int = 40, **changes: object) -> Panel:
    """A panel whose students show the same in every cluster."""
    arms = tuple(arm for arm, students in levels.items() for _ in students)
    values = np.array([level for students in levels.values() for level in students])
    names = tuple(f"s{i:02d}" for i in range(len(arms)))
    made = Panel(names, arms, np.repeat(values[:, None], clusters, 1), np.ones(clusters), bounds=(0.0, 1.0))
    return replace(made, **changes)  # type: ignore[arg-type]


def ends(panel: Panel, weights: dict[str, float], level: float = 0.95) -> tuple[float, float]:
    (found,) = Fit(panel).estimate([weights])
    interval = found.interval(level)
    assert interval is not None
    return interval


DIFFERENCE = {"a": 1.0, "b": -1.0}
LEVELS = st.fixed_dictionaries(
    {arm: st.lists(st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]), min_size=1, max_size=5) for arm in "abc"}
)


@given(st.integers(1, 12), st.floats(0.5, 0.99))
def test_students_that_agree_leave_open_what_one_arm_exactly_allows(count: int, level: float) -> None:
    low, high = ends(of_levels({"a": [1.0] * count, "b": [0.0] * count}), {"a": 1.0}, level)
    assert low <= ((1 - level) / 2) ** (1 / count) + 1e-9
    assert high == 1.0


@pytest.mark.parametrize("seeds", [2, 3])
def test_two_or_three_students_an_arm_decide_no_difference_of_half(seeds: int) -> None:
    panel = of_levels({arm: [float(arm == "a")] * seeds for arm in "abcd"})
    low, _ = ends(panel, {"a": 0.5, "b": -1.0, "c": 0.5})
    assert low < 0
    assert (ends(panel, DIFFERENCE)[0] > 0) == (seeds > 2)


@given(LEVELS, st.floats(0.5, 0.99))
@settings(max_examples=60, deadline=None)
def test_exchanged_labels_mirror_the_interval(levels: dict[str, list[float]], level: float) -> None:
    panel = of_levels(levels)
    turned = replace(panel, sums=panel.sizes - panel.sums)
    low, high = ends(panel, DIFFERENCE, level)
    assert ends(panel, {"a": -1.0, "b": 1.0}, level) == pytest.approx((-high, -low), abs=1e-9)
    assert ends(turned, DIFFERENCE, level) == pytest.approx((-high, -low), abs=1e-9)
    low, high = ends(panel, {"a": 1.0}, level)
    assert ends(turned, {"a": 1.0}, level) == pytest.approx((1 - high, 1 - low), abs=1e-9)


@given(LEVELS, st.floats(0.5, 0.99))
@settings(max_examples=60, deadline=None)
def test_the_agreement_never_narrows(levels: dict[str, list[float]], level: float) -> None:
    (found,) = Fit(of_levels(levels)).estimate([DIFFERENCE])
    plain, whole = replace(found, agreement=None).interval(level), found.interval(level)
    assert plain is not None
    assert whole is not None
    assert whole[0] <= plain[0] + 1e-9
    assert whole[1] >= plain[1] - 1e-9


def test_a_model_that_nobody_trained_here_hides_no_training() -> None:
    panel = of_levels({"a": [1.0] * 8, "base": [0.0]})
    trained, untrained = panel, replace(panel, untrained=frozenset({"base"}))
    assert ends(untrained, {"base": 1.0})[1] < 0.2
    assert ends(trained, {"base": 1.0})[1] > 0.9
    weights = {"a": 1.0, "base": -1.0}
    assert ends(untrained, weights)[0] > ends(trained, weights)[0]


def test_broken_students_widen_both_sides() -> None:
    levels = {"a": [0.5, 0.4, 0.6, 0.5], "b": [0.0] * 4, "c": [1.0] * 4}
    whole, lost = ends(of_levels(levels), {"a": 1.0}), ends(of_levels(levels, broken={"a": 4}), {"a": 1.0})
    # Half of the arm's students broke, and may have been at either end of what the study has shown.
    assert lost[0] == pytest.approx(max(whole[0] - 0.25, 0.0), abs=0.01)
    assert lost[1] == pytest.approx(min(whole[1] + 0.25, 1.0), abs=0.01)


def test_an_arm_whose_students_all_lie_between_the_ends_hides_no_second_outcome() -> None:
    ends_of_scale = {"b": [0.0] * 4, "c": [1.0] * 4}
    between = ends(of_levels({"a": [0.5, 0.45, 0.55, 0.5], **ends_of_scale}), {"a": 1.0})
    at_the_edge = ends(of_levels({"a": [0.5, 0.45, 0.55, 0.1], **ends_of_scale}), {"a": 1.0})
    two_only = ends(of_levels({"a": [0.5, 0.45], **ends_of_scale}), {"a": 1.0})
    assert between[1] - between[0] < 0.5
    assert at_the_edge[1] - at_the_edge[0] > 0.6
    assert two_only[1] - two_only[0] > 0.6


@given(st.integers(2, 40))
@settings(max_examples=15, deadline=None)
def test_clusters_that_agree_leave_open_what_so_many_samples_do(clusters: int) -> None:
    panel = of_levels({"a": [0.0] * 8, "b": [1.0] * 8}, clusters)
    (found,) = Fit(panel).estimate([{"a": 1.0}])
    interval = found.of_these_students()
    assert interval is not None
    assert interval[1] >= 1 - 0.025 ** (1 / clusters) - 1e-9


def bimodal(q: float, seeds: int, rng: np.random.Generator) -> Floats:
    return np.asarray((rng.random(seeds) < q).astype(float))


@pytest.mark.parametrize("seeds", [2, 3, 4, 8])
@pytest.mark.parametrize("q", [0.2, 0.5, 0.8])
def test_the_interval_holds_the_mean_of_a_training_with_two_outcomes(q: float, seeds: int) -> None:
    rng, held, studies = np.random.default_rng([seeds, int(10 * q)]), 0, 150
    for _ in range(studies):
        odd = bimodal(q, seeds, rng).tolist()
        panel = of_levels({"a": odd, "b": [0.0] * seeds, "c": [1.0] * seeds, "d": [0.0] * seeds}, 10)
        low, high = ends(panel, DIFFERENCE)
        held += low <= q <= high
    # 150 studies at 95 %: below 133 comes in one of a thousand.
    assert held >= 133
