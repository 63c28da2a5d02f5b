"""What the measured contrasts say of each hypothesis: every prediction tested, a status and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from mendel.design.names import side_arm
from mendel.diagnose.conditions import Conditions
from mendel.diagnose.contrasts import CORNER_DIFFERENCES, EDIT_DIFFERENCES, TOTAL, contrast_id
from mendel.diagnose.effects import Effects
from mendel.diagnose.hypotheses import LITTLE, MOST, Hypothesis, Prediction, all_hypotheses
from mendel.diagnose.stats.intervals import Estimate, number

Status = Literal["supported", "refuted", "undecided", "untested"]
Outcome = Literal["holds", "fails", "open", "missing", "lost", "impossible"]

FAMILY_ERROR = 0.05
"""The chance at most that any hypothesis which does not hold is called supported."""
AGREEMENT_ERROR = 0.025
"""One-sided level, over all looks, at which agreeing students may still hide another outcome. It is exact on
students that agree, so it is not divided by the hypotheses as the level of the variances is."""
FEWER_ROWS = 0.8
"""An arm with less than this share of the original pipeline's rows needs a control of its own size before it
speaks against a hypothesis."""
SIZE_CONTROL = "as-many"


@dataclass(frozen=True)
class Levels:
    """How sure each test has to be, so that all hypotheses and all looks at the data together keep
    `FAMILY_ERROR`.

    A hypothesis is supported if all its predictions hold: an intersection-union test, each prediction at the
    full level of the hypothesis. It is refuted if one prediction fails: a union, so that each prediction has
    its share of the level. Bonferroni over the hypotheses and over the looks (how often seeds may still be
    added and the same contrast tested again).
    """

    looks: int = 1
    hypotheses: int = 8

    @property
    def support(self) -> float:
        """One-sided level of a test that a prediction holds, by the variances."""
        return FAMILY_ERROR / self.hypotheses / self.looks

    @property
    def agreement(self) -> float:
        """One-sided level of the same test, by what agreeing students and clusters cannot rule out."""
        return AGREEMENT_ERROR / self.looks

    @property
    def family(self) -> float:
        """The level of what is decided before any hypothesis: present, absent, carrier."""
        return FAMILY_ERROR / self.looks


@dataclass(frozen=True)
class Checked:
    """One prediction against what was measured."""

    prediction: Prediction
    outcome: Outcome
    contrasts: tuple[str, ...]
    """Full ids of its contrasts that were measured."""
    arms: tuple[str, ...]
    """The arms to train where it is missing; those behind the contrasts where it is open."""
    text: str
    """What was measured, or why nothing was."""
    leans: bool = True
    """Whether the estimate lies on the predicted side; True where there is none."""
    same: bool = False
    """Whether both sides are the same students, so that nothing can be measured."""


@dataclass(frozen=True)
class Finding:
    """What the measured contrasts say of one hypothesis."""

    status: Status
    why: str
    contrasts: tuple[str, ...] = ()
    """Ids of the contrasts that decided it; never empty for `supported` and `refuted`."""
    checked: tuple[Checked, ...] = ()
    hypothesis: Hypothesis | None = None
    """What was tested, for its words."""
    unmet: tuple[str, ...] = ()
    """Why conditions beside the contrasts are not known to hold."""

    @property
    def leaning(self) -> bool:
        """Whether nothing that was measured lies on the other side of what it predicts."""
        return self.status in ("supported", "undecided") and all(c.leans for c in self.checked)

    @property
    def by_construction(self) -> bool:
        """Whether a prediction compares students with themselves in this study."""
        return any(c.same for c in self.checked)

    def json(self) -> dict[str, object]:
        """Return the finding as the contract has it, with the hypothesis' words and every prediction with its
        outcome.
        """
        tested = self.hypothesis
        words = {"title": tested.called, "says": tested.says, "means": tested.as_cause} if tested else {}
        predictions = [
            {
                "says": c.prediction.says,
                "size": c.prediction.size,
                "outcome": c.outcome,
                "contrasts": list(c.contrasts),
            }
            for c in self.checked
        ]
        return {
            "status": self.status,
            "why": self.why,
            "contrasts": list(self.contrasts),
            "predictions": predictions,
            **words,
        }


def examine(
    effects: Effects,
    levels: Levels | None = None,
    lacking: Callable[[str], str] = lambda arm: "",
    hypotheses: Iterable[Hypothesis] | None = None,
    conditions: Conditions | None = None,
) -> dict[str, Finding]:
    """Test every hypothesis against the measured contrasts. Nothing is random.

    A contrast of too few seeds or scenarios for an interval decides nothing.

    Args:
        effects: The trait's effects.
        levels: How sure each test has to be; None: one look, and as many hypotheses as are tested.
        lacking: Returns why an arm cannot be trained in this study, '' if it can.
        hypotheses: What is tested; None: all that are registered.
        conditions: What is known beside the contrasts; None: all conditions hold.

    Returns:
        A finding for every hypothesis, by its full name.

    Raises:
        InputError: A package's hypotheses cannot be loaded.
        ValueError: A hypothesis predicts an unknown contrast.
    """
    chosen = tuple(all_hypotheses() if hypotheses is None else hypotheses)
    levels = levels or Levels(hypotheses=len(chosen))
    known = conditions or Conditions()
    test = _Test(effects, levels, lacking, known)
    return {h.name: _examined(test, h, known) for h in chosen}


def _examined(test: _Test, declared: Hypothesis, conditions: Conditions) -> Finding:
    unmet = tuple(conditions.unmet[need] for need in declared.needs if need in conditions.unmet)
    forms = [_finding(list(test.checks(declared, form)), unmet) for form in declared.forms]
    # Refuted only if every form is; else the form that says most for it.
    order = ("supported", "undecided", "untested", "refuted")
    best = min(forms, key=lambda f: (order.index(f.status), f.by_construction, not f.leaning))
    if best.status == "refuted" and len(forms) > 1:
        names = tuple(dict.fromkeys(name for form in forms for name in form.contrasts))
        why = " And in its other form: ".join(form.why for form in forms)
        best = replace(best, why=why, contrasts=names)
    return replace(best, hypothesis=declared)


def unexplained(why: str, hypotheses: Iterable[Hypothesis] | None = None) -> dict[str, Finding]:
    """Return all hypotheses as untested, since there is nothing to explain, or not known to be."""
    return {h.name: Finding("untested", why, hypothesis=h) for h in (hypotheses or all_hypotheses())}


class _Test:
    """Tests predictions of one trait's effects."""

    def __init__(
        self, effects: Effects, levels: Levels, lacking: Callable[[str], str], conditions: Conditions
    ) -> None:
        self.effects, self.levels, self.lacking = effects, levels, lacking
        self.conditions = conditions
        self.contrasts = {c.id: c for c in effects.contrasts}

    def checks(self, hypothesis: Hypothesis, form: Iterable[Prediction]) -> Iterator[Checked]:
        """Test the predictions of one form of a hypothesis."""
        predictions = tuple(form)
        for prediction in predictions:
            checked = self.check(hypothesis, prediction, len(predictions))
            if not (prediction.optional and checked.outcome in ("impossible", "lost")):
                yield checked

    def check(self, hypothesis: Hypothesis, prediction: Prediction, of: int) -> Checked:
        """Test one of so many predictions, at the level that a refutation by any of them leaves to each."""
        pairs = {self._id(hypothesis, c): self._arms(hypothesis, c) for c in prediction.contrasts}
        same = [name for name, pair in pairs.items() if self.effects.same_students(*pair)]
        unfit = [why for pair in pairs.values() for arm in pair if (why := self.conditions.unfit(arm))]
        if len(same) == len(pairs) or unfit:
            why = unfit[0] if unfit else self._why_same(next(iter(pairs.values())))
            return Checked(prediction, "impossible", (), (), why, same=not unfit)
        pairs = {name: pair for name, pair in pairs.items() if name not in same}
        present = tuple(name for name in pairs if name in self.contrasts)
        lost = [name for name in present if self.effects.estimates[name].estimate is None]
        usable = [name for name in present if name not in lost]
        text = "; ".join(f"{name} {number(self.effects.estimates[name])}" for name in usable)
        arms = tuple(dict.fromkeys(arm for name in usable for arm in self.behind(name)))
        leans = self._leans(prediction, usable)
        if prediction.size == "measured" and len(usable) == len(pairs):
            return Checked(prediction, "holds", present, arms, text)
        if usable and self._holds(prediction, usable):
            return Checked(prediction, "holds", tuple(usable), arms, text)
        untrained = {name: pair for name, pair in pairs.items() if name not in present}
        reasons = {name: next(filter(None, map(self.lacking, pair)), "") for name, pair in untrained.items()}
        needed = [arm for name, pair in untrained.items() if not reasons[name] for arm in pair]
        missing = [arm for arm in needed if not self.effects.counts.get(arm)] or needed
        if missing:
            return Checked(
                prediction, "missing", tuple(usable), tuple(dict.fromkeys(missing)), "not trained", leans
            )
        if lost:
            return Checked(prediction, "lost", (), (), self.effects.estimates[lost[0]].why)
        if any(reasons.values()):
            why = next(filter(None, reasons.values()))
            return Checked(prediction, "impossible", tuple(usable), (), why, leans)
        if self._fails(prediction, usable, of):
            return self._failed(prediction, usable, arms, text)
        return Checked(prediction, "open", tuple(usable), arms, text, leans)

    def _failed(self, prediction: Prediction, names: list[str], arms: tuple[str, ...], text: str) -> Checked:
        """Return a failed prediction; an open one where it cannot refute, or where its condition is not known
        to hold, or where a smaller arm, which may show less by its fewer rows alone, lacks a control of its
        own size.
        """
        if not prediction.refutes:
            return Checked(prediction, "open", tuple(names), arms, text, False)
        if (unmet := self.conditions.unmet.get(prediction.fails_if)) is not None:
            return Checked(prediction, "open", tuple(names), arms, f"{text}; but {unmet}", False)
        whole = self.effects.rows.get(self.effects.cube["OOO"])
        fewer = [
            name
            for name in names
            if whole and self.effects.rows.get(self.contrasts[name].arms[0], whole) < FEWER_ROWS * whole
        ]
        control = contrast_id(self.effects.trait, SIZE_CONTROL)
        if prediction.size != "most" or not fewer or control in names:
            return Checked(prediction, "fails", tuple(names), arms, text, False)
        if control not in self.contrasts:
            needed = (f"{SIZE_CONTROL}/{self.effects.trait}", f"unrelated-alternate/{self.effects.trait}")
            outcome: Outcome = "impossible" if any(map(self.lacking, needed)) else "missing"
            why = "not trained, and without a control of its size a smaller arm says little"
            return Checked(prediction, outcome, tuple(names), needed, why, False)
        if self._above(control, MOST, self.levels.support, self.levels.agreement):
            return Checked(prediction, "fails", (*names, control), arms, text, False)
        shown = number(self.effects.estimates[control])
        why = f"{text}; but as many random prompts do not bring most of it in either: {control} {shown}"
        return Checked(prediction, "open", tuple(names), (*arms, *self.behind(control)), why, False)

    def _id(self, hypothesis: Hypothesis, contrast: str) -> str:
        brought = any(difference.id == contrast for difference in hypothesis.differences)
        edited = any(contrast == name for name, *_ in EDIT_DIFFERENCES)
        return contrast_id(self.effects.trait, contrast) if brought or edited else contrast

    def _arms(self, hypothesis: Hypothesis, contrast: str) -> tuple[str, ...]:
        cube, trait = self.effects.cube, self.effects.trait
        for difference in hypothesis.differences:
            if difference.id == contrast:
                return difference.arms(trait, cube)
        for name, first, second, _ in CORNER_DIFFERENCES:
            if name == contrast:
                return cube[first], cube[second]
        for name, _, first, second, _ in EDIT_DIFFERENCES:
            if name == contrast:
                return side_arm(first, trait, cube), side_arm(second, trait, cube)
        raise ValueError(f"{hypothesis.name} predicts an unknown contrast {contrast!r}")

    def _why_same(self, pair: tuple[str, ...]) -> str:
        if pair[0] != pair[1]:
            return f"{pair[0]} and {pair[1]} hold the same rows in this study, and are the same students"
        shared = " and ".join(self.effects.shared)
        return (
            f"both sides would be the same students ({pair[0]}), since the two pipelines share their "
            f"{shared}; "
            f"a study whose pipelines differ in it could tell"
        )

    def behind(self, name: str) -> tuple[str, ...]:
        """Return the arms behind a contrast and behind D."""
        return tuple(
            sorted({*self.contrasts[name].involved, self.effects.cube["OOO"], self.effects.cube["AAA"]})
        )

    def _leans(self, prediction: Prediction, names: list[str]) -> bool:
        """Return whether the estimates lie on the predicted side of half of D."""
        excess = [self._excess(name, MOST).estimate for name in names]
        values = [value for value in excess if value is not None]
        if not values or prediction.size == "measured":
            return True
        return max(values) > 0 if prediction.size == "most" else max(values) < 0

    def _holds(self, prediction: Prediction, names: list[str]) -> bool:
        share = len(prediction.contrasts)
        level, agreement = self.levels.support / share, self.levels.agreement / share
        if prediction.size == "most":
            return any(self._above(name, MOST, level, agreement) for name in names)
        if prediction.size != "little" or len(names) < share:
            return False
        return all(self._below(name, LITTLE, self.levels.support, self.levels.agreement) for name in names)

    def _fails(self, prediction: Prediction, names: list[str], predictions: int) -> bool:
        if not names or prediction.size == "measured":
            return False
        level, agreement = self.levels.support / predictions, self.levels.agreement / predictions
        if prediction.size == "most":
            return all(self._below(name, MOST, level, agreement) for name in names)
        return any(self._above(name, LITTLE, level, agreement) for name in names)

    def _above(self, name: str, share: float, level: float, agreement: float) -> bool:
        """Return whether the contrast is shown to be more than `share` of D, in one test, so that shared
        noise cancels.
        """
        low, _ = self._margin(name, share, level, agreement)
        return low is not None and low > 0

    def _below(self, name: str, share: float, level: float, agreement: float) -> bool:
        """Return whether the contrast is shown to be less than `share` of D."""
        _, high = self._margin(name, share, level, agreement)
        return high is not None and high < 0

    def _margin(
        self, name: str, share: float, level: float, agreement: float
    ) -> tuple[float | None, float | None]:
        if not self.effects.training_noise:
            # One seed an arm everywhere: intervals hold the scenarios' noise alone, and decide nothing.
            return None, None
        ends = self._excess(name, share).interval(1 - 2 * level, agreement)
        return (None, None) if ends is None else ends

    def _excess(self, name: str, share: float) -> Estimate:
        weights = self.effects.weights
        return self.effects.combination((1.0, weights(name)), (-share, weights(TOTAL)))


