"""Does a verdict hold under other recipes: at other learning rates, and with the other method?

The arms that decided are trained again. Each decisive contrast is a share of the difference that the same
recipe makes. A verdict changes where the difference is gone, or where a share lies on the other side of the
line that decided, by their estimates; whether that is shown is said beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pyarrow as pa

from mendel.design.names import parse_arm, side_arm, variant_arm
from mendel.design.shared import VARIANTS
from mendel.design.words import VARIANT_WORDS
from mendel.diagnose.contrasts import TOTAL, Weights, merge
from mendel.diagnose.effects import SMALLEST_EFFECT, Effects, TraitFacts, estimate_trait
from mendel.diagnose.findings import Checked
from mendel.diagnose.hypotheses import LITTLE, MOST
from mendel.diagnose.location import LOCATED, PLACES, share_of_difference
from mendel.diagnose.reached import RecipeCheck, Verdict
from mendel.diagnose.recipes import of_recipe, variants_of
from mendel.diagnose.stats.intervals import Estimate, number
from mendel.engine.interval import Interval
from mendel.study.cube import ALTERNATE, ORIGINAL

FEWEST_SEEDS = 3
"""Students of an arm under another recipe, where the study has fewer at first."""


@dataclass(frozen=True)
class Decisive:
    """A contrast that decided a verdict: which side of which share of the difference it lies on."""

    id: str
    weights: Weights
    """By arm."""
    share: float
    """The share of the difference that it was compared with."""
    more: bool
    """Whether it was shown to be more."""
    reads: str
    """A plain clause."""


def decisive(verdict: Verdict) -> tuple[Decisive, ...]:
    """Return the contrasts that decided the cause; where none is named, those that located the trait.

    Args:
        verdict: The trait's verdict.

    Returns:
        The contrasts; none where nothing but a difference was shown.
    """
    if not verdict.present:
        return ()
    finding = verdict.findings.get(verdict.cause)
    if finding is None:
        return tuple(_located(verdict))
    return tuple({one.id: one for checked in finding.checked for one in _of_check(verdict, checked)}.values())


def repeated_arms(verdict: Verdict) -> tuple[str, ...]:
    """Return the arms that other recipes repeat: the two pipelines, and the arms behind what decided.

    Args:
        verdict: The trait's verdict.

    Returns:
        Names of arms, without variants; () where the pipelines are not shown to differ.
    """
    effects = verdict.effects
    if not verdict.present or effects.fit is None:
        return ()
    untrained = effects.fit.panel.untrained
    behind = [arm for one in decisive(verdict) for arm in one.weights if arm not in untrained]
    return tuple(dict.fromkeys((effects.cube[ORIGINAL], effects.cube[ALTERNATE], *behind)))


def most_repeated(traits: int) -> int:
    """Return how many arms can be repeated at most, for so many traits."""
    return len((ORIGINAL, ALTERNATE)) + 4 * len(PLACES) * traits


def variant_arms(verdict: Verdict, variant: str) -> list[str]:
    """Return the names of the repeated arms under one variant of the recipe."""
    return [variant_arm(arm, variant) for arm in repeated_arms(verdict)]


def with_recipes(
    verdict: Verdict,
    students: pa.Table,
    measurements: pa.Table,
    facts: TraitFacts,
) -> Verdict:
    """Return the verdict with what other recipes say of it.

    Args:
        verdict: The verdict under the study's own recipe.
        students: As in `estimate_trait`, with the students of all recipes.
        measurements: As in `estimate_trait`.
        facts: The trait.

    Returns:
        The verdict, the same where no other recipe was tried or the pipelines do not differ.
    """
    tried = variants_of(set(students["arm"].to_pylist()))
    if not tried or not verdict.present:
        return verdict
    cube = verdict.effects.cube
    checks = {
        variant: _check(
            verdict, variant, estimate_trait(of_recipe(students, variant), measurements, facts, cube)
        )
        for variant in VARIANTS
        if variant in tried
    }
    return replace(verdict, recipes=checks)


def _of_check(verdict: Verdict, checked: Checked) -> Iterator[Decisive]:
    size = checked.prediction.size
    if size == "measured":
        return
    effects = verdict.effects
    by_id = {contrast.id: contrast for contrast in effects.contrasts}
    share, more = (MOST, True) if size == "most" else (LITTLE, False)
    for name in checked.contrasts:
        excess = effects.combination((1.0, effects.weights(name)), (-share, effects.weights(TOTAL)))
        # Of several contrasts one has to be more than half: the others decided nothing.
        if not more or (excess.estimate is not None and excess.estimate > 0):
            yield Decisive(name, effects.weights(name), share, more, by_id[name].reads)


def _located(verdict: Verdict) -> Iterator[Decisive]:
    effects = verdict.effects
    for place in PLACES:
        part = verdict.location.get(place.name)
        if part is None or part.decision != "carries":
            continue
        for what, sides, share in (
            ("brings", place.brings, part.brings),
            ("takes", place.takes, part.takes),
        ):
            if share.estimate is not None and share.estimate > LOCATED:
                first, second = (side_arm(side, effects.trait, effects.cube) for side in sides)
                verb = "bring in alone" if what == "brings" else "take with them"
                weights = merge([(first, 1.0), (second, -1.0)])
                yield Decisive(f"{place.name}:{what}", weights, LOCATED, True, f"what {place.words} {verb}")


def _check(verdict: Verdict, variant: str, effects: Effects) -> RecipeCheck:
    """Return what one other recipe says of the verdict."""
    recipe, total = VARIANT_WORDS[variant], effects.estimates[TOTAL]
    counts = {variant_arm(arm, variant): effects.counts.get(arm, 0) for arm in repeated_arms(verdict)}
    levels = {name: _level(effects, name) for name in counts}
    base = RecipeCheck(recipe, total, students=min(counts.values()), levels=levels, counts=counts)
    if total.estimate is None:
        return replace(base, why=total.why)
    smallest = SMALLEST_EFFECT * effects.unit
    if total.estimate < smallest:
        ends = total.interval() if effects.training_noise else None
        shown = _shown(ends is not None and ends[1] < smallest)
        return replace(base, holds="no", why=f"the difference is gone: {number(total)}, {shown}")
    shares = {one.id: share_of_difference(effects, one.weights) for one in decisive(verdict)}
    unknown = [shares[one.id].why for one in decisive(verdict) if not shares[one.id]]
    turned = [one for one in decisive(verdict) if shares[one.id] and _turned(effects, one)]
    base = replace(base, contrasts=shares)
    if turned:
        why = "; ".join(_says(effects, one, shares[one.id]) for one in turned)
        return replace(base, holds="no", why=why)
    if unknown:
        return replace(base, why=unknown[0])
    return replace(base, holds="yes")


def _level(effects: Effects, arm: str) -> Estimate:
    return effects.levels.get(str(parse_arm(arm).plain), Estimate(None, why="no usable student"))


def _excess(effects: Effects, one: Decisive) -> Estimate:
    return effects.combination((1.0, one.weights), (-one.share, effects.weights(TOTAL)))


def _turned(effects: Effects, one: Decisive) -> bool:
    excess = _excess(effects, one).estimate
    return excess is not None and (excess < 0 if one.more else excess > 0)


def _says(effects: Effects, one: Decisive, share: Interval) -> str:
    ends = _excess(effects, one).interval() if effects.training_noise else None
    shown = _shown(ends is not None and (ends[1] < 0 if one.more else ends[0] > 0))
    low, high = ("?" if end is None else f"{100 * end:.0f}" for end in (share.low, share.high))
    side = "less" if one.more else "more"
    of = {LOCATED: "a quarter", MOST: "half"}[one.share]
    return (
        f"{one.reads} is {100 * (share.estimate or 0.0):.0f} % [{low}, {high}] of the difference, {side} "
        f"than {of}, {shown}"
    )


def _shown(shown: bool) -> str:
    return "which is shown" if shown else "by its estimate, which is not shown"
