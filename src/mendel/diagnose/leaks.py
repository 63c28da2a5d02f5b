"""Leaks: what an edit of the data leaves of a trait near to what the filter saw, and what it leaves far from
it.

A ladder measures the same students on rungs of scenarios: `near` is like what the filter saw, all others are
far. Of each edit it is said how much of the original pipeline's effect is left on each rung, and whether it
clears or raises the trait there, also where the original does not show it. So "removed" (on every rung) and
"removed where we looked" are told apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import pyarrow as pa

from mendel.design.names import trait_arm
from mendel.diagnose.effects import SMALLEST_EFFECT, TraitFacts, arm_levels, trait_bounds
from mendel.diagnose.remedies import LEAKS, OnLadder, edited_kinds
from mendel.diagnose.stats.intervals import Estimate
from mendel.diagnose.stats.ladder import LadderFit, Side, Weights, combine
from mendel.diagnose.stats.panel import Panel, Value, panel
from mendel.engine.interval import Interval

SHARE_LEFT = 1 / 3
"""An edit leaves the trait on a rung where more than this share of the original's effect is left."""

Word = Literal["removed", "removed where we looked", "not removed", "undecided"]
RungWord = Literal["cleared", "left", "raised", "open"]
"""What is shown of an edit on one rung.

`cleared`: its level is no higher than the lower pipeline's plus the smallest effect of interest, or less than
a third of the original's effect is left. `left`: more than a third is left. `raised`: it is higher than the
original pipeline's by more than the smallest effect. `open`: none of these is shown.
"""

EDITS: Mapping[str, str | None] = {"rewritten": None, "counter": None, "counter-few": None}
"""Kinds of arms that no remedy names and that take a trait away, each with its random control."""


@dataclass(frozen=True)
class Left:
    """What one arm leaves of the original pipeline's effect: (arm - alternate) / (original - alternate)."""

    rungs: Mapping[str, Interval]
    """By rung; None where the original pipeline is not shown to have the trait."""
    near: Interval
    far: Interval
    """Over the far rungs on which the original shows the trait: the mean of what is left over the mean of the
    effects.
    """


@dataclass(frozen=True)
class Leak:
    """One edit on the ladder."""

    arm: str
    levels: Mapping[str, Estimate]
    """How much of the trait its students show, by rung."""
    left: Left
    index: Interval
    """Left far over left near: 1 means that the edit works everywhere alike, above 1 that the trait leaks
    past it.
    """
    verdict: Word
    why: str
    control: tuple[str, Left] | None
    """The random control of the same size, and what it leaves."""
    rungs: Mapping[str, RungWord] = field(default_factory=dict)
    """What is shown of it, by rung; empty where the noise of training is not known."""

    def on(self, word: RungWord) -> tuple[str, ...]:
        """Return the rungs of which this word is said."""
        return tuple(rung for rung, said in self.rungs.items() if said == word)


@dataclass(frozen=True)
class Leaks:
    """A trait's ladder: how much the two pipelines show on each rung, and every edit that was trained."""

    original: Mapping[str, Estimate]
    """By rung."""
    alternate: Mapping[str, Estimate]
    shown: tuple[str, ...]
    """The rungs on which the original pipeline is shown to have more of the trait than the alternate one."""
    levels: Mapping[str, Mapping[str, Estimate]]
    """By rung, then by arm."""
    edits: Mapping[str, Leak]
    """By kind: drop, swap, rewritten, …"""
    why: str = ""
    """Why no edit is judged, where none is."""
    far: Mapping[str, Estimate] = field(default_factory=dict)
    """By arm: the mean level over the far rungs on which the original pipeline shows the trait."""

    def on_ladder(self) -> dict[str, OnLadder]:
        """Return what a recommendation has to know of the ladder, by arm."""
        edits = {leak.arm: leak for leak in self.edits.values()}
        return {
            arm: OnLadder(
                level,
                edits[arm].verdict if arm in edits else None,
                {rung: edits[arm].levels[rung] for rung in edits[arm].on("raised")} if arm in edits else {},
            )
            for arm, level in self.far.items()
        }

    def json(self) -> dict[str, object]:
        """Return the key `leaks` of a trait in `verdicts.json`."""
        content: dict[str, object] = {
            "rungs": {
                rung: {
                    "original": self.original[rung].json(),
                    "alternate": self.alternate[rung].json(),
                    "shown": rung in self.shown,
                    "levels": {arm: level.json() for arm, level in self.levels[rung].items()},
                }
                for rung in self.original
            },
            "edits": {kind: _leak_json(leak) for kind, leak in self.edits.items()},
        }
        return {**content, "why": self.why} if self.why else content


