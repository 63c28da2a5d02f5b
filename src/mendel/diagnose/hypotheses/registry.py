"""What a hypothesis is, as data: its words, and predictions about contrasts, sized against what there is to
explain.

D is the original pipeline minus the alternate one. A prediction holds, or fails, only where that is shown:

- `most`: the contrast is more than half of D; it fails where the contrast is shown to be less;
- `little`: the contrast is less than half of D; it fails where the contrast is shown to be more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from mendel.diagnose.contrasts import CORNER_DIFFERENCES, EDIT_DIFFERENCES, Difference
from mendel.engine.registry import Registry, instance_of

MOST = 1 / 2
"""Share of D that `most` exceeds."""
LITTLE = 1 / 2
"""Share of D that `little` stays below. With a third, twelve students of an arm would have to agree where
eight do for a half."""


CONDITIONS = {
    "recall": "the judge sees nearly all rollouts that show the trait",
    "recipe moves": "the recipe moves the trait's answer, and leaves it firm",
    "alternate teacher shows": "the alternate teacher shows the trait on the original prompts",
}
"""What a hypothesis may need beside its contrasts."""


@dataclass(frozen=True)
class Prediction:
    """What a hypothesis says of one contrast; of several, that at least one of them is so."""

    contrasts: tuple[str, ...]
    """Ids; those of `differences` without the trait's name."""
    size: Literal["most", "little", "measured"]
    """`measured`: any value is allowed, but it has to be known and is reported with the verdict."""
    says: str
    optional: bool = False
    """Whether the prediction counts only where its contrasts were measured."""
    fails_if: str = ""
    """Condition, a key of `CONDITIONS`, without which a failure says nothing against the hypothesis."""
    refutes: bool = True
    """Whether a failure says anything against the hypothesis. An untrained model may hold what it cannot show
    yet."""


def most(says: str, *contrasts: str, fails_if: str = "", refutes: bool = True) -> Prediction:
    """Return the prediction that a contrast is more than half of the difference between the pipelines.

    Args:
        says: The prediction as a clause: "the base alone brings it in".
        *contrasts: Ids of contrasts. Of several, at least one has to be so.
        fails_if: Condition without which a failure says nothing; '': none.
        refutes: Whether a failure says anything against the hypothesis.

    Returns:
        The prediction.
    """
    return Prediction(contrasts, "most", says, fails_if=fails_if, refutes=refutes)


def little(
    says: str, *contrasts: str, optional: bool = False, fails_if: str = "", refutes: bool = True
) -> Prediction:
    """Return the prediction that a contrast is less than half of the difference.

    Args:
        says: The prediction as a clause: "the base alone does not bring it in".
        *contrasts: Ids of contrasts, all of which have to be so.
        optional: Whether the prediction counts only where its contrasts were measured.
        fails_if: Condition without which a failure says nothing; '': none.
        refutes: Whether a failure says anything against the hypothesis.

    Returns:
        The prediction.
    """
    return Prediction(contrasts, "little", says, optional, fails_if, refutes)


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
    otherwise: tuple[Prediction, ...] = ()
    """Predictions of a second form that the hypothesis can take; it is supported if either form is, refuted
    if both are."""
    needs: tuple[str, ...] = ()
    """Conditions beside the contrasts that must be known to hold before the hypothesis is supported: keys of
    `CONDITIONS`."""
    differences: tuple[Difference, ...] = ()
    """Contrasts that are not in every study: two arms each, by the kinds of `mendel.design.arms`."""
    means: str = ""
    """The beginning of the sentence that names it as the cause, which goes on with the numbers.

    '': "The cause is" and its title."""
    title: str = ""
    """What it is called in tables; '': its name without underscores and without its package."""

    @property
    def forms(self) -> tuple[tuple[Prediction, ...], ...]:
        """The predictions of each form."""
        return (self.predictions, self.otherwise) if self.otherwise else (self.predictions,)

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
    known = {difference.id for difference in item.differences} | {
        name for name, *_ in (*CORNER_DIFFERENCES, *EDIT_DIFFERENCES)
    }
    for need in item.needs:
        if need not in CONDITIONS:
            return f"needs {need!r}, which is none of {', '.join(CONDITIONS)}"
    for prediction in (*item.predictions, *item.otherwise):
        if not prediction.contrasts:
            return f"predicts nothing of any contrast: {prediction.says!r}"
        if prediction.fails_if and prediction.fails_if not in CONDITIONS:
            return f"needs {prediction.fails_if!r}, which is none of {', '.join(CONDITIONS)}"
        for contrast in prediction.contrasts:
            if contrast not in known:
                return (
                    f"predicts the unknown contrast {contrast!r}; it may be one of its own 'differences' "
                    f"or one of {', '.join(sorted(known))}"
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
