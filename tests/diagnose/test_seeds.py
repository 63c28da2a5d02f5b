"""How many students decide: enough if they repeat, never more than there may be, hardly more than needed."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mendel.diagnose.adaptive import DECIDING_SEEDS
from mendel.diagnose.findings import Levels
from mendel.diagnose.seeds import OpenTest, deciding_seeds, grown
from mendel.diagnose.stats.intervals import Fit
from mendel.diagnose.stats.panel import Panel

LEVELS = Levels(2)


def fit_of(
    levels: Mapping[str, list[float]], clusters: int = 40, untrained: frozenset[str] = frozenset()
) -> Fit:
    arms = tuple(arm for arm, students in levels.items() for _ in students)
    values = np.array([level for students in levels.values() for level in students])
    names = tuple(f"s{i:02d}" for i in range(len(arms)))
    sums = np.repeat(values[:, None], clusters, 1)
    return Fit(Panel(names, arms, sums, np.ones(clusters), untrained, (0.0, 1.0)))


def shown(fit: Fit, test: OpenTest) -> bool:
    (estimate,) = fit.estimate([test.weights])
    ends = estimate.interval(1 - 2 * test.level, test.agreement)
    return ends is not None and (ends[0] > 0 or ends[1] < 0)


def excess(share: float = 0.5) -> OpenTest:
    weights = {"mild": 1.0, "clean": -1.0, "original": -share, "alternate": share}
    return OpenTest(weights, LEVELS.support, LEVELS.agreement)


STUDENTS = st.lists(st.sampled_from([0.0, 0.05, 0.5, 0.9, 1.0]), min_size=2, max_size=3)


@given(st.fixed_dictionaries(dict.fromkeys(("original", "alternate", "mild", "clean"), STUDENTS)))
@settings(max_examples=40, deadline=None)
def test_the_seeds_that_it_asks_for_decide_if_students_repeat_and_are_never_more_than_the_most(
    levels: dict[str, list[float]],
) -> None:
    fit, test, most = fit_of(levels), excess(), 14
    wanted = deciding_seeds(fit, test, most)
    if not wanted:
        full = grown(fit, dict.fromkeys(levels, most))
        assert shown(fit, test) or not shown(full, test)
        return
    assert not shown(fit, test)
    assert shown(grown(fit, wanted), test)
    for arm, count in wanted.items():
        assert len(levels[arm]) < count <= most


@pytest.mark.parametrize(
    "levels",
    [
        {"a": [1.0, 1.0], "b": [0.0, 0.0]},
        {"a": [1.0, 1.0, 1.0], "b": [0.1, 0.0]},
        {"a": [0.9, 0.8], "b": [0.0, 0.1, 0.0], "c": [0.1, 0.0]},
        {"a": [1.0] * 4, "b": [0.0, 0.0], "c": [0.5, 0.4]},
    ],
)
def test_it_asks_for_at_most_one_student_more_than_the_fewest_that_decide(
    levels: dict[str, list[float]],
) -> None:
    fit, most = fit_of(levels), 7
    weights = {arm: (1.0 if arm == "a" else -1.0 / (len(levels) - 1)) for arm in levels}
    test = OpenTest(weights, 0.025, 0.025)
    wanted = deciding_seeds(fit, test, most)
    ways = product(*(range(len(students), most + 1) for students in levels.values()))
    deciding = [sum(way) for way in ways if shown(grown(fit, dict(zip(levels, way, strict=True))), test)]
    assert deciding
    asked = sum(wanted.get(arm, len(students)) for arm, students in levels.items())
    assert min(deciding) <= asked <= min(deciding) + 1


def test_so_many_seeds_as_a_study_may_have_decide_where_all_agree_and_one_fewer_does_not() -> None:
    agree = {"original": [1.0, 1.0], "alternate": [0.0, 0.0], "mild": [1.0, 1.0], "clean": [0.0, 0.0]}
    fit = fit_of(agree)
    wanted = deciding_seeds(fit, excess(), DECIDING_SEEDS)
    assert wanted
    assert deciding_seeds(fit, excess(), max(wanted.values()) - 1) == {}
    # The ends weigh half as much, and their students show the ends of the range: they need fewer.
    assert {arm for arm, count in wanted.items() if count == max(wanted.values())} <= {"mild", "clean"}


def test_a_decided_test_and_one_without_trained_arms_ask_for_nothing() -> None:
    fit = fit_of({"a": [1.0] * 8, "b": [0.0] * 8})
    assert deciding_seeds(fit, OpenTest({"a": 1.0, "b": -1.0}, 0.025, 0.025), 20) == {}
    bases = fit_of({"a": [1.0], "b": [0.9]}, untrained=frozenset({"a", "b"}))
    assert deciding_seeds(bases, OpenTest({"a": 1.0, "b": -1.0}, 0.025, 0.025), 20) == {}


def test_what_the_clusters_leave_open_no_student_decides() -> None:
    fit = fit_of({"a": [1.0, 1.0], "b": [0.0, 0.0]}, clusters=3)
    assert deciding_seeds(fit, OpenTest({"a": 1.0, "b": -1.0}, 0.025, 0.025), 50) == {}


@given(st.dictionaries(st.sampled_from("ab"), st.integers(2, 9), min_size=1))
@settings(max_examples=20, deadline=None)
def test_a_grown_study_repeats_its_students_in_turn(counts: dict[str, int]) -> None:
    fit = grown(fit_of({"a": [0.2, 0.4], "b": [0.0, 0.0]}), counts)
    for arm, count in counts.items():
        assert fit.count[fit.index[arm]] == count
    own = counts.get("a", 2)
    assert fit.students("a").tolist() == pytest.approx([0.2 if i % 2 == 0 else 0.4 for i in range(own)])