def find_leaks(
    students: pa.Table,
    measurements: pa.Table,
    facts: TraitFacts,
    rungs: Mapping[str, TraitFacts],
    cube: Mapping[str, str],
    near: str = "near",
) -> Leaks:
    """Judge every edit of one trait's data on the trait's ladder. Nothing is random.

    Args:
        students: As in `estimate_trait`.
        measurements: As in `estimate_trait`.
        facts: The trait.
        rungs: The facts of its rungs, in the order in which they are shown.
        cube: The arm of each corner.
        near: The rung that is like what the filter saw.

    Returns:
        Levels by rung, and what each edit leaves near and far. Edits without usable students are left out.

    Raises:
        InputError: A package's remedies cannot be loaded.
    """
    levels = {rung: arm_levels(students, measurements, rung_facts) for rung, rung_facts in rungs.items()}
    ends = (cube["OOO"], cube["AAA"])
    original, alternate = (
        {rung: levels[rung].get(arm, Estimate(None, why=f"no usable student in {arm}")) for rung in rungs}
        for arm in ends
    )
    bare = Leaks(original, alternate, (), levels, {})
    panels = _panels(students, measurements, rungs)
    students_by_rung = [set(scores.students) for scores in panels.values()]
    if len(panels) < len(rungs) or near not in rungs or not set.intersection(*students_by_rung):
        return replace(bare, why="no usable student was measured on every rung")
    fit = LadderFit(panels)
    if not set(ends) <= set(fit.arms):
        return replace(bare, why="the two pipelines have no usable students to compare with")
    if ends[0] == ends[1]:
        return replace(bare, why="the two pipelines are the same students")
    test = _Ladder(fit, *ends, near)
    edits = {}
    for kind, control in {**edited_kinds(), **EDITS}.items():
        arm = trait_arm(kind, facts.name)
        if arm in fit.arms:
            edits[kind] = test.leak(arm, levels, trait_arm(control, facts.name) if control else None)
    why = "" if edits else "no edit of this trait's data was trained"
    return Leaks(
        original, alternate, test.shown, levels, edits, why, {arm: test.level(arm) for arm in fit.arms}
    )


