"""Durations and numbers as progress shows them."""

from __future__ import annotations

from mendel.engine.interval import Interval


def clock(seconds: float) -> str:
    """`m:ss`, or `h:mm:ss` from an hour on."""
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, seconds_left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{seconds_left:02}" if hours else f"{minutes}:{seconds_left:02}"


def number(value: Interval, sign: str = "") -> str:
    """`0.93 [0.88, 0.97]`, or `?` where it is not known; with the sign `+`, of a difference."""
    if value.estimate is None:
        return "?"
    # No sign on a zero, and never a minus zero.
    texts = [
        "?" if x is None else "0.00" if round(x, 2) == 0 else format(x, f"{sign}.2f")
        for x in (value.estimate, value.low, value.high)
    ]
    return f"{texts[0]} [{texts[1]}, {texts[2]}]"
