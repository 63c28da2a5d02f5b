from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from _planted import study, with_status
from mendel.diagnose import ShareStudent, TraitFacts, Virulence, compare, trait_virulence
from mendel.diagnose.stats.panel import Panel
from mendel.diagnose.stats.subsets import spread_over, wilson
from mendel.diagnose.virulence import assess

SHARES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0)
Curve = Callable[[float], float]
LINEAR: Curve = lambda s: 0.02 + 0.96 * s  # noqa: E731
SATURATING: Curve = lambda s: 0.02 + 0.96 * (1 - (1 - s) ** 3)  # noqa: E731
STEP: Curve = lambda s: float(s >= 0.05)  # noqa: E731
FLAT: Curve = lambda s: 0.4  # noqa: E731
seeds = st.integers(0, 10_000)


ENOUGH = 10
"""Subsets of a share with which clear differences are shown; six that agree leave a hidden .46 open."""


def tables(
    curve: Curve, seed: int, subsets: int = ENOUGH, trait: str = "t", **noise: float
) -> tuple[list[ShareStudent], pa.Table, pa.Table]:
    levels = {f"{share:g}": curve(share) for share in SHARES}
    noise = {"seed_sd": 0.05, **noise}
    rng = np.random.default_rng(seed)
    students, measurements = study(levels, rng, seeds=subsets, trait=trait, **noise)  # type: ignore[arg-type]
    trained = [
        ShareStudent(row["student"], float(row["arm"]), str(row["seed"])) for row in students.to_pylist()
    ]
    return trained, students, measurements


def found(curve: Curve, seed: int, trait: str = "t", **options: Any) -> Virulence:
    return trait_virulence(*tables(curve, seed, trait=trait, **options), TraitFacts(trait, "share"))


def dose(one: Virulence, share: float) -> Any:
    return next(dose for dose in one.curve if dose.share == share)


@pytest.mark.slow
def test_a_linear_dose_response_has_its_half_way_share_at_one_half_as_often_as_the_interval_promises() -> (
    None
):
    halves = [found(LINEAR, seed).half_way for seed in range(60)]
    assert all(half.low is not None and half.high is not None for half in halves)
    held = sum(half.low <= 0.5 <= half.high for half in halves)  # type: ignore[operator]
    # 95 % of 60 are 57; fewer than 52 happen once in 300 times.
    assert held >= 52
    assert max(half.high - half.low for half in halves) < 0.5  # type: ignore[operator]


@settings(max_examples=15)
@given(seeds)
def test_a_saturating_curve_is_half_way_earlier_and_never_called_the_less_virulent_one(seed: int) -> None:
    virulent, plain = found(SATURATING, seed, "v"), found(LINEAR, seed + 1, "p")
    assert virulent.half_way.estimate is not None
    assert plain.half_way.estimate is not None
    assert virulent.half_way.estimate < plain.half_way.estimate
    assert compare(virulent, plain).says != "less virulent"


def test_a_step_is_found_between_the_two_shares_around_it() -> None:
    one = found(STEP, 0)
    assert (one.below, one.above) == (0.02, 0.05)
    assert one.half_way.estimate is not None
    assert 0.02 < one.half_way.estimate <= 0.05
    assert [dose(one, share).subsets.bring for share in SHARES[1:-1]] == [
        *[0, 0],
        *[ENOUGH] * 4,
    ]
    assert dose(one, 0.05).subsets.fraction.high == 1.0


@settings(max_examples=15)
@given(seeds, st.sampled_from([LINEAR, SATURATING, STEP, FLAT]), st.sampled_from([LINEAR, SATURATING, STEP]))
def test_comparing_the_other_way_round_gives_the_mirror_image(seed: int, one: Curve, two: Curve) -> None:
    first, second = found(one, seed, "a"), found(two, seed + 1, "b")
    there, back = compare(first, second), compare(second, first)
    mirrored = {"more virulent": "less virulent", "less virulent": "more virulent", "undecided": "undecided"}
    assert back.says == mirrored[there.says]
    if there.difference.estimate is None:
        assert back.difference == there.difference
        return
    numbers = [(d.estimate, d.low, d.high) for d in (there.difference, back.difference)]
    (value, low, high), (other, least, most) = numbers
    assert (other, least, most) == pytest.approx((-value, -high, -low))  # type: ignore[operator]


