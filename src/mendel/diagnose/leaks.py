"""Leaks: what an edit of the data leaves of a trait near to what the filter saw, and what it leaves far from
it.

A ladder measures the same students on rungs of scenarios: `near` is like what the filter saw, all others are
far. Of each edit it is said how much of the original pipeline's effect is left on each rung, so that
"removed" and "removed where we looked" are told apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import pyarrow as pa

from mendel.design.names import trait_arm
from mendel.diagnose.effects import SMALLEST_EFFECT, TraitFacts, arm_levels, trait_bounds
from mendel.diagnose.hypotheses import LITTLE
from mendel.diagnose.remedies import LEAKS, OnLadder, edited_kinds
from mendel.diagnose.stats.intervals import Estimate
from mendel.diagnose.stats.ladder import LadderFit, Side, Weights, combine
from mendel.diagnose.stats.panel import Panel, Value, panel
from mendel.engine.interval import Interval

Word = Literal["removed", "removed where we looked", "not removed", "undecided"]

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
        verdicts = {leak.arm: leak.verdict for leak in self.edits.values()}
        return {arm: OnLadder(level, verdicts.get(arm)) for arm, level in self.far.items()}

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
        bounds = self.fit.fits[rung].panel.bounds or (0.0, 1.0)
        if effect.estimate is None or effect.low is None:
            return False
        return effect.low > 0 and effect.estimate >= SMALLEST_EFFECT * (bounds[1] - bounds[0])

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
        verdict, why = self._verdict(arm, left)
        beside = (control, self.left(control)) if control in self.fit.arms and control else None
        by_rung = {rung: levels[rung][arm] for rung in self.fit.rungs}
        return Leak(arm, by_rung, left, self._index(arm, left), verdict, why, beside)

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

    def _verdict(self, arm: str, left: Left) -> tuple[Word, str]:
        """Read 95 % intervals against a third of the original's effect.

        `docs/leaks.md` has the rules and how often they hold.
        """
        third = "a third of the original's effect"
        if not self.fit.knows_training_noise:
            return (
                "undecided",
                "One usable student an arm says nothing about the noise of training; it takes at "
                "least 2 seeds.",
            )
        near, far = left.near, left.far
        if near.estimate is None:
            return "undecided", f"Near to the filter there is nothing to remove: {near.why}."
        if near.low is not None and near.low > LITTLE:
            return "not removed", f"Left near: {_text(near)}, more than {third}."
        if near.high is None or near.high >= LITTLE:
            return "undecided", f"Left near: {_text(near)}, neither more nor less than {third} for sure."
        if far.estimate is None:
            return "undecided", f"Left near: {_text(near)}; far from the filter {far.why}."
        leaking = [rung for rung in self.far if self._remains(rung, arm)]
        if leaking or (far.low is not None and far.low > LITTLE):
            where = f", on {', '.join(leaking)}" if leaking else ""
            why = f"Left near: {_text(near)}; far: {_text(far)}, more than {third}{where}."
            return LEAKS, why
        high = [rung for rung in self.far if (left.rungs[rung].estimate or 0.0) >= LITTLE]
        if far.high is not None and far.high < LITTLE and not high:
            return "removed", f"Left near: {_text(near)}; far: {_text(far)}, less than {third}."
        doubt = f", but more may be left on {', '.join(high)}" if high else ""
        return (
            "undecided",
            f"Left near: {_text(near)}; far: {_text(far)}{doubt}: more seeds or scenarios would decide it.",
        )

    def _remains(self, rung: str, arm: str) -> bool:
        """Return whether more than a third is shown to be left on one far rung, at 2.5 % shared by all of
        them (Bonferroni).
        """
        excess = combine((1.0, self._above((rung,), arm)), (-LITTLE, self._above((rung,), self.original)))
        ends = self.fit.estimate(excess).interval(1 - 0.05 / len(self.far))
        return ends is not None and ends[0] > 0


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
