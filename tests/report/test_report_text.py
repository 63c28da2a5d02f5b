"""Text is made inert, numbers are written without false zeros."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from mendel.engine.text import clean, one_line, shorten
from mendel.results.interval import Format, Interval, duration, fitting, percent, why_missing


@given(st.text(st.characters(codec=None)))
def test_clean_leaves_nothing_that_acts(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode()
    assert not [c for c in cleaned if unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t"]
    assert not set(cleaned) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")
    assert clean(cleaned) == cleaned


@given(st.text(max_size=60), st.integers(1, 30))
def test_shorten_says_how_much_is_left_out(text: str, limit: int) -> None:
    if len(text) > limit:
        assert shorten(text, limit).endswith(f"… ({len(text) - limit} more characters)")
    assert "\n" not in one_line(text, limit)


def test_marks_do_not_pile_up() -> None:
    assert len(clean("Z" + "\u0351" * 50)) == 5


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
