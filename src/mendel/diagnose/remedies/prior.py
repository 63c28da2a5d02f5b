"""The prior: what students show of a trait whose situation was never answered, and an edit beside it.

Leaving examples out can take a trait away only down to what the base brings. So what an edit leaves is
compared with students of the unrelated prompts alone: a return to the base's own prior is told from a leak,
and an edit that goes below it from a removal of what the data brought in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mendel.design.names import base_arm, trait_arm
from mendel.diagnose.contrasts import merge
from mendel.diagnose.effects import SMALLEST_EFFECT, Effects
from mendel.diagnose.stats.intervals import Estimate, number

Against = Literal["at", "above", "below", "undecided", "unknown"]
"""Where an edit's level is shown to lie beside the prior.

`at`: the difference is shown to be within the smallest effect of interest. `unknown`: there is no prior to
compare with.
"""


@dataclass(frozen=True)
class Prior:
    """How much of a trait is there where its situation was never answered."""

    level: Estimate
    arm: str = ""
    """The arm that shows it; '' where none does."""
    who: str = ""
    """Its students, as the subject of a sentence with its verb: "the untrained base shows"."""
    is_trained: bool = False
    """Whether its students were trained: an untrained base has no noise of training, and tells the effect of
    some rows not from that of any training.
    """

    @property
    def says(self) -> str:
        """The prior in a clause: "the untrained base shows 0.10 [0.05, 0.15]"."""
        return f"{self.who} {number(self.level)}"

    def json(self) -> dict[str, object]:
        """Return the key `prior` of a recommendation."""
        return {**self.level.json(), "arm": self.arm or None}


@dataclass(frozen=True)
class BesidePrior:
    """One edit beside the prior."""

    against: Against = "unknown"
    why: str = ""
    """The same in sentences, with the numbers; '' where there is no prior to compare with."""


def prior_of(effects: Effects) -> Prior:
    """Return a trait's prior: students of the unrelated prompts as the alternate teacher answers them, else
    the untrained original base, else unknown.

    Args:
        effects: The trait's effects.

    Returns:
        The prior with its arm.
    """
    arms = (
        (
            trait_arm("unrelated-alternate", effects.trait),
            "students of the unrelated prompts alone, as the alternate teacher answers them, show",
            True,
        ),
        (base_arm("original"), "the untrained base shows", False),
    )
    for arm, who, is_trained in arms:
        if effects.counts.get(arm):
            return Prior(effects.levels[arm], arm, who, is_trained)
    why = "neither students of the unrelated prompts alone nor the untrained base were measured"
    return Prior(Estimate(None, why=why))


def beside_prior(effects: Effects, name: str, arm: str, prior: Prior) -> BesidePrior:
    """Test what one edit leaves against the prior.

    `at` is an equivalence test within the smallest effect of interest (two one-sided tests at 5 %: D.
    Schuirmann, J. Pharmacokinet. Biopharm. 15, 1987), by the variances alone: it is about the students that
    were trained, since some thirty would have to agree before others were excluded. `above` and `below` are a
    95 % interval on one side of 0.

    Args:
        effects: The trait's effects.
        name: What the edit is called.
        arm: Its arm.
        prior: The trait's prior.

    Returns:
        Where it lies, and the sentences that this allows.
    """
    if not prior.arm:
        return BesidePrior()
    more = effects.combination((1.0, merge([(arm, 1.0), (prior.arm, -1.0)])))
    left, within = number(effects.levels[arm]), SMALLEST_EFFECT * effects.unit
    against = _against(more, within) if effects.training_noise else "undecided"
    if against == "at":
        why = (
            f"The {name} {_returns(effects, arm)} the base's own prior: {left} is left, {prior.says}, and "
            f"for these students and scenarios the difference is shown to be within {within:g}."
        )
    elif against == "above":
        why = f"After the {name} there is {number(more)} more than the base's own prior ({prior.says})"
        why += (
            ": a leak, what it trains on brings it in."
            if prior.is_trained
            else ". Whether what it trains on raises it, or any training would, is not decided."
        )
    elif against == "below":
        less = effects.combination((1.0, merge([(prior.arm, 1.0), (arm, -1.0)])))
        why = (
            f"The {name} goes below the base's own prior: {left} is left, {number(less)} less than the "
            f"prior ({prior.says})."
        )
    else:
        why = (
            f"Not decided whether what the {name} leaves, {left}, is the base's own prior ({prior.says}), "
            "more or less."
        )
    return BesidePrior(against, why)


def _against(more: Estimate, within: float) -> Against:
    wide, narrow = more.interval(), more.by_variance(0.90)
    if wide is None or narrow is None:
        return "undecided"
    if -within < narrow[0] and narrow[1] < within:
        return "at"
    return "above" if wide[0] > 0 else "below" if wide[1] < 0 else "undecided"


def _returns(effects: Effects, arm: str) -> str:
    """Return "returns the students to" only where the edit is shown to take something away."""
    taken = effects.combination((1.0, merge([(effects.cube["OOO"], 1.0), (arm, -1.0)]))).interval()
    return "returns the students to" if taken is not None and taken[0] > 0 else "leaves the students at"
