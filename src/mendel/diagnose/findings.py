"""What the measured contrasts say of each hypothesis: every prediction tested, a status and why."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from mendel.diagnose.contrasts import CORNER_DIFFERENCES, TOTAL, contrast_id
from mendel.diagnose.effects import Effects
from mendel.diagnose.hypotheses import LITTLE, MOST, Hypothesis, Prediction, all_hypotheses
from mendel.diagnose.stats.intervals import Estimate, number

Status = Literal["supported", "refuted", "undecided", "untested"]
Outcome = Literal["holds", "fails", "open", "missing", "lost", "impossible"]

FAMILY_ERROR = 0.05
"""The chance at most that any hypothesis which does not hold is called supported."""


@dataclass(frozen=True)
class Levels:
    """How sure each test has to be, so that all hypotheses and all looks at the data together keep
    `FAMILY_ERROR`.

    A hypothesis is supported if all its predictions hold: an intersection-union test, each prediction at the
    full level of the hypothesis. Bonferroni over the hypotheses and over the looks (how often seeds may still
    be added and the same contrast tested again).
    """

    looks: int = 1
    hypotheses: int = 7

    @property
    def support(self) -> float:
        """One-sided level of a test that a prediction holds."""
        return FAMILY_ERROR / self.hypotheses / self.looks

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
    seeds: int | None = None
    """Seeds an arm that would decide an open one, by the present estimate and interval."""


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
) -> dict[str, Finding]:
    """Test every hypothesis against the measured contrasts. Nothing is random.

    A contrast of too few seeds or scenarios for an interval decides nothing.

    Args:
        effects: The trait's effects.
        levels: How sure each test has to be; None: one look, and as many hypotheses as are tested.
        lacking: Returns why an arm cannot be trained in this study, '' if it can.
        hypotheses: What is tested; None: all that are registered.

    Returns:
        A finding for every hypothesis, by its full name.

    Raises:
        InputError: A package's hypotheses cannot be loaded.
        ValueError: A hypothesis predicts an unknown contrast.
    """
    chosen = tuple(all_hypotheses() if hypotheses is None else hypotheses)
    levels = levels or Levels(hypotheses=len(chosen))
    test = _Test(effects, levels, lacking)
    return {
        h.name: replace(_finding([test.check(h, p) for p in h.predictions]), hypothesis=h) for h in chosen
    }


def unexplained(why: str, hypotheses: Iterable[Hypothesis] | None = None) -> dict[str, Finding]:
    """Return all hypotheses as untested, since there is nothing to explain, or not known to be."""
    return {h.name: Finding("untested", why, hypothesis=h) for h in (hypotheses or all_hypotheses())}


def strongest(effects: Effects, findings: Mapping[str, Finding]) -> str | None:
    """Return the supported hypothesis whose weakest `most` prediction has the largest contrast.

    None: none is supported.
    """

    def weakest(finding: Finding) -> float:
        contrasts = [
            max(effects.estimates[c].estimate or 0.0 for c in checked.contrasts)
            for checked in finding.checked
            if checked.prediction.size == "most" and checked.contrasts
        ]
        return min(contrasts, default=0.0)

    supported = {name: weakest(f) for name, f in findings.items() if f.status == "supported"}
    return max(sorted(supported), key=lambda name: supported[name]) if supported else None


class _Test:
    """Tests predictions of one trait's effects."""

    def __init__(self, effects: Effects, levels: Levels, lacking: Callable[[str], str]) -> None:
        self.effects, self.levels, self.lacking = effects, levels, lacking
        self.contrasts = {c.id: c for c in effects.contrasts}

    def check(self, hypothesis: Hypothesis, prediction: Prediction) -> Checked:
        pairs = {self._id(hypothesis, c): self._arms(hypothesis, c) for c in prediction.contrasts}
        present = tuple(name for name in pairs if name in self.contrasts)
        lost = [name for name in present if self.effects.estimates[name].estimate is None]
        usable = [name for name in present if name not in lost]
        text = "; ".join(f"{name} {number(self.effects.estimates[name])}" for name in usable)
        arms = tuple(dict.fromkeys(arm for name in usable for arm in self._behind(name)))
        if prediction.size == "measured" and len(usable) == len(pairs):
            return Checked(prediction, "holds", present, arms, text)
        if usable and self._holds(prediction, usable):
            return Checked(prediction, "holds", tuple(usable), arms, text)
        untrained = {name: pair for name, pair in pairs.items() if name not in present}
        reasons = {name: next(filter(None, map(self.lacking, pair)), "") for name, pair in untrained.items()}
        missing = [arm for name, pair in untrained.items() if not reasons[name] for arm in pair]
        if missing:
            return Checked(prediction, "missing", tuple(usable), tuple(dict.fromkeys(missing)), "not trained")
        if lost:
            return Checked(prediction, "lost", (), (), self.effects.estimates[lost[0]].why)
        if any(reasons.values()):
            return Checked(prediction, "impossible", tuple(usable), (), next(filter(None, reasons.values())))
        if self._fails(prediction, usable):
            return Checked(prediction, "fails", tuple(usable), arms, text)
        return Checked(prediction, "open", tuple(usable), arms, text, self._seeds(prediction, usable))

    def _id(self, hypothesis: Hypothesis, contrast: str) -> str:
        brought = any(difference.id == contrast for difference in hypothesis.differences)
        return contrast_id(self.effects.trait, contrast) if brought else contrast

    def _arms(self, hypothesis: Hypothesis, contrast: str) -> tuple[str, ...]:
        cube = self.effects.cube
        for difference in hypothesis.differences:
            if difference.id == contrast:
                return difference.arms(self.effects.trait, cube)
        for name, first, second, _ in CORNER_DIFFERENCES:
            if name == contrast:
                return cube[first], cube[second]
        raise ValueError(f"{hypothesis.name} predicts an unknown contrast {contrast!r}")

    def _behind(self, name: str) -> tuple[str, ...]:
        return tuple(
            sorted({*self.contrasts[name].involved, self.effects.cube["OOO"], self.effects.cube["AAA"]})
        )

    def _holds(self, prediction: Prediction, names: list[str]) -> bool:
        if prediction.size == "most":
            level = self.levels.support / len(prediction.contrasts)
            return any(self._above(name, MOST, level) for name in names)
        return prediction.size == "little" and all(self._within(n, self.levels.support) for n in names)

    def _fails(self, prediction: Prediction, names: list[str]) -> bool:
        if not names or prediction.size == "measured":
            return False
        if prediction.size == "most":
            return all(self._within(name, self.levels.support, below=True) for name in names)
        return any(self._above(name, MOST, self.levels.support) for name in names)

    def _above(self, name: str, share: float, level: float) -> bool:
        """Return whether the contrast is shown to be more than `share` of D, in one test, so that shared
        noise cancels.
        """
        low, _ = self._margin(name, share, level)
        return low is not None and low > 0

    def _within(self, name: str, level: float, *, below: bool = False) -> bool:
        """Return whether it is shown to be within a third of D (TOST; Schuirmann, 1987).

        `below`: only that it is no more.
        """
        _, high = self._margin(name, LITTLE, level)
        low, _ = self._margin(name, -LITTLE, level)
        return high is not None and high < 0 and (below or (low is not None and low > 0))

    def _margin(self, name: str, share: float, level: float) -> tuple[float | None, float | None]:
        if not self.effects.training_noise:
            # One seed an arm everywhere: intervals hold the scenarios' noise alone, and decide nothing.
            return None, None
        ends = self._excess(name, share).interval(1 - 2 * level)
        return (None, None) if ends is None else ends

    def _excess(self, name: str, share: float) -> Estimate:
        weights = self.effects.weights
        return self.effects.combination((1.0, weights(name)), (-share, weights(TOTAL)))

    def _seeds(self, prediction: Prediction, names: list[str]) -> int | None:
        """Return the seeds that would narrow the interval until the nearer threshold lies outside.

        None: not known.
        """
        best: int | None = None
        for name in names:
            seeds = max(self.effects.counts.get(arm, 0) for arm in self.contrasts[name].involved)
            for share in (MOST, LITTLE):
                excess = self._excess(name, share)
                ends = excess.interval(1 - 2 * self.levels.support)
                if excess.estimate is None or ends is None:
                    continue
                side = excess.estimate > 0 if share == MOST else excess.estimate < 0
                if not side:
                    continue
                ratio = (ends[1] - ends[0]) / 2 / max(abs(excess.estimate), 1e-9)
                needed = max(seeds + 1, math.ceil(seeds * ratio**2))
                best = needed if best is None else min(best, needed)
        return best


