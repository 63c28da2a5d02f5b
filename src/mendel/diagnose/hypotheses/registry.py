"""What a hypothesis is, as data: its words, and predictions about contrasts, sized against what there is to
explain.

D is the original pipeline minus the alternate one. A prediction holds, or fails, only where that is shown:

- `most`: the contrast is more than half of D; it fails where the contrast is shown to be within a third of D;
- `little`: the contrast is within a third of D to either side (an equivalence test); it fails at more than
  half.

Between a third and a half neither is claimed: a part of the trait is then explained, and the hypothesis stays
open.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from mendel.diagnose.contrasts import CORNER_DIFFERENCES, Difference
from mendel.engine.registry import Registry, instance_of

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
    """`measured`: any value is allowed, but it has to be known and is reported with the verdict."""
    says: str


def most(says: str, *contrasts: str) -> Prediction:
    """Return the prediction that a contrast is more than half of the difference between the pipelines.

    Args:
        says: The prediction as a clause: "the base alone brings it in".
        *contrasts: Ids of contrasts. Of several, at least one has to be so.

    Returns:
        The prediction.
    """
    return Prediction(contrasts, "most", says)


def little(says: str, *contrasts: str) -> Prediction:
    """Return the prediction that a contrast is within a third of the difference, to either side of 0.

    Args:
        says: The prediction as a clause: "the base alone does not bring it in".
        *contrasts: Ids of contrasts, all of which have to be so.

    Returns:
        The prediction.
    """
    return Prediction(contrasts, "little", says)


def measured(says: str, *contrasts: str) -> Prediction:
    """Return the demand that a contrast is known, whatever its value: a control that no verdict is given
    without.

    Args:
        says: The demand as a clause: "the same under a full fine-tune is known".
        *contrasts: Ids of contrasts, all of which have to be known.

    Returns:
        The prediction.
    """
    return Prediction(contrasts, "measured", says)


@dataclass(frozen=True)
class Hypothesis:
    """A cause that a trait may have: its words and its predictions.

    It is supported if every prediction is shown to hold, refuted if one is shown to fail. The design trains
    for the predictions in their order, so those that refute most with fewest students come first.

    Verdicts, page and terminal read the words here. So a hypothesis of another package has its own.
    """

    name: str
    """A plain name; outside mendel the package's name is put before it: `my_pkg/mood`."""
    says: str
    """What it claims, as a clause: "the prompts themselves draw the trait out of both teachers"."""
    predictions: tuple[Prediction, ...]
    differences: tuple[Difference, ...] = ()
    """Contrasts that are not in every study: two arms each, by the kinds of `mendel.design.arms`."""
    means: str = ""
    """The beginning of the sentence that names it as the cause, which goes on with the numbers.

    '': "The cause is" and its title."""
    title: str = ""
    """What it is called in tables; '': its name without underscores and without its package."""

    @property
    def called(self) -> str:
        """What it is called in tables."""
        return self.title or self.name.rpartition("/")[2].replace("_", " ")

    @property
    def as_cause(self) -> str:
        """The beginning of the sentence that names it as the cause."""
        return self.means or f"The cause is {self.called}"


def _wrong(item: Any) -> str:
    if wrong := instance_of(Hypothesis)(item):
        return wrong
    if not item.says:
        return "has no 'says': write what it claims, in a clause"
    if not item.predictions:
        return "predicts nothing, so that nothing could refute it"
    known = {difference.id for difference in item.differences} | {name for name, *_ in CORNER_DIFFERENCES}
    for prediction in item.predictions:
        if not prediction.contrasts:
            return f"predicts nothing of any contrast: {prediction.says!r}"
        for contrast in prediction.contrasts:
            if contrast not in known:
                return (
                    f"predicts the unknown contrast {contrast!r}; it may be one of its own 'differences' "
                    f"or one of {', '.join(sorted(name for name, *_ in CORNER_DIFFERENCES))}"
                )
    return ""


hypotheses: Registry[Hypothesis] = Registry("hypothesis", "hypotheses", check=_wrong)


def hypothesis(declared: Hypothesis) -> Hypothesis:
    """Register a hypothesis under its name, so that every study from now on tests it.

    Args:
        declared: The hypothesis.

    Returns:
        The same value.

    Raises:
        InputError: The name is taken (a built-in's name is taken for all packages), the value is no
            Hypothesis, or it predicts a contrast that is neither its own nor one of the cube's.
    """
    hypotheses.register(declared.name if isinstance(declared, Hypothesis) else "?")(declared)
    return declared
