"""How virulent a trait is: how small a share of the original teacher's rollouts still brings it, over many
random subsets.

A student of share s learned a random s of the prompts from the original teacher and the rest from the
alternate one. `half_way` of the interpolation gives the half-way share and its interval; here a trait's
students are grouped by subset, the subsets of one share are compared with each other, and the half-way shares
of two traits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mendel.diagnose.contrasts import Weights
from mendel.diagnose.effects import TraitFacts, trait_bounds
from mendel.diagnose.interpolation import above_middle, half_way, monotone
from mendel.diagnose.stats.intervals import Estimate, Fit
from mendel.diagnose.stats.panel import Floats, Panel, Value, panel
from mendel.diagnose.stats.subsets import Subsets, spread_over
from mendel.engine.interval import Interval

Says = Literal["more virulent", "less virulent", "undecided"]


@dataclass(frozen=True)
class ShareStudent:
    """A trained student and what it was trained on."""

    student: str
    """Its name in the tables."""
    share: float
    """Share of its prompts that the original teacher answered, 0 to 1."""
    subset: str
    """Students of one share and one subset had the same prompts answered by the original teacher."""


@dataclass(frozen=True)
class Dose:
    """One share: the level that its subsets show, and how they are spread."""

    share: float
    level: Estimate
    """Mean over subsets; the interval covers new subsets, new seeds and new scenarios."""
    fitted: float
    """The level of the closest curve that never turns."""
    subsets: Subsets | None
    """None at the shares 0 and 1, of which there is one subset each."""

    def json(self) -> dict[str, object]:
        """Return the value for `--json`."""
        subsets = None if self.subsets is None else self.subsets.json()
        return {"share": self.share, "level": self.level.json(), "fitted": self.fitted, "subsets": subsets}


@dataclass(frozen=True)
class Virulence:
    """One trait's dose-response; on the trait's own scale."""

    trait: str
    scale: str
    curve: tuple[Dose, ...]
    """By share, the smallest first."""
    half_way: Interval
    """The share that brings half of the effect, with the level taken to be linear between the trained shares.
    """
    below: float | None
    """The greatest trained share that is shown to bring less than half of the effect."""
    above: float | None
    """The smallest one that is shown to bring more. Between `below` and this the half-way share lies whatever
    the curve does there, as long as more never brings less: a step has no narrower interval than that."""
    warnings: tuple[str, ...]
    fit: Fit | None = field(default=None, repr=False, compare=False)
    middle: Weights = field(default_factory=dict, repr=False, compare=False)
    """Weights, by arm, of the level at the half-way share minus the middle of the ends."""

    def json(self) -> dict[str, object]:
        """Return the value for `--json`."""
        return {
            "scale": self.scale,
            "half_way": self.half_way.json() if self.half_way else None,
            "below": self.below,
            "above": self.above,
            "why": self.half_way.why,
            "curve": [dose.json() for dose in self.curve],
        }


@dataclass(frozen=True)
class VirulenceComparison:
    """Which of two traits needs the smaller share."""

    first: str
    second: str
    difference: Interval
    """The first one's half-way share minus the second one's."""
    says: Says
    """Of the first trait."""

    def json(self) -> dict[str, object]:
        """Return the value for `--json`."""
        traits = [self.first, self.second]
        return {"traits": traits, "difference": self.difference.json(), "says": self.says}


def trait_virulence(
    trained: Sequence[ShareStudent], students: pa.Table, measurements: pa.Table, facts: TraitFacts
) -> Virulence:
    """Estimate one trait's dose-response over the `trained` students. Nothing is random.

    By simulation (300 studies a curve; shares .01 to .5, 6 subsets each, 2 students at each end, 30
    scenarios; `benchmarks/virulence.py`) the interval of the half-way share covers 95 % on a linear curve, 93
    and 92 % on saturating ones (half-way at .21 and .034). Where the curve bends between two trained shares
    it is not to be trusted: with s cubed (.79, nothing trained between .5 and 1) it covers none. `below` and
    `above` hold the truth in 99.7 to 100 % in all four.

    Args:
        trained: The students with their shares and subsets, those of the shares 0 and 1 among them.
        students: A table with the contract's columns; only students with status `ok` count.
        measurements: A table with the contract's columns.
        facts: The trait.

    Returns:
        The curve by share, and the share that brings half of the effect.
    """
    by_name = {student.student: student for student in trained}
    mine = students.filter(pc.is_in(students["student"], value_set=pa.array(sorted(by_name), pa.string())))
    arms = pa.array([_arm(by_name[name].share) for name in mine["student"].to_pylist()], pa.string())
    mine = mine.set_column(mine.column_names.index("arm"), "arm", arms)
    value: Value = "hit" if facts.metric == "rate" else "score"
    scores = panel(mine, measurements, facts.name, value, trait_bounds(measurements, facts))
    if scores is None:
        nothing = Interval(None, None, None, "nothing was measured")
        return Virulence(facts.name, facts.scale, (), nothing, None, None, ())
    return assess(scores, by_name, facts.name, facts.scale)


def assess(scores: Panel, trained: Mapping[str, ShareStudent], trait: str, scale: str = "") -> Virulence:
    """Estimate the same from a panel whose arms are named `share/…` and hold the students of one share."""
    fit = Fit(_by_subset(scores, trained))
    arms = {trained[student].share: arm for student, arm in zip(scores.students, scores.arm_of, strict=True)}
    arms = dict(sorted(arms.items()))
    levels = dict(zip(arms, fit.estimate([{arm: 1.0} for arm in arms.values()]), strict=True))
    ends = {arms[1.0]: 1.0, arms[0.0]: -1.0} if {0.0, 1.0} <= set(arms) else {_arm(0.0): -1.0, _arm(1.0): 1.0}
    difference = fit.estimate([ends])[0]
    half = half_way(fit, arms, difference)
    rising = difference.estimate is None or difference.estimate > 0
    rows = [fit.index[arm] for arm in arms.values()]
    curve = monotone(fit.levels[rows], fit.count[rows], rising)
    middle = None
    if half.estimate is not None:
        middle = float((fit.levels[fit.index[arms[0.0]]] + fit.levels[fit.index[arms[1.0]]]) / 2)
    below, above = _bracket(fit, arms, rising) if half.estimate is not None else (None, None)
    doses = []
    for position, (share, arm) in enumerate(arms.items()):
        mine = [i for i, other in enumerate(scores.arm_of) if other == arm]
        names = [trained[scores.students[i]].subset for i in mine]
        inside = 0.0 < share < 1.0
        spread = spread_over(names, scores.sums[mine], scores.sizes, middle, rising) if inside else None
        doses.append(Dose(share, levels[share], float(curve[position]), spread))
    weights = {} if half.estimate is None else above_middle(half.estimate, arms)
    return Virulence(trait, scale, tuple(doses), half, below, above, scores.warnings, fit, weights)


def compare(first: Virulence, second: Virulence) -> VirulenceComparison:
    """Decide which trait needs the smaller share to be half-way in.

    The other way round gives the mirror image.

    The interval of the difference joins those of the two shares (MOVER: G. Zou and A. Donner, Stat. Med. 27,
    2008; with Zou's term for correlated ones, Psychol. Methods 12, 2007), whose ends need not lie evenly
    about them. The correlation is that of the subsets and seeds which both traits share; scenarios are each
    trait's own. By simulation (as in `trait_virulence`, subsets' effects correlated by -.7, 0, .7) it covers
    94 to 98 %. Where both shares lie in one gap between trained shares, their order would rest on the
    straight line there: undecided.

    Args:
        first: One trait.
        second: The other trait.

    Returns:
        The difference of the half-way shares, and what it says of the first trait.
    """
    a, b = _ends(first.half_way), _ends(second.half_way)
    if a is None or b is None:
        which = first if a is None else second
        missing = Interval(None, why=f"{which.trait} has no half-way share: {which.half_way.why}")
        return VirulenceComparison(first.trait, second.trait, missing, "undecided")
    r = _correlation(first, second)
    (least_a, at_a, most_a), (least_b, at_b, most_b) = a, b
    down_a, up_a, down_b, up_b = at_a - least_a, most_a - at_a, at_b - least_b, most_b - at_b
    value = at_a - at_b
    low = value - float(np.sqrt(max(down_a**2 + up_b**2 - 2 * r * down_a * up_b, 0.0)))
    high = value + float(np.sqrt(max(up_a**2 + down_b**2 - 2 * r * up_a * down_b, 0.0)))
    says: Says = "more virulent" if high < 0 else "less virulent" if low > 0 else "undecided"
    why, gap = "", _gap(first, at_a)
    if says != "undecided" and gap == _gap(second, at_b):
        says = "undecided"
        why = f"both lie between the shares {gap[0]:.3g} and {gap[1]:.3g}: train more shares in between"
    return VirulenceComparison(first.trait, second.trait, Interval(value, low, high, why), says)


def _ends(half: Interval) -> tuple[float, float, float] | None:
    """Return low, estimate and high; None where there is no half-way share."""
    if half.estimate is None or half.low is None or half.high is None:
        return None
    return half.low, half.estimate, half.high


def _gap(virulence: Virulence, at: float) -> tuple[float, float]:
    """Return the trained shares next to `at`, which lies above the first and not above the second."""
    shares = [dose.share for dose in virulence.curve]
    right = max(next(i for i, share in enumerate(shares) if share >= at), 1)
    return shares[right - 1], shares[right]


def _arm(share: float) -> str:
    return f"share/{share:.6g}"


def _by_subset(scores: Panel, trained: Mapping[str, ShareStudent]) -> Panel:
    """Return the panel with one row a subset, the mean over its students.

    At the shares 0 and 1 a student is a row of its own.
    """
    rows: dict[tuple[str, str], list[int]] = {}
    for row, (student, arm) in enumerate(zip(scores.students, scores.arm_of, strict=True)):
        dosed = trained[student]
        inside = 0.0 < dosed.share < 1.0
        rows.setdefault((arm, dosed.subset if inside else student), []).append(row)
    names = sorted(rows)
    return Panel(
        students=tuple(f"{arm}#{subset}" for arm, subset in names),
        arm_of=tuple(arm for arm, _ in names),
        sums=np.stack([scores.sums[rows[name]].mean(axis=0) for name in names]),
        sizes=scores.sizes,
        untrained=scores.untrained,
        bounds=scores.bounds,
        warnings=scores.warnings,
    )


def _bracket(fit: Fit, arms: Mapping[float, str], rising: bool) -> tuple[float | None, float | None]:
    """Return the greatest share shown to be below the middle of the ends and the smallest shown above.

    None if they contradict.
    """
    low, high = 0.0, 1.0
    inside = [share for share in arms if 0.0 < share < 1.0]
    tested = fit.estimate([above_middle(share, arms) for share in inside])
    for share, excess in zip(inside, tested, strict=True):
        ends = excess.interval()
        if ends is None:
            continue
        least, most = ends if rising else (-ends[1], -ends[0])
        if most < 0:
            low = max(low, share)
        if least > 0:
            high = min(high, share)
    return (low, high) if low < high else (None, None)


def _correlation(first: Virulence, second: Virulence) -> float:
    """Return the correlation of the two half-way shares' errors, by the delta method, from subsets that were
    measured on both traits.
    """
    fit, other = first.fit, second.fit
    if fit is None or other is None:
        return 0.0
    levels = [dict(zip(each.panel.students, _levels(each.panel), strict=True)) for each in (fit, other)]
    scale = (fit.estimate([first.middle])[0].se or 0.0) * (other.estimate([second.middle])[0].se or 0.0)
    if scale == 0:
        return 0.0
    arm_of = dict(zip(fit.panel.students, fit.panel.arm_of, strict=True))
    covariance = 0.0
    for arm in sorted(set(first.middle) & set(second.middle)):
        paired = [unit for unit in levels[0] if arm_of[unit] == arm and unit in levels[1]]
        if len(paired) > 1:
            x, y = (np.array([by_unit[unit] for unit in paired]) for by_unit in levels)
            joint = float(((x - x.mean()) * (y - y.mean())).sum()) / ((len(paired) - 1) * len(paired))
            covariance += first.middle[arm] * second.middle[arm] * joint
    # A level above the curve lowers the half-way share of a rising curve and raises that of a falling one.
    sign = _direction(first) * _direction(second)
    return float(np.clip(sign * covariance / scale, -1.0, 1.0))


def _levels(scores: Panel) -> Floats:
    return np.asarray(scores.sums.sum(axis=1) / scores.sizes.sum())


def _direction(virulence: Virulence) -> float:
    return 1.0 if virulence.curve[-1].fitted >= virulence.curve[0].fitted else -1.0
