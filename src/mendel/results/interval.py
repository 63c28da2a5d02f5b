"""Intervals as people read them.

One number of decimals in all tables of a trait, missing said, never a false zero.
"""

from __future__ import annotations

from dataclasses import dataclass

from mendel.engine.interval import Interval
from mendel.engine.text import one_line

__all__ = ["MISSING", "UNKNOWN", "Format", "Interval", "duration", "fitting", "percent", "why_missing"]

MISSING = "not measured"
UNKNOWN = "interval unknown"


def why_missing(value: Interval) -> str:
    """Return why an estimate is unknown: the run's reason, or that it was not measured."""
    return one_line(value.why) or MISSING


@dataclass(frozen=True)
class Format:
    """How the numbers of one trait are written: the same number of decimals in all its tables."""

    digits: int = 2
    """Decimals."""

    def number(self, value: float | None, signed: bool = False) -> str:
        """Return `0.93`; with `signed`, `+0.93` and a true minus sign. Never `-0.00`; None is `unknown`."""
        if value is None:
            return "unknown"
        text = f"{abs(value):.{self.digits}f}"
        sign = "" if float(text) == 0 else "\N{MINUS SIGN}" if value < 0 else "+" if signed else ""
        return sign + text

    def interval(self, value: Interval, signed: bool = False) -> str:
        """Return `[0.88, 0.97]`, or that the interval is unknown.

        An empty text where there is no estimate.
        """
        if not value:
            return ""
        if value.low is None and value.high is None:
            return UNKNOWN
        return f"[{self.number(value.low, signed)}, {self.number(value.high, signed)}]"

    def value(self, value: Interval, signed: bool = False) -> str:
        """Return `0.93 [0.88, 0.97]`, or `not measured`."""
        if not value:
            return MISSING
        return f"{self.number(value.estimate, signed)} {self.interval(value, signed)}"


def fitting(*values: Interval) -> Format:
    """Return the format that fits the values.

    Args:
        values: Values that stand in one table; unknown ones do not count.

    Returns:
        Two decimals, or three where all values lie under 0.1.
    """
    numbers = (number for value in values for number in (value.low, value.estimate, value.high))
    sizes = [abs(number) for number in numbers if number is not None]
    return Format(3 if sizes and max(sizes) < 0.1 else 2)


def duration(seconds: float) -> str:
    """Return `41 s`, `2 min 41 s` or `3 h 5 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def percent(part: float, whole: float) -> str:
    """Return `7.8 %`; an empty text where the whole is 0."""
    return f"{100 * part / whole:.1f} %".replace(".0 %", " %") if whole else ""