def _finding(checked: list[Checked]) -> Finding:
    failed = [c for c in checked if c.outcome == "fails"]
    if failed:
        names = tuple(dict.fromkeys(name for c in failed for name in c.contrasts))
        text = "; ".join(f"{c.prediction.says} - predicted, but measured {c.text}" for c in failed)
        return Finding("refuted", f"{_upper(text)}.", names, tuple(checked))
    if all(c.outcome == "holds" for c in checked):
        names = tuple(dict.fromkeys(name for c in checked for name in c.contrasts))
        text = "; ".join(f"{c.prediction.says} ({c.text})" for c in checked)
        return Finding("supported", f"{_upper(text)}.", names, tuple(checked))
    text = "; ".join(_lacks(c) for c in checked if c.outcome != "holds")
    some = any(c.contrasts for c in checked)
    held = tuple(dict.fromkeys(name for c in checked if c.outcome == "holds" for name in c.contrasts))
    return Finding("undecided" if some else "untested", f"{_upper(text)}.", held, tuple(checked))


def _lacks(checked: Checked) -> str:
    says = checked.prediction.says
    if checked.outcome == "impossible":
        return f"not testable here that {says}: {checked.text}"
    if checked.outcome == "lost":
        return f"not known whether {says}: {checked.text}"
    if checked.outcome == "missing":
        return f"not trained yet, to see whether {says}: {', '.join(checked.arms)}"
    more = f"; about {checked.seeds} seeds an arm would decide it" if checked.seeds else ""
    return f"open whether {says}: {checked.text}{more}"


def _upper(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"
