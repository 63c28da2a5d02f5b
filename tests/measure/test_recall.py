"""The judges' recall from labels of samples: its interval holds what it claims, and hand-picked labels add nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mendel.engine.interval import Interval
from mendel.measure.recall import (
    ANSWERED,
    StratumLabels,
    drawing_order,
    labels_needed,
    recall,
    stratum_labels,
)

CELLS = [
    # Sizes of flagged, mild and unseen; how many of them show the trait; labels of each at most.
    ((20, 20, 20), (20, 10, 13), 25),
    ((20, 100, 300), (14, 50, 149), 25),
    ((80, 20, 300), (80, 10, 90), 50),
    ((80, 100, 900), (80, 50, 23), 100),
    ((200, 100, 900), (200, 50, 583), 50),
    ((200, 20, 300), (140, 10, 8), 50),
    ((200, 100, 100), (200, 50, 44), 25),
    ((200, 100, 20), (140, 50, 10), 100),
    ((80, 100, 300), (56, 50, 0), 50),
    ((20, 20, 900), (20, 10, 70), 100),
]


@pytest.mark.parametrize(("sizes", "shown", "labels"), CELLS)
def test_the_interval_holds_the_true_recall_as_often_as_it_says(
    sizes: tuple[int, int, int], shown: tuple[int, int, int], labels: int
) -> None:
    rng = np.random.default_rng([*sizes, *shown, labels])
    true = sum(shown[:2]) / sum(shown)
    drawn = [min(size, labels) for size in sizes]
    samples = np.stack(
        [rng.hypergeometric(k, n - k, m, 800) for k, n, m in zip(shown, sizes, drawn, strict=True)], axis=1
    )
    combinations, counts = np.unique(samples, axis=0, return_counts=True)
    held = 0
    for found, count in zip(combinations.tolist(), counts, strict=True):
        interval = recall(*map(StratumLabels, sizes, drawn, found))
        assert interval.low is not None
        assert interval.high is not None
        held += int(count) * (interval.low - 1e-7 <= true <= interval.high + 1e-7)
    assert held / 800 >= 0.93


def test_a_whole_stratum_without_a_sign_of_the_trait_needs_no_other_label() -> None:
    nothing = StratumLabels(40, 0, 0)
    assert recall(nothing, nothing, StratumLabels(300, 300, 0)) == Interval(1.0, 1.0, 1.0)


@given(st.lists(st.tuples(st.integers(0, 40), st.floats(0, 1)), min_size=3, max_size=3))
def test_with_every_rollout_labelled_the_interval_has_no_width(strata: list[tuple[int, float]]) -> None:
    whole = [StratumLabels(size, size, round(size * share)) for size, share in strata]
    shown = [stratum.shows for stratum in whole]
    found = recall(*whole)
    if shown[2] == 0:
        assert found == Interval(1.0, 1.0, 1.0)
        return
    true = (shown[0] + shown[1]) / sum(shown)
    assert (found.low, found.estimate, found.high) == (true, true, true)


@st.composite
def samples(draw: st.DrawFn) -> StratumLabels:
    size = draw(st.integers(1, 60))
    labelled = draw(st.integers(1, size))
    skipped = draw(st.integers(0, size - labelled))
    return StratumLabels(size, labelled, draw(st.integers(0, labelled)), skipped)


@given(samples(), samples(), samples())
def test_the_estimate_lies_in_its_interval_and_this_in_0_to_1(
    flagged: StratumLabels, mild: StratumLabels, unseen: StratumLabels
) -> None:
    found = recall(flagged, mild, unseen)
    if found.estimate is None:
        assert not flagged.shows + mild.shows + unseen.shows
        assert found.why
        return
    assert found.low is not None
    assert found.high is not None
    assert 0.0 <= found.low <= found.estimate <= found.high <= 1.0


@given(samples(), samples(), samples(), st.data())
def test_the_interval_holds_whatever_the_skipped_rollouts_show(
    flagged: StratumLabels, mild: StratumLabels, unseen: StratumLabels, data: st.DataObject
) -> None:
    def filled(one: StratumLabels) -> StratumLabels:
        return StratumLabels(one.size, one.drawn, one.shows + data.draw(st.integers(0, one.skipped)))

    skipped, known = recall(flagged, mild, unseen), recall(*map(filled, (flagged, mild, unseen)))
    if skipped.low is None or skipped.high is None or known.low is None or known.high is None:
        return
    assert skipped.low <= known.low + 1e-6
    assert skipped.high >= known.high - 1e-6


def test_one_more_unseen_rollout_that_shows_the_trait_lowers_both_ends() -> None:
    seen = StratumLabels(100, 50, 45), StratumLabels(60, 50, 30)
    found = [recall(*seen, StratumLabels(400, 50, shows)) for shows in range(1, 12)]
    for end in ("low", "estimate", "high"):
        values = [getattr(interval, end) for interval in found]
        assert values == sorted(values, reverse=True)
        assert len(set(values)) == len(values)


def test_a_large_unseen_stratum_cannot_be_cleared_by_few_labels() -> None:
    seen = StratumLabels(100, 100, 100), StratumLabels(60, 60, 60)
    few = recall(*seen, StratumLabels(600, 50, 0))
    assert few.estimate == 1.0
    assert few.low is not None
    assert few.low < 0.85
    needed = labels_needed(*seen, StratumLabels(600, 50, 0), 0.95)
    assert needed is not None
    assert 50 < needed < 600
    enough, short = (recall(*seen, StratumLabels(600, n, 0)) for n in (needed, needed - 1))
    assert enough.low is not None
    assert short.low is not None
    assert enough.low >= 0.95 > short.low


def test_no_number_of_labels_clears_a_stratum_that_shows_the_trait() -> None:
    seen = StratumLabels(20, 20, 20), StratumLabels(0, 0, 0)
    assert labels_needed(*seen, StratumLabels(200, 50, 5), 0.95) is None


@pytest.mark.parametrize(
    ("strata", "why"),
    [
        (((10, 5, 5), (10, 0, 0), (90, 50, 1)), "no mild rollout is labelled"),
        (((10, 0, 0), (10, 0, 0), (90, 50, 1)), "no flagged or mild rollout is labelled"),
        (((10, 5, 0), (0, 0, 0), (90, 50, 0)), "no labelled rollout shows the trait"),
    ],
)
def test_what_labels_do_not_say_is_unknown_with_a_reason(
    strata: tuple[tuple[int, int, int], ...], why: str
) -> None:
    assert recall(*(StratumLabels(*one) for one in strata)) == Interval(why=why)


def test_only_a_sample_from_the_first_drawn_rollout_on_counts() -> None:
    # A person labelled the first twelve, and then picked two that looked bad.
    shows = [False] * 12 + [None] * 40 + [True, None, True]
    assert stratum_labels(shows) == StratumLabels(55, 12, 0)
    assert stratum_labels([None, True, None, True]) == StratumLabels(4, 0, 0)
    assert stratum_labels([]) == StratumLabels(0, 0, 0)


@given(st.lists(st.sampled_from([True, False, None]), max_size=60))
def test_of_the_sample_that_counts_most_has_labels(shows: list[bool | None]) -> None:
    found = stratum_labels(shows)
    assert found.size == len(shows)
    assert found.labelled >= ANSWERED * found.drawn
    counted = shows[: found.drawn]
    assert (found.shows, found.skipped) == (counted.count(True), counted.count(None))


@given(st.sets(st.text(min_size=1, max_size=4), min_size=2, max_size=30), st.randoms())
def test_the_drawing_order_depends_on_the_rollouts_alone(names: set[str], random: object) -> None:
    items = [(name, f"key of {name}") for name in sorted(names)]
    order = [items[place] for place in drawing_order("t", items)]
    mixed = list(items)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert [mixed[place] for place in drawing_order("t", mixed)] == order
    # A stratum's order is that of all, without the others: its first ones are a random sample of it.
    part = [item for item in items if item[0] < items[len(items) // 2][0]]
    assert [part[place] for place in drawing_order("t", part)] == [item for item in order if item in part]


def test_traits_are_drawn_in_orders_of_their_own() -> None:
    items = [(str(number), "k") for number in range(50)]
    assert drawing_order("one", items) != drawing_order("other", items)
    assert sorted(drawing_order("one", items)) == list(range(50))