class _Ladder:
    """What is left of one trait's effect, on a fit over the rungs."""

    def __init__(self, fit: LadderFit, original: str, alternate: str, near: str) -> None:
        self.fit, self.original, self.alternate, self.near = fit, original, alternate, near
        self.shown = tuple(rung for rung in fit.rungs if self._is_shown(rung))
        self.far = tuple(rung for rung in self.shown if rung != near)

    def _is_shown(self, rung: str) -> bool:
        effect = self.fit.estimate(self._above((rung,), self.original))
        if effect.estimate is None or effect.low is None:
            return False
        return effect.low > 0 and effect.estimate >= SMALLEST_EFFECT * self._width(rung)

    def level(self, arm: str) -> Estimate:
        """Return the arm's mean level over the far rungs on which the original pipeline shows the trait."""
        if not self.far:
            return Estimate(
                None, why="the original pipeline is not shown to have the trait far from the filter"
            )
        return self.fit.estimate({rung: {arm: 1 / len(self.far)} for rung in self.far})

    def _above(self, rungs: Sequence[str], arm: str) -> Weights:
        """Return the weights of what an arm has above the alternate pipeline, averaged over rungs."""
        return {rung: {arm: 1 / len(rungs), self.alternate: -1 / len(rungs)} for rung in rungs}

    def _side(self, rungs: Sequence[str], arm: str) -> Side:
        weights = self._above(rungs, arm)
        return Side(self.fit.value(weights), weights)

    def left(self, arm: str) -> Left:
        """Return what the arm leaves, on each rung, near and far."""
        by_rung = {rung: self._left((rung,) if rung in self.shown else (), arm) for rung in self.fit.rungs}
        return Left(by_rung, by_rung[self.near], self._left(self.far, arm))

    def _left(self, rungs: Sequence[str], arm: str) -> Interval:
        if not rungs:
            return Interval(None, why="the original pipeline is not shown to have the trait there")
        return self.fit.ratio(self._side(rungs, arm), self._side(rungs, self.original))

    def leak(self, arm: str, levels: Mapping[str, Mapping[str, Estimate]], control: str | None) -> Leak:
        """Judge one edit."""
        left = self.left(arm)
        known = self.fit.knows_training_noise
        words = {rung: self._word(rung, arm) for rung in self.fit.rungs} if known else {}
        verdict, why = self._verdict(arm, left, words)
        beside = (control, self.left(control)) if control in self.fit.arms and control else None
        by_rung = {rung: levels[rung][arm] for rung in self.fit.rungs}
        return Leak(arm, by_rung, left, self._index(arm, left), verdict, why, beside, words)

    def _word(self, rung: str, arm: str) -> RungWord:
        """Return what is shown of an edit on one rung.

        `removed` asks for every rung, so `cleared` is tested at 2.5 % on each (intersection-union: R. Berger,
        Technometrics 24, 1982). One rung is enough against it, so `raised` and, far from the filter, `left`
        share 2.5 % (Bonferroni).
        """
        margin = SMALLEST_EFFECT * self._width(rung)
        above_original: Weights = {rung: {arm: 1.0, self.original: -1.0}}
        above_alternate, effect = self._above((rung,), arm), self._above((rung,), self.original)
        low, _ = self._ends(above_original, len(self.fit.rungs))
        if low > margin:
            return "raised"
        if rung not in self.shown:
            # The lower one of the two counts, and which one that is, is not known: both tests have to hold.
            highest = max(self._ends(weights)[1] for weights in (above_alternate, above_original))
            return "cleared" if highest < margin else "open"
        beyond_third = combine((1.0, above_alternate), (-SHARE_LEFT, effect))
        if self._ends(above_alternate)[1] < margin or self._ends(beyond_third)[1] < 0:
            return "cleared"
        low, _ = self._ends(beyond_third, 1 if rung == self.near else len(self.far))
        return "left" if low > 0 else "open"

    def _ends(self, weights: Weights, shared_by: int = 1) -> tuple[float, float]:
        """Return the interval at 5 % shared by that many tests; all numbers where it is unknown."""
        return self.fit.estimate(weights).interval(1 - 0.05 / shared_by) or (-np.inf, np.inf)

    def _width(self, rung: str) -> float:
        bounds = self.fit.fits[rung].panel.bounds or (0.0, 1.0)
        return bounds[1] - bounds[0]

    def _index(self, arm: str, left: Left) -> Interval:
        near, far = left.near, left.far
        if near.estimate is None or far.estimate is None:
            where = "near to" if near.estimate is None else "far from"
            return Interval(
                None, why=f"the original pipeline is not shown to have the trait {where} the filter"
            )
        if near.low is None or near.low <= 0:
            return Interval(None, why=f"nothing is shown to be left near the filter; left far: {_text(far)}")
        return self.fit.ratio(self._linear(self.far, arm), self._linear((self.near,), arm))

    def _linear(self, rungs: Sequence[str], arm: str) -> Side:
        """Return what is left as a side of a further ratio: its denominator is shown to be above 0, so the
        delta method serves.
        """
        top, bottom = self._side(rungs, arm), self._side(rungs, self.original)
        share = top.value / bottom.value
        weights = combine((1 / bottom.value, top.weights), (-share / bottom.value, bottom.weights))
        return Side(share, weights)

    def _verdict(self, arm: str, left: Left, words: Mapping[str, RungWord]) -> tuple[Word, str]:
        """Read the rungs' words. `docs/leaks.md` has the rules and how often they hold."""
        if not words:
            return (
                "undecided",
                "One usable student an arm says nothing about the noise of training; it takes at "
                "least 2 seeds.",
            )
        if self.near not in self.shown:
            near = f"Near to the filter there is nothing to remove: {left.near.why}"
        else:
            near = f"Left near: {_text(left.near)}{_SAYS[words[self.near]]}"
        raised = [rung for rung, word in words.items() if word == "raised"]
        higher = f"Higher than in the original pipeline on {self._against(raised, arm)}."
        is_clear = words[self.near] == "cleared" and self.near in self.shown
        if not is_clear:
            # An edit that raises the trait elsewhere may still have cleared it near: that is not known.
            word: Word = "not removed" if words[self.near] in ("left", "raised") else "undecided"
            return word, f"{near}. {higher}" if raised else f"{near}."
        if len(words) == 1:
            return "undecided", f"{near}; no rung far from the filter was measured."
        far = f"{near}; far: {_text(left.far)}" if self.far else f"{near}; far from the filter {left.far.why}"
        if raised:
            return LEAKS, f"{far}. {higher}"
        leaking = [rung for rung in self.far if words[rung] == "left"]
        open_ = [rung for rung, word in words.items() if word == "open"]
        if leaking or (open_ and self._mean_remains(arm)):
            where = f", on {', '.join(leaking)}" if leaking else ""
            return LEAKS, f"{far}, more than {_THIRD}{where}."
        if open_:
            tail = f"not shown to be cleared on {', '.join(open_)}: more seeds or scenarios would decide it"
            return "undecided", f"{far}; {tail}."
        clear = f"less than {_THIRD}, or at most {SMALLEST_EFFECT:g} of the scale above the lower pipeline"
        return "removed", f"{far}; on every rung {clear}."

    def _mean_remains(self, arm: str) -> bool:
        """Return whether more than a third is shown to be left on average over the far rungs on which the
        original shows the trait.
        """
        if not self.far:
            return False
        above, effect = self._above(self.far, arm), self._above(self.far, self.original)
        return self._ends(combine((1.0, above), (-SHARE_LEFT, effect)))[0] > 0

    def _against(self, rungs: Sequence[str], arm: str) -> str:
        """Return rungs with the edit's level against the original's: `surface (0.80 against 0.10)`."""
        pairs = (
            (self.fit.value({rung: {arm: 1.0}}), self.fit.value({rung: {self.original: 1.0}}))
            for rung in rungs
        )
        return ", ".join(
            f"{rung} ({mine + 0.0:.2f} against {original + 0.0:.2f})"
            for rung, (mine, original) in zip(rungs, pairs, strict=True)
        )


