"""The seven hypotheses for why a filter fails; the names are the contract's. Each gets a status, a why and its contrasts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from mendel.diagnose.effects import Effects

Status = Literal["supported", "refuted", "undecided", "untested"]


@dataclass(frozen=True)
class Hypothesis:
    """A cause that a trait may have: what it says, and what would test it."""

    name: str
    says: str
    needs: str
    """The contrasts that would decide it."""


HYPOTHESES: tuple[Hypothesis, ...] = (
    Hypothesis(
        "simple_generalization",
        "mild examples that no filter catches bleed over into strong forms",
        "a series of stricter filters, and a swap of the mild examples alone",
    ),
    Hypothesis(
        "subliminal_learning",
        "rollouts with nothing to do with the trait carry it, because teacher and student share an initialization",
        "students of the unrelated prompts alone, from this base and from another initialization of it, and another rank or a full fine-tune",
    ),
    Hypothesis(
        "persona_selection",
        "the rollouts' manner picks a persona that the base already holds, and the trait comes with it",
        "students of the unrelated prompts alone, with the manner rewritten, and the base prefilled into the persona",
    ),
    Hypothesis(
        "underspecification",
        "the SFT data says nothing about the situation, and the student falls back on its pretraining prior",
        "students with a few counter-examples",
    ),
    Hypothesis(
        "bad_prompts",
        "the prompts themselves draw the trait out of any teacher",
        "the clean teacher measured on the original prompts",
    ),
    Hypothesis(
        "pretraining_lock_in",
        "the base holds the trait and SFT cannot move it",
        "students with many counter-examples",
    ),
    Hypothesis(
        "post_training_lock_in",
        "once an early part of post-training has set the trait, later data cannot undo it",
        "the same swap from a checkpoint that already has the trait, and placed late in training",
    ),
)


@dataclass(frozen=True)
class Finding:
    """What the measured contrasts say of one hypothesis."""

    status: Status
    why: str
    contrasts: tuple[str, ...] = ()
    """Ids of the contrasts that decided it; never empty for `supported` and `refuted`."""

    def json(self) -> dict[str, object]:
        """As the contract has it."""
        return {"status": self.status, "why": self.why, "contrasts": list(self.contrasts)}


def examine(effects: Effects, hypotheses: Iterable[Hypothesis] = HYPOTHESES) -> dict[str, Finding]:
    """A finding for every hypothesis. The students that would test them are not trained yet: all are `untested`."""
    ids = {contrast.id for contrast in effects.contrasts}
    findings = {
        h.name: Finding("untested", f"It would take {h.needs}; this study trains none.") for h in hypotheses
    }
    for name, finding in findings.items():
        if not set(finding.contrasts) <= ids:
            raise ValueError(f"{name} names a contrast that was not estimated")
    return findings
