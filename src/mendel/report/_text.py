"""Text and numbers as the page and the terminal show them: hostile text made inert, missing said, never zero."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

REPLACED = "\N{REPLACEMENT CHARACTER}"
MISSING = "not measured"
UNKNOWN = "interval unknown"

# Bidi embeddings, overrides, isolates and marks can make a text read other than it is; tag characters hide text.
_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_UNWANTED = re.compile(
    f"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f{_BIDI}\ufeff\ufff9-\ufffb\U000e0000-\U000e007f\ud800-\udfff\ufffe\uffff]"
)
_BREAKS = re.compile("\r\n?|[\u2028\u2029\x85]")
_MARKS = 4
"""Combining marks on one character at most: more would draw over the lines around."""


def clean(text: str) -> str:
    """`text` without control characters, terminal escapes, bidi overrides and lone surrogates.

    What is taken out is shown as U+FFFD, so that a reader sees that something stood there; line ends become `\\n`.
    """
    if text.isascii() and text.isprintable():
        return text
    text = _UNWANTED.sub(REPLACED, _BREAKS.sub("\n", text))
    if text.isascii():
        return text
    kept, marks = [], 0
    for character in text:
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks <= _MARKS:
            kept.append(character)
    return "".join(kept)


def one_line(text: str, limit: int = 200) -> str:
    """`text`, cleaned, its white space folded into single spaces, and at most `limit` characters."""
    return " ".join(shorten(text, limit).split())


def shorten(text: str, limit: int) -> str:
    """`text`, cleaned, at most `limit` characters; what was left out is counted at its end."""
    # Cut first: a line of a megabyte is not worth cleaning.
    left_out = len(text) - limit
    return clean(text) if left_out <= 0 else f"{clean(text[:limit])} … ({left_out:,} more characters)"


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
