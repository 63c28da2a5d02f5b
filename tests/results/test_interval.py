"""Intervals are read from anything, and written without false zeros."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mendel.results.interval import Format, Interval, duration, fitting, percent, why_missing

NUMBERS = st.none() | st.floats(allow_nan=False, allow_infinity=False)


@given(st.floats(allow_nan=False, allow_infinity=False), NUMBERS, NUMBERS, st.text(max_size=9))
def test_an_interval_that_is_written_comes_back(
    estimate: float, low: float | None, high: float | None, why: str
) -> None:
    value = Interval(estimate, low, high, why)
    assert Interval.read(value.json()) == value
    assert bool(value)
    assert value.bounded == (low is not None and high is not None)
    mirrored = -value
    assert -mirrored == value


def test_zero_is_a_value_and_missing_is_none() -> None:
    assert Interval(0.0)
    assert not Interval(why="no student")
    assert Interval(why="no student").json() == {
        "estimate": None, "low": None, "high": None, "why": "no student",
    }  # fmt: skip
    assert -Interval(0.5, 0.25, 1.0) == Interval(-0.5, -1.0, -0.25)


def test_interval_that_is_unknown_is_called_so() -> None:
    numbers = Format()
    assert numbers.value(Interval()) == "not measured"
    assert numbers.value(Interval(0.5, None, None)) == "0.50 interval unknown"
    assert numbers.value(Interval(0.5, 0.1, None)) == "0.50 [0.10, unknown]"
    assert numbers.value(Interval(-0.001, -0.2, 0.1), signed=True) == "0.00 [−0.20, +0.10]"


def test_no_estimate_is_made_of_what_is_no_number() -> None:
    for value in (
        None,
        3,
        {},
        {"estimate": None},
        {"estimate": "1"},
        {"estimate": float("nan")},
        {"estimate": True},
    ):
        assert not Interval.read(value)
    assert why_missing(Interval.read({"estimate": None, "why": "no\nstudent"})) == "no student"
    assert why_missing(Interval.read([])) == "not measured"
    assert Interval.read({"estimate": 1, "low": float("inf")}) == Interval(1.0, None, None)


def test_small_levels_get_a_third_decimal() -> None:
    assert fitting(Interval(0.012, 0.001, 0.04)).digits == 3
    assert fitting(Interval(0.012, 0.001, 0.4)).digits == 2


def test_durations_and_shares_are_readable() -> None:
    assert [duration(s) for s in (2.34, 41, 161.4, 11100)] == ["2.3 s", "41 s", "2 min 41 s", "3 h 5 min"]
    assert [percent(31, 400), percent(1, 10), percent(1, 0)] == ["7.8 %", "10 %", ""]
