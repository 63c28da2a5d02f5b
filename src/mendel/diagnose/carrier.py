"""Which of the three parts carries a trait: base, prompts or teacher (docs/decisions/002-carrier.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mendel.diagnose.contrasts import TOTAL
from mendel.diagnose.effects import Effects
from mendel.diagnose.sentences import Said, say
from mendel.diagnose.state import State
from mendel.diagnose.stats.intervals import Estimate, number
from mendel.study.cube import PARTS

Carrier = Literal["teacher", "prompts", "base", "mixed", "none", "undecided"]
PartSays = Literal["carries most", "carries", "does not carry", "undecided"]

CARRIER_MARGIN = 0.25
"""A part carries the trait if it makes more than this share of the difference between the pipelines.

Under a third, so that three parts with equal shares all carry; far enough from 0 that a small leak is no
carrier."""
MOST_OF_IT = 0.5
"""A part is named alone if it makes more than this share."""


@dataclass(frozen=True)
class PartDecision:
    """Whether one part carries the trait: its effect minus a quarter of the difference, tested against 0."""

    decision: PartSays
    excess: Estimate
    """effect - CARRIER_MARGIN * total, as one contrast."""
    interval: tuple[float, float] | None
    """At the level adjusted for the family."""

    def json(self) -> dict[str, object]:
        """Return the decision and the interval that it rests on."""
        low, high = self.interval or (None, None)
        return {"decision": self.decision, "estimate": self.excess.estimate, "low": low, "high": high}


@dataclass(frozen=True)
class CarrierVerdict:
    """Which part carries the trait, why, and the three decisions behind it."""

    carrier: Carrier
    why: Said
    decisions: Mapping[str, PartDecision]


def carrier(effects: Effects, state: State, error: float) -> CarrierVerdict:
    """Decide which part carries the trait.

    One part is named if it is shown to make more than half of the difference, and the estimates of the
    others are below a quarter. `mixed` is said if two parts or more are shown to make more than a quarter.

    Args:
        effects: The trait's effects.
        state: The trait's state; only a difference has a carrier.
        error: The chance at most that any of the three parts is decided wrongly (Bonferroni).

    Returns:
        The carrier with its sentence and the decisions.
    """
    decisions = {part: _decide(effects, part, error) for part in PARTS}
    if state == "absent":
        return CarrierVerdict("none", say("carrier-none"), decisions)
    if state != "difference":
        return CarrierVerdict("undecided", say("carrier-no-difference"), decisions)
    shown = [part for part, d in decisions.items() if d.decision in ("carries", "carries most")]
    named = {
        # Of a part that both pipelines have the effect is 0 by construction: nothing was measured.
        part: "shared by both" if part in effects.shared else number(effects.estimates[part])
        for part in PARTS
    }
    if len(shown) > 1:
        parts = " and the ".join(shown)
        numbers = ", ".join(f"{part} {named[part]}" for part in shown)
        return CarrierVerdict("mixed", say("carrier-mixed", parts=parts, effects=numbers), decisions)
    if len(shown) == 1 and decisions[shown[0]].decision == "carries most":
        part = shown[0]
        others = [other for other in PARTS if other != part]
        if all(_small(decisions[other]) for other in others):
            numbers = ", ".join(f"{other} {named[other]}" for other in others)
            why = say("carrier-one", part=part, effect=named[part], others=numbers)
            return CarrierVerdict(part, why, decisions)  # type: ignore[arg-type]
    numbers = ", ".join(f"{part} {named[part]}" for part in PARTS)
    return CarrierVerdict("undecided", say("carrier-undecided", effects=numbers), decisions)


def _small(decision: PartDecision) -> bool:
    return decision.excess.estimate is not None and decision.excess.estimate < 0


def _decide(effects: Effects, part: str, error: float) -> PartDecision:
    """Test one contrast, effect - margin * total, so that the noise which the two share cancels."""
    level = 1 - 2 * error / len(PARTS)  # a wrong decision is on the wrong side: one-sided tests

    def test(margin: float) -> tuple[Estimate, tuple[float, float] | None]:
        excess = effects.combination((1.0, effects.weights(part)), (-margin, effects.weights(TOTAL)))
        return excess, excess.interval(level) if effects.training_noise else None

    excess, ends = test(CARRIER_MARGIN)
    if ends is None:
        return PartDecision("undecided", excess, None)
    most = test(MOST_OF_IT)[1]
    if most is not None and most[0] > 0:
        return PartDecision("carries most", excess, ends)
    says: PartSays = "carries" if ends[0] > 0 else "does not carry" if ends[1] < 0 else "undecided"
    return PartDecision(says, excess, ends)