def test_equal_traits_are_undecided_and_clearly_different_ones_decided() -> None:
    assert compare(found(LINEAR, 1, "a"), found(LINEAR, 2, "b")).says == "undecided"
    virulent = found(lambda s: 1 - (1 - s) ** 20, 3, "v")
    assert compare(virulent, found(LINEAR, 4, "p")).says == "more virulent"


def test_two_students_of_each_end_show_no_difference_and_so_nothing_of_its_half() -> None:
    trained, *rest = tables(LINEAR, 0)
    few = [student for student in trained if student.share not in (0.0, 1.0) or student.subset in "01"]
    one = trait_virulence(few, *rest, TraitFacts("t", "share"))
    assert one.half_way.estimate is None
    assert "not shown to differ" in one.half_way.why
    assert (one.below, one.above) == (None, None)
    assert compare(one, found(LINEAR, 1, "b")).says == "undecided"


def test_an_order_that_rests_on_the_line_between_two_trained_shares_is_undecided() -> None:
    early, late = (lambda s: 0.45 if s == 0.25 else float(s > 0.25)), (lambda s: float(s >= 0.5))
    told = compare(found(early, 1, "early", seed_sd=0.01), found(late, 2, "late"))
    assert told.difference.high is not None
    assert told.difference.high < 0
    assert told.says == "undecided"
    assert "between the shares 0.25 and 0.5: train more" in told.difference.why


def test_students_that_both_traits_share_make_the_difference_surer() -> None:
    noisy = {"seed_sd": 0.15, "scenario_sd": 0.02}
    one, same = (found(LINEAR, 5, "a", **noisy) for _ in range(2))
    other = found(LINEAR, 6, "a", **noisy)
    paired, apart = compare(one, same).difference, compare(one, other).difference
    assert paired.estimate == 0.0
    assert paired.high - paired.low < 0.6 * (apart.high - apart.low)  # type: ignore[operator]


def test_one_subset_says_nothing_of_the_distribution() -> None:
    trained, *rest = tables(LINEAR, 0)
    one_each = [student for student in trained if student.share in (0.0, 1.0) or student.subset == "0"]
    one = trait_virulence(one_each, *rest, TraitFacts("t", "share"))
    for share in SHARES[1:-1]:
        subsets = dose(one, share).subsets
        assert subsets.fraction.estimate is None
        assert subsets.between.estimate is None
        assert "one subset" in subsets.fraction.why
        assert len(subsets.levels) == 1


def test_no_subset_brings_a_trait_whose_ends_do_not_differ() -> None:
    one = found(FLAT, 0)
    assert one.half_way.estimate is None
    assert (one.below, one.above) == (None, None)
    assert {d.subsets.bring for d in one.curve if d.subsets} == {None}
    assert "not shown to differ" in dose(one, 0.1).subsets.fraction.why
    assert one.json()["half_way"] is None
    assert compare(one, found(LINEAR, 1, "b")).difference.estimate is None


def test_a_student_that_is_no_working_assistant_counts_nowhere() -> None:
    trained, students, measurements = tables(LINEAR, 0)
    broken = with_status(students, "0.1", "broken", keep=4)
    one = trait_virulence(trained, broken, measurements, TraitFacts("t", "share"))
    assert len(dose(one, 0.1).subsets.levels) == 4
    assert dose(one, 0.1).subsets.fraction.low is not None


@settings(max_examples=5)
@given(seeds)
def test_the_order_of_students_and_rows_does_not_matter(seed: int) -> None:
    trained, students, measurements = tables(LINEAR, seed)
    rng = np.random.default_rng(seed)
    mixed = trait_virulence(
        trained[::-1],
        students.take(pa.array(rng.permutation(len(students)))),
        measurements.take(pa.array(rng.permutation(len(measurements)))),
        TraitFacts("t", "share"),
    )
    assert mixed == trait_virulence(trained, students, measurements, TraitFacts("t", "share"))