_THIRD = "a third of the original's effect"
_SAYS: Mapping[RungWord, str] = {
    "cleared": ", shown to be cleared",
    "left": f", more than {_THIRD}",
    "raised": "",
    "open": f", neither shown to be cleared nor to be more than {_THIRD}",
}


def _panels(students: pa.Table, measurements: pa.Table, rungs: Mapping[str, TraitFacts]) -> dict[str, Panel]:
    """Return a panel for each rung that was measured."""
    panels = {}
    for rung, facts in rungs.items():
        value: Value = "hit" if facts.metric == "rate" else "score"
        scores = panel(students, measurements, facts.name, value, trait_bounds(measurements, facts))
        if scores is not None:
            panels[rung] = scores
    return panels


def _leak_json(leak: Leak) -> dict[str, object]:
    content = {
        "arm": leak.arm,
        "levels": {rung: level.json() for rung, level in leak.levels.items()},
        **_left_json(leak.left),
        "index": leak.index.json(),
        "verdict": leak.verdict,
        "raised": list(leak.on("raised")),
        "open": list(leak.on("open")),
        "why": leak.why,
    }
    return (
        {**content, "control": {"arm": leak.control[0], **_left_json(leak.control[1])}}
        if leak.control
        else content
    )


def _left_json(left: Left) -> dict[str, object]:
    return {
        "left": {rung: ratio.json() for rung, ratio in left.rungs.items()},
        "left_near": left.near.json(),
        "left_far": left.far.json(),
    }


def _text(ratio: Interval) -> str:
    """Return `0.42 [0.31, 0.55]`, as shares of the original's effect."""
    if ratio.estimate is None:
        return "unknown"
    if ratio.low is None or ratio.high is None:
        return f"{ratio.estimate + 0.0:.2f} [unknown]"
    return f"{ratio.estimate:.2f} [{ratio.low:.2f}, {ratio.high:.2f}]"
