"""What a hypothesis is, as data: predictions about contrasts, sized against what there is to explain.

D is the original pipeline minus the alternate one. A prediction holds, or fails, only where that is shown:

- `most`: the contrast is more than half of D; it fails where the contrast is shown to be within a third of D;
- `little`: the contrast is within a third of D to either side (an equivalence test); it fails at more than half.

Between a third and a half neither is claimed: a part of the trait is then explained, and the hypothesis stays open.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mendel.diagnose.contrasts import Difference
from mendel.engine.registry import Registry

MOST = 1 / 2
"""Share of D that `most` exceeds."""
LITTLE = 1 / 3
"""Share of D that `little` stays within; well under a half, so that no effect is both."""


@dataclass(frozen=True)
class Prediction:
    """What a hypothesis says of one contrast; of several, that at least one of them is so."""

    contrasts: tuple[str, ...]
    """Ids; those of `differences` without the trait's name."""
    size: Literal["most", "little", "measured"]
    """`measured`: whatever comes out, it has to be known and is reported with the verdict."""
    says: str


def most(says: str, *contrasts: str) -> Prediction:
    """More than half of what there is to explain."""
    return Prediction(contrasts, "most", says)


def little(says: str, *contrasts: str) -> Prediction:
    """Within a third of what there is to explain."""
    return Prediction(contrasts, "little", says)


def measured(says: str, *contrasts: str) -> Prediction:
    """Known, whatever it is: a control without which the verdict is not given."""
    return Prediction(contrasts, "measured", says)


@dataclass(frozen=True)
class Hypothesis:
    """A cause that a trait may have: what it says and what it predicts.

    Supported if every prediction is shown to hold, refuted if one is shown to fail. The design trains for the
    predictions in their order, so those that refute most with fewest students come first.
    """

    name: str
    says: str
    predictions: tuple[Prediction, ...]
    differences: tuple[Difference, ...] = ()
    """Contrasts that are not in every study: two arms each, by the kinds of `mendel.design.arms.kinds`."""


hypotheses: Registry[Hypothesis] = Registry("hypothesis", "hypotheses")


def declare(hypothesis: Hypothesis) -> Hypothesis:
    """Registers a hypothesis under its name."""
    hypotheses.register(hypothesis.name)(hypothesis)
    return hypothesis
