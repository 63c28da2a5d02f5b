"""Effects of one trait: levels of every arm, effects over the cube, drop and swap against random, the
interpolation curve.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from mendel.design.names import mix_share, parse_arm
from mendel.diagnose.contrasts import (
    Contrast,
    Weights,
    combine,
    corner_contrasts,
    cube_contrasts,
    difference_contrasts,
    edit_contrasts,
)
from mendel.diagnose.hypotheses import differences
from mendel.diagnose.interpolation import curve_arms, half_way
from mendel.diagnose.recipes import of_recipe
from mendel.diagnose.stats.intervals import Estimate, Fit
from mendel.diagnose.stats.panel import Value, panel
from mendel.engine.interval import Interval
from mendel.study.cube import CORNERS, shared_parts

SMALLEST_EFFECT = 0.1
"""The smallest difference of interest, as a share of the scale: the least that one would change a pipeline
for.

A tenth is what the follow-up studies report as the least filter effect worth a sentence, and what 30
scenarios with 3 seeds can show; a mean of 0 to 10 has it at 1."""


@dataclass(frozen=True)
class TraitFacts:
    """What the statistics need to know of a trait beside its measurements."""

    name: str
    scale: str
    """What a value says, one line, shown in the report."""
    metric: Literal["rate", "mean"] = "rate"
    """`rate`: the share of hits; `mean`: the mean score."""
    judge: str = ""
    """Which judge gave the scores (name and rubric's digest)."""
    flagged: int | None = None
    """How many prompts are flagged for this trait; passed through."""
    score_range: tuple[float, float] | None = None
    """The judge's least and greatest score, for `mean`.

    None: 0 to 1, or as wide as the scores that were seen.
    """


@dataclass(frozen=True)
class Effects:
    """All estimates of one trait on one scale; what a verdict is made from."""

    trait: str
    scale: str
    unit: float
    """The width of the scale (1 for a rate); smallest effects are shares of it. 1 for log-odds."""
    cube: Mapping[str, str]
    contrasts: tuple[Contrast, ...]
    estimates: Mapping[str, Estimate]
    """By contrast id."""
    counts: Mapping[str, int]
    """Usable students by arm."""
    levels: Mapping[str, Estimate]
    """By arm; an arm without usable students has an Estimate of None."""
    curve: Mapping[float, str]
    half_way: Interval
    training_noise: bool
    """Whether the intervals hold the noise of training, too: that takes a second seed."""
    warnings: tuple[str, ...]
    fit: Fit | None
    rows: Mapping[str, float] = field(default_factory=dict)
    """By arm: how many rows a usable student was trained on, on average."""

    @property
    def shared(self) -> tuple[str, ...]:
        """The parts that both pipelines share."""
        return shared_parts(self.cube)

    def combination(self, *parts: tuple[float, Weights]) -> Estimate:
        """Return the estimate of a linear combination of contrasts, as one contrast."""
        if self.fit is None:
            return Estimate(None, why="nothing was measured")
        return self.fit.estimate([combine(parts)])[0]

    def same_students(self, first: str, second: str) -> bool:
        """Return whether two arms are one, or came down to the same students: equal data are trained once.

        In a run's tables a student that serves several arms is named `NAME@ARM` after the first one.
        """
        if first == second:
            return True
        if self.fit is None:
            return False
        panel = self.fit.panel
        names: dict[str, set[str]] = {first: set(), second: set()}
        for student, arm in zip(panel.students, panel.arm_of, strict=True):
            if arm in names:
                names[arm].add(student.partition("@")[0])
        # With other seeds beside them, those that both have are still no evidence of a difference.
        fewer, more = sorted(names.values(), key=len)
        return bool(fewer) and fewer <= more

    def weights(self, contrast: str) -> Weights:
        """Return the weights of a contrast by its id. Raises StopIteration for an unknown one."""
        return next(c.weights for c in self.contrasts if c.id == contrast)

    def students(self, contrast: Contrast) -> int:
        """Return how many usable students stand behind a contrast."""
        return sum(self.counts.get(arm, 0) for arm in contrast.involved)


def estimate_trait(
    students: pa.Table,
    measurements: pa.Table,
    facts: TraitFacts,
    cube: Mapping[str, str],
    shares: Mapping[str, float] | None = None,
) -> Effects:
    """Estimate every effect of one trait, on the trait's own scale. Nothing is random.

    Args:
        students: A table with the contract's columns student, arm, status and n_examples.
        measurements: A table with the contract's columns student, trait, scenario, cluster, score and hit.
        facts: The trait.
        cube: The arm of each corner `OOO` to `AAA`.
        shares: The original teacher's share by `mix` arm; None: read from the arms' names, `mix/0.25`.

    Returns:
        Levels, contrasts and the interpolation. What has no usable student has an estimate of None, with the
        reason.

    Raises:
        ValueError: A corner has no arm, or a scenario is in two clusters.
        InputError: A package's hypotheses cannot be loaded.
    """
    unknown = sorted(set(CORNERS) - set(cube))
    if unknown:
        raise ValueError(f"no arm for the corners {', '.join(unknown)}")
    bounds = trait_bounds(measurements, facts)
    value: Value = "hit" if facts.metric == "rate" else "score"
    return _effects(students, measurements, facts, cube, shares, value, bounds)


def arm_levels(
    students: pa.Table, measurements: pa.Table, facts: TraitFacts, value: Value | None = None
) -> dict[str, Estimate]:
    """Return how much of the trait each arm shows, with no cube to compare within.

    Args:
        students: As in `estimate_trait`.
        measurements: As in `estimate_trait`.
        facts: The trait.
        value: The column that is averaged; None: the one of the trait's metric.

    Returns:
        The level by arm. An arm without usable students or values is left out.
    """
    column: Value = value or ("hit" if facts.metric == "rate" else "score")
    bounds = (0.0, 1.0) if column == "hit" else trait_bounds(measurements, facts)
    scores = panel(students, measurements, facts.name, column, bounds)
    if scores is None:
        return {}
    fit = Fit(scores)
    return dict(zip(fit.arms, fit.estimate([{arm: 1.0} for arm in fit.arms]), strict=True))


def log_odds_effects(
    students: pa.Table,
    measurements: pa.Table,
    facts: TraitFacts,
    cube: Mapping[str, str],
    shares: Mapping[str, float] | None = None,
) -> Effects | None:
    """Estimate the same in nats of the trait's answer against the clean one.

    Args:
        students: As in `estimate_trait`.
        measurements: As in `estimate_trait`, with the column log_odds.
        facts: The trait.
        cube: As in `estimate_trait`.
        shares: As in `estimate_trait`.

    Returns:
        The effects; None where no log-odds were measured.
    """
    if "log_odds" not in measurements.column_names:
        return None
    of_trait = measurements["log_odds"].filter(pc.equal(measurements["trait"], facts.name))
    if of_trait.null_count == len(of_trait):
        return None
    return _effects(students, measurements, facts, cube, shares, "log_odds", None)


def _effects(
    students: pa.Table,
    measurements: pa.Table,
    facts: TraitFacts,
    cube: Mapping[str, str],
    shares: Mapping[str, float] | None,
    value: Value,
    bounds: tuple[float, float] | None,
) -> Effects:
    # Students of other recipes stand in no contrast, and lend none their noise (`robustness`).
    students = of_recipe(students)
    planned = sorted(set(students["arm"].to_pylist()))
    relevant = [arm for arm in planned if parse_arm(arm).concerns(facts.name)]
    scores = panel(students, measurements, facts.name, value, bounds)
    fit = None if scores is None else Fit(scores)
    contrasts = (
        *cube_contrasts(cube, planned),
        *corner_contrasts(cube, planned),
        *edit_contrasts(facts.name, cube, planned),
        *difference_contrasts(facts.name, cube, planned, differences()),
    )
    curve = curve_arms(cube, _shares(planned) if shares is None else shares)
    estimates = _estimate(fit, [c.weights for c in contrasts])
    by_id = {c.id: e for c, e in zip(contrasts, estimates, strict=True)}
    levels = dict(zip(relevant, _estimate(fit, [{arm: 1.0} for arm in relevant]), strict=True))
    noise = fit is not None and fit.knows_training_noise
    warnings = [] if scores is None else list(scores.warnings)
    warnings += _missing_arms(students, relevant, facts.name)
    if not noise:
        warnings.append(
            f"{facts.name}: every arm has a single usable student, so the noise of training is not "
            "in the intervals "
            "(they hold the scenarios' noise alone) and no carrier is named: train at least 2 seeds an arm"
            if fit is not None
            else f"{facts.name}: nothing was measured on a usable student"
        )
    return Effects(
        trait=facts.name,
        scale=facts.scale if bounds is not None else f"log-odds of the trait's answer (nats): {facts.scale}",
        unit=1.0 if bounds is None else bounds[1] - bounds[0],
        cube=cube,
        contrasts=contrasts,
        estimates=by_id,
        counts={} if scores is None else scores.count,
        levels=levels,
        curve=curve,
        half_way=_half_way(fit, cube, curve),
        training_noise=noise,
        warnings=tuple(warnings),
        fit=fit,
        rows=_rows(students),
    )


def _rows(students: pa.Table) -> dict[str, float]:
    usable = (
        students.filter(pc.equal(students["status"], "ok"))
        .group_by("arm")
        .aggregate([("n_examples", "mean")])
    )
    return dict(zip(usable["arm"].to_pylist(), usable["n_examples_mean"].to_pylist(), strict=True))


def trait_bounds(measurements: pa.Table, facts: TraitFacts) -> tuple[float, float]:
    """Return the least and the greatest value of a response: a rate's, the judge's, or else what was seen."""
    if facts.metric == "rate":
        return 0.0, 1.0
    if facts.score_range is not None:
        return facts.score_range
    scores = measurements["score"].filter(pc.equal(measurements["trait"], facts.name))
    seen = pc.min_max(scores.filter(pc.is_finite(pc.cast(scores, pa.float64()))))
    low, high = seen["min"].as_py(), seen["max"].as_py()
    return (0.0, 1.0) if low is None else (min(0.0, float(low)), max(1.0, float(high)))


def _estimate(fit: Fit | None, weights: list[Weights]) -> list[Estimate]:
    if fit is None:
        return [Estimate(None, why="nothing was measured") for _ in weights]
    return fit.estimate(weights)


def _half_way(fit: Fit | None, cube: Mapping[str, str], curve: Mapping[float, str]) -> Interval:
    if "teacher" in shared_parts(cube):
        return Interval(None, None, None, "the two pipelines share their teacher")
    if fit is None:
        return Interval(None, None, None, "nothing was measured")
    usable = {share: arm for share, arm in curve.items() if arm in fit.index}
    (difference,) = fit.estimate([{curve[1.0]: 1.0, curve[0.0]: -1.0}])
    return half_way(fit, usable, difference)


def _shares(arms: Iterable[str]) -> dict[str, float]:
    """Return the original teacher's share by `mix` arm."""
    return {arm: share for arm in arms if (share := mix_share(arm)) is not None}


def _missing_arms(students: pa.Table, arms: Iterable[str], trait: str) -> list[str]:
    """Return a sentence for each arm that lost students: broken is not the same as without the trait."""
    statuses: dict[str, list[str]] = {}
    for arm, status in zip(students["arm"].to_pylist(), students["status"].to_pylist(), strict=True):
        statuses.setdefault(arm, []).append(status)
    sentences = []
    for arm in arms:
        lost = sum(status != "ok" for status in statuses[arm])
        if lost == len(statuses[arm]):
            sentences.append(
                f"{trait}: no usable student in {arm} ({lost} broken or failed): what needs it is left open"
            )
        elif lost:
            sentences.append(
                f"{trait}: {lost} of {len(statuses[arm])} students in {arm} are broken or failed and "
                "do not count"
            )
    return sentences
