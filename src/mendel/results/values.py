"""Text and numbers as the page and the terminal show them: hostile text made inert, missing said, never zero."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mendel.engine.text import REPLACED as REPLACED
from mendel.engine.text import clean as clean
from mendel.engine.text import one_line as one_line
from mendel.engine.text import shorten as shorten

MISSING = "not measured"
UNKNOWN = "interval unknown"


def as_float(value: object) -> float | None:
    """A finite number, or None for whatever else stands there."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) else None


def as_dict(value: object) -> Mapping[str, Any]:
    """A JSON object, or an empty one where the file holds something else."""
    return value if isinstance(value, Mapping) else {}


def as_list(value: object) -> list[Any]:
    """A JSON array, or an empty one where the file holds something else."""
    return value if isinstance(value, list) else []


def as_text(value: object) -> str:
    """A string, or an empty one where the file holds something else."""
    return value if isinstance(value, str) else ""


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval on its own scale; a bound that is None is unknown, not zero or infinite."""

    estimate: float
    low: float | None
    high: float | None
    why: str = ""
    """Why the interval is unknown, if the run says so."""

    @property
    def bounded(self) -> bool:
        """Whether both bounds are known, so that the interval can be drawn."""
        return self.low is not None and self.high is not None


def read_estimate(value: object) -> Estimate | None:
    """An `E` of verdicts.json; None where there is none or its estimate is no finite number."""
    content = as_dict(value)
    estimate = as_float(content.get("estimate"))
    if estimate is None:
        return None
    low, high = as_float(content.get("low")), as_float(content.get("high"))
    return Estimate(estimate, low, high, as_text(content.get("why")))


def why_missing(value: object) -> str:
    """Why an `E` has no estimate: the run's reason, or that it was not measured."""
    return one_line(as_text(as_dict(value).get("why"))) or MISSING


@dataclass(frozen=True)
class Format:
    """How the numbers of one trait are written: the same number of decimals in all its tables."""

    digits: int = 2

    def number(self, value: float, signed: bool = False) -> str:
        """`0.93`; with `signed`, `+0.93` and a true minus sign. Never `-0.00`."""
        text = f"{abs(value):.{self.digits}f}"
        sign = "" if float(text) == 0 else "\N{MINUS SIGN}" if value < 0 else "+" if signed else ""
        return sign + text

    def interval(self, value: Estimate | None, signed: bool = False) -> str:
        """`[0.88, 0.97]`, or that it is unknown; empty where there is no estimate."""
        if value is None:
            return ""
        if value.low is None and value.high is None:
            return UNKNOWN
        low, high = (
            "unknown" if bound is None else self.number(bound, signed) for bound in (value.low, value.high)
        )
        return f"[{low}, {high}]"

    def value(self, value: Estimate | None, signed: bool = False) -> str:
        """`0.93 [0.88, 0.97]`, or `not measured`."""
        if value is None:
            return MISSING
        return f"{self.number(value.estimate, signed)} {self.interval(value, signed)}"


def fitting(*values: Estimate | None) -> Format:
    """Two decimals, three where all values lie under 0.1."""
    sizes = [
        abs(bound)
        for value in values
        if value
        for bound in (value.low, value.estimate, value.high)
        if bound is not None
    ]
    return Format(3 if sizes and max(sizes) < 0.1 else 2)


def duration(seconds: float) -> str:
    """`41 s`, `2 min 41 s`, `3 h 5 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def percent(part: float, whole: float) -> str:
    """`7.8 %`; empty where the whole is 0."""
    return f"{100 * part / whole:.1f} %".replace(".0 %", " %") if whole else ""
