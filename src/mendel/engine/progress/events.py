"""What a run tells of itself as it goes: its students, and the effects as far as they are known."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Status = Literal["waiting", "running", "ok", "broken", "failed"]
PARTS = ("base", "prompts", "teacher")


@dataclass(frozen=True)
class StudentEvent:
    """How a student stands now; the last event of a name counts."""

    student: str
    """Its name in the store."""
    arm: str
    """The first of the arms that it stands for."""
    seed: int
    status: Status
    reason: str = ""
    """Why it is broken or failed."""

    def json(self) -> dict[str, Any]:
        """As it stands in `progress.json`."""
        return {
            "student": self.student[:12],
            "arm": self.arm,
            "seed": self.seed,
            "status": self.status,
            "reason": self.reason,
        }


@dataclass(frozen=True)
class Interval:
    """A number with its 95 % interval; None where it is not known (yet)."""

    estimate: float | None = None
    low: float | None = None
    high: float | None = None

    @classmethod
    def read(cls, content: object) -> Interval:
        """From an `E` of verdicts.json; whatever is no finite number is not known."""
        found = content if isinstance(content, Mapping) else {}
        return cls(*(_finite(found.get(key)) for key in ("estimate", "low", "high")))

    def json(self) -> dict[str, float | None]:
        """The contract's E."""
        return {"estimate": self.estimate, "low": self.low, "high": self.high}


@dataclass(frozen=True)
class TraitSoFar:
    """What is known of a trait after a round: its level in both pipelines, and what each part does to it."""

    trait: str
    original: Interval
    alternate: Interval
    effects: Mapping[str, Interval]
    """By base, prompts, teacher."""
    unit: float = 1.0
    """The width of the trait's scale."""
    carrier: str = "undecided"

    @classmethod
    def read(cls, trait: str, content: object) -> TraitSoFar:
        """From a trait's part of verdicts.json (or of `progress.json`, which writes the same keys)."""
        found = content if isinstance(content, Mapping) else {}
        effects = found.get("effects")
        known = effects if isinstance(effects, Mapping) else {}
        carrier, unit = found.get("carrier"), _finite(found.get("unit"))
        return cls(
            trait,
            Interval.read(found.get("original")),
            Interval.read(found.get("alternate")),
            {part: Interval.read(known.get(part)) for part in PARTS},
            unit if unit and unit > 0 else 1.0,
            carrier if isinstance(carrier, str) else "undecided",
        )

    def json(self) -> dict[str, Any]:
        """The same keys as in verdicts.json, and `unit`."""
        return {
            "original": self.original.json(),
            "alternate": self.alternate.json(),
            "effects": {part: value.json() for part, value in self.effects.items()},
            "unit": self.unit,
            "carrier": self.carrier,
        }


def _finite(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
