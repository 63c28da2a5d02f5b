"""Numbers as the verdict's sentences write them."""

from __future__ import annotations

from mendel.diagnose.stats.intervals import Estimate


def number(value: Estimate) -> str:
    """`0.99 [0.97, 1.00]`; without the interval where there is none, `unknown` without an estimate."""
    if value.estimate is None:
        return "unknown"
    ends = value.interval()
    if ends is None or value.se == 0:
        return _two_places(value.estimate)
    return f"{_two_places(value.estimate)} [{_two_places(ends[0])}, {_two_places(ends[1])}]"


def _two_places(value: float) -> str:
    # + 0.0 turns a rounded -0.00 into 0.00.
    return f"{round(value, 2) + 0.0:.2f}"