def _finding(checked: list[Checked], unmet: tuple[str, ...]) -> Finding:
    failed = [c for c in checked if c.outcome == "fails"]
    if failed:
        names = tuple(dict.fromkeys(name for c in failed for name in c.contrasts))
        text = "; ".join(f"{c.prediction.says} - predicted, but measured {c.text}" for c in failed)
        return Finding("refuted", f"{_upper(text)}.", names, tuple(checked))
    held = tuple(dict.fromkeys(name for c in checked if c.outcome == "holds" for name in c.contrasts))
    if all(c.outcome == "holds" for c in checked):
        text = "; ".join(f"{c.prediction.says} ({c.text}{_SHOWN[c.prediction.size]})" for c in checked)
        if unmet:
            why = f"Every prediction holds ({text}), but it is not named: {'; '.join(unmet)}."
            return Finding("undecided", why, held, tuple(checked), unmet=unmet)
        return Finding("supported", f"{_upper(text)}.", held, tuple(checked))
    impossible = [c for c in checked if c.same]
    if impossible:
        text = "; ".join(f"{c.prediction.says}: {c.text}" for c in impossible)
        return Finding("untested", f"impossible: {text}.", held, tuple(checked), unmet=unmet)
    text = "; ".join(_lacks(c) for c in checked if c.outcome != "holds")
    some = any(c.contrasts for c in checked)
    return Finding("undecided" if some else "untested", f"{_upper(text)}.", held, tuple(checked), unmet=unmet)


_SHOWN = {
    "most": ": shown to be more than half of the difference",
    "little": ": shown to be less than half of the difference",
    "measured": "",
}
"""What a prediction that holds was tested for, whatever its clause says."""


def _lacks(checked: Checked) -> str:
    says = checked.prediction.says
    if checked.outcome == "impossible":
        return f"not testable here that {says}: {checked.text}"
    if checked.outcome == "lost":
        return f"not known whether {says}: {checked.text}"
    if checked.outcome == "missing":
        return f"whether {says} was not measured, for which it takes {', '.join(checked.arms)}"
    return f"open whether {says}: {checked.text}"


def _upper(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"
