"""What a run tells of itself as it goes: its students, and the effects as far as they are known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mendel.engine.interval import Interval, as_float

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
    state: str = "undecided"
    """`difference`, `shared`, `absent` or `undecided`."""

    @classmethod
    def read(cls, trait: str, content: object) -> TraitSoFar:
        """From a trait's part of verdicts.json (or of `progress.json`, which writes the same keys)."""
        verdict = content if isinstance(content, Mapping) else {}
        effects = verdict.get("effects")
        by_part = effects if isinstance(effects, Mapping) else {}
        carrier, unit = verdict.get("carrier"), as_float(verdict.get("unit"))
        state = verdict.get("state")
        return cls(
            trait,
            Interval.read(verdict.get("original")),
            Interval.read(verdict.get("alternate")),
            {part: Interval.read(by_part.get(part)) for part in PARTS},
            unit if unit and unit > 0 else 1.0,
            carrier if isinstance(carrier, str) else "undecided",
            state if isinstance(state, str) else "undecided",
        )

    def json(self) -> dict[str, Any]:
        """The same keys as in verdicts.json, and `unit`."""
        return {
            "original": _ends(self.original),
            "alternate": _ends(self.alternate),
            "effects": {part: _ends(value) for part, value in self.effects.items()},
            "unit": self.unit,
            "carrier": self.carrier,
            "state": self.state,
        }


def _ends(value: Interval) -> dict[str, float | None]:
    """Return the numbers alone: a reason may be long, and no reader of the progress shows one."""
    return {"estimate": value.estimate, "low": value.low, "high": value.high}
