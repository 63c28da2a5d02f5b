"""The state of a trait: do the pipelines differ in it, do both show it, does neither?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mendel.diagnose.contrasts import TOTAL, Weights
from mendel.diagnose.effects import SMALLEST_EFFECT, Effects
from mendel.diagnose.sentences import Said, say
from mendel.diagnose.stats.intervals import Estimate, number
from mendel.study.cube import ALTERNATE, ORIGINAL

State = Literal["difference", "shared", "absent", "undecided"]

LOW = 0.2
"""A level below this share of the scale is low. Fourteen clusters of scenarios, none of which shows the
trait, leave up to .19 possible."""
AGREE = 3
"""Students of each pipeline that must agree before a trait is called absent: of six students none would show
a trait that half of all trainings bring with a chance of 1.6 %."""


@dataclass(frozen=True)
class StateVerdict:
    """The state of a trait, and why."""

    state: State
    why: Said
    reverse: bool = False
    """Whether the alternate pipeline is shown to have more of the trait."""


def trait_state(effects: Effects, error: float) -> StateVerdict:
    """Decide the state of a trait.

    - `difference`: original minus alternate is shown to be above 0, and is at least the smallest effect of
      interest;
    - `shared`: both levels are shown to be above the smallest effect of interest, each to be more than half
      of the other, and the difference is not shown; of pipelines that are the same students, it is enough
      that these are above it;
    - `absent`: in at least `AGREE` students of each pipeline, none above `LOW`, both levels are shown to be
      below `LOW`; this is about the students that were trained;
    - `undecided`: everything else.

    Args:
        effects: The trait's effects.
        error: The level of the two-sided tests.

    Returns:
        The state with its sentence.
    """
    total = effects.estimates[TOTAL]
    original, alternate = (_level(effects, corner) for corner in (ORIGINAL, ALTERNATE))
    values = {"original": number(original), "alternate": number(alternate), "difference": number(total)}
    if total.estimate is None or original.estimate is None or alternate.estimate is None:
        why = total.why or original.why or alternate.why
        return StateVerdict("undecided", say("state-unmeasured", why=why))
    ends = total.interval(1 - error)
    smallest = SMALLEST_EFFECT * effects.unit
    if _same_students(effects) and _these(effects, ORIGINAL)[0] > SMALLEST_EFFECT:
        return StateVerdict("shared", say("state-same-students", **values))
    if not effects.training_noise:
        return StateVerdict("undecided", say("state-one-seed", **values))
    if ends is not None and ends[0] > 0 and total.estimate >= smallest:
        return StateVerdict("difference", say("state-difference", **values))
    if ends is not None and ends[1] < 0 and total.estimate <= -smallest:
        return StateVerdict("undecided", say("state-reverse", **values), reverse=True)
    if _above(original, smallest) and _above(alternate, smallest) and _alike(effects, error):
        return StateVerdict("shared", say("state-shared", **values))
    if all(_absent(effects, corner) for corner in (ORIGINAL, ALTERNATE)):
        highest = max(_these(effects, corner)[1] for corner in (ORIGINAL, ALTERNATE))
        count = sum(effects.counts.get(arm, 0) for arm in {effects.cube[ORIGINAL], effects.cube[ALTERNATE]})
        return StateVerdict("absent", say("state-absent", **values, highest=f"{highest:.2f}", count=count))
    return StateVerdict("undecided", say("state-undecided", **values, smallest=f"{smallest:g}"))


def half_as_much(effects: Effects) -> tuple[Weights, Weights]:
    """Return the weights of either pipeline's level less half of the other one's.

    Above 0 for both, most of the trait is there whatever the pipelines differ in.
    """
    ends = effects.cube[ORIGINAL], effects.cube[ALTERNATE]
    return {ends[0]: 1.0, ends[1]: -0.5}, {ends[1]: 1.0, ends[0]: -0.5}


def _alike(effects: Effects, error: float) -> bool:
    """Return whether either pipeline is shown to have more than half of what the other one has."""
    assert effects.fit is not None
    bounds = effects.fit.panel.bounds
    # A scale may begin elsewhere than at 0; what counts is how far a level lies above its beginning.
    beginning = 0.5 * bounds[0] if bounds else 0.0
    intervals = (excess.interval(1 - error) for excess in effects.fit.estimate(half_as_much(effects)))
    return all(ends is not None and ends[0] > beginning for ends in intervals)


def _level(effects: Effects, corner: str) -> Estimate:
    return effects.levels.get(effects.cube[corner], Estimate(None, why="no usable student"))


def _same_students(effects: Effects) -> bool:
    return effects.cube[ORIGINAL] == effects.cube[ALTERNATE]


def _above(level: Estimate, smallest: float) -> bool:
    return level.low is not None and level.low > smallest


def _these(effects: Effects, corner: str) -> tuple[float, float]:
    """Return a level's interval for the students that were trained, as shares of the scale."""
    ends = _level(effects, corner).of_these_students(0.9)
    least = 0.0 if effects.fit is None or effects.fit.panel.bounds is None else effects.fit.panel.bounds[0]
    if ends is None:
        return 0.0, 1.0
    return (ends[0] - least) / effects.unit, (ends[1] - least) / effects.unit


def _absent(effects: Effects, corner: str) -> bool:
    arm = effects.cube[corner]
    if effects.fit is None or effects.counts.get(arm, 0) < AGREE or effects.fit.panel.broken.get(arm):
        return False
    bounds = effects.fit.panel.bounds
    if bounds is None:
        return False
    students = (effects.fit.students(arm) - bounds[0]) / effects.unit
    return bool((students < LOW).all()) and _these(effects, corner)[1] < LOW