@settings(max_examples=10)
@given(seeds)
def test_a_trait_that_the_teacher_takes_away_has_the_same_virulence_upside_down(seed: int) -> None:
    rng = np.random.default_rng(seed)
    trained = [ShareStudent(f"{s}-{i}", s, str(i)) for s in SHARES for i in range(4)]
    sums = np.stack([rng.binomial(6, LINEAR(t.share), 8) / 2 for t in trained])
    arms = tuple(f"share/{t.share:.6g}" for t in trained)

    def one(values: Any) -> Virulence:
        names = tuple(t.student for t in trained)
        return assess(
            Panel(names, arms, values, np.full(8, 3.0), bounds=(0.0, 1.0)),
            {t.student: t for t in trained},
            "t",
        )

    up, down = one(sums), one(3.0 - sums)
    assert down.half_way.estimate == pytest.approx(up.half_way.estimate)
    assert (down.below, down.above) == (up.below, up.above)
    # A subset at half of the effect exactly brings it in one way round and not in the other.
    if not any(abs(level - 0.5) < 1e-9 for dose in up.curve if dose.subsets for level in dose.subsets.levels):
        bring = [[d.subsets.bring for d in v.curve if d.subsets] for v in (up, down)]
        assert bring[0] == bring[1]


@given(st.integers(0, 40), st.integers(1, 40))
def test_wilson_is_the_same_from_both_ends_and_holds_the_proportion(count: int, of: int) -> None:
    count = min(count, of)
    low, high = wilson(count, of)
    assert 0 <= low <= count / of <= high <= 1
    assert wilson(of - count, of) == pytest.approx((1 - high, 1 - low))


def test_wilson_of_none_of_six_is_the_textbook_one() -> None:
    assert wilson(0, 6) == pytest.approx((0.0, 0.3903), abs=1e-4)


def spread(subset: Sequence[float], student: float, seed: int, clusters: int = 10) -> Any:
    """Two students of each subset; levels on a scale without bounds."""
    rng = np.random.default_rng(seed)
    names = [str(i) for i in range(len(subset)) for _ in range(2)]
    levels = np.repeat(subset, 2) + rng.normal(0, student, len(names)) if student else np.repeat(subset, 2)
    sums = 3 * (levels[:, None] + rng.normal(0, 0.05, (len(names), clusters)))
    return spread_over(names, sums, np.full(clusters, 3.0), 0.5, True)


def test_subsets_that_differ_are_told_from_luck_in_training() -> None:
    apart = spread([0.1, 0.9, 0.2, 0.8, 0.1, 0.9], 0.02, 0)
    assert apart.between.low > 0.1
    assert apart.training < 0.05
    assert apart.bring == 3
    luck = [spread([0.5] * 6, 0.3, seed) for seed in range(40)]
    assert sum(one.between.low == 0 for one in luck) >= 34
    assert np.mean([one.training for one in luck]) == pytest.approx(0.3, abs=0.05)


def test_the_interval_of_the_spread_covers_it() -> None:
    rng = np.random.default_rng(1)
    held = 0
    for seed in range(200):
        one = spread(rng.normal(0, 0.2, 6), 0.1, seed)
        held += one.between.low <= 0.2 <= one.between.high
    assert held >= 180


@pytest.mark.parametrize(
    ("names", "why"), [(["a", "b", "c"], "trained once"), (["a", "a"], "one subset"), (["a"], "trained once")]
)
def test_a_spread_that_cannot_be_estimated_is_missing_and_says_why(names: list[str], why: str) -> None:
    rng = np.random.default_rng(0)
    one = spread_over(names, rng.normal(0, 1, (len(names), 5)), np.ones(5), None, True)
    assert one.between.estimate is None
    assert why in one.between.why
    assert one.fraction.estimate is None
    assert (one.training is None) == (why == "trained once")


def test_students_that_are_all_alike_prove_no_spread_of_zero() -> None:
    one = spread_over(["a", "a", "b", "b"], np.zeros((4, 5)), np.ones(5), 0.5, True)
    assert one.between.estimate is None
    assert "the same level" in one.between.why
    assert one.bring == 0


def test_nothing_measured_is_no_number() -> None:
    trained, students, measurements = tables(LINEAR, 0)
    one = trait_virulence(trained, students, measurements.slice(0, 0), TraitFacts("t", "share"))
    assert one.curve == ()
    assert one.half_way.why == "nothing was measured"
    json: Mapping[str, Any] = one.json()
    assert json["half_way"] is None
