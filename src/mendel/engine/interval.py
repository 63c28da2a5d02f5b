"""A number with its 95 % interval, as a plain value that every room can hold, read and write."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Interval:
    """A number with its 95 % interval; None means unknown, never zero or infinite.

    An interval is true where its estimate is known. In JSON it is the contract's
    `E = {"estimate", "low", "high"[, "why"]}`.
    """

    estimate: float | None = None
    """The number itself."""
    low: float | None = None
    """Lower end of the 95 % interval."""
    high: float | None = None
    """Upper end of the 95 % interval."""
    why: str = ""
    """Why the estimate or an end is unknown, where the writer said so."""

    def __bool__(self) -> bool:
        return self.estimate is not None

    @property
    def bounded(self) -> bool:
        """Whether the estimate and both ends are known, so that the interval can be drawn."""
        return None not in (self.estimate, self.low, self.high)

    def __neg__(self) -> Interval:
        estimate, low, high = (None if x is None else -x for x in (self.estimate, self.high, self.low))
        return replace(self, estimate=estimate, low=low, high=high)

    @classmethod
    def read(cls, content: object) -> Interval:
        """Return the interval that an E holds; whatever is no finite number is unknown.

        Without an estimate the ends say nothing, so they are unknown, too.
        """
        given: Mapping[Any, Any] = content if isinstance(content, Mapping) else {}
        why = given.get("why")
        reason = why if isinstance(why, str) else ""
        estimate = as_float(given.get("estimate"))
        if estimate is None:
            return cls(why=reason)
        return cls(estimate, as_float(given.get("low")), as_float(given.get("high")), reason)

    def json(self) -> dict[str, float | str | None]:
        """Return the contract's E, with `why` only where there is a reason to give."""
        e: dict[str, float | str | None] = {"estimate": self.estimate, "low": self.low, "high": self.high}
        return {**e, "why": self.why} if self.why else e


def as_float(value: object) -> float | None:
    """Return a finite number, or None for anything else, such as a boolean, a text or a NaN."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
