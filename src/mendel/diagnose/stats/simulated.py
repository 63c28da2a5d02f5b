"""Simulated studies: responses drawn by a logistic model with noise of clusters, scenarios and training."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mendel.diagnose.stats.intervals import Fit
from mendel.diagnose.stats.panel import Floats, Panel

STUDIES = 80
"""Simulated studies for each answer: the power at the answer is known to 4.5 points (one standard error)."""
FEWEST_STUDIES = 40
CELLS = 1_000_000
"""Responses that are simulated for one answer at most; a larger study is simulated less often."""
FEW_SAMPLES = 2
"""Up to so many responses to a scenario are drawn one by one; of more, the share of hits is nearly normal."""
CLUSTER_SD = SCENARIO_SD = 0.7
"""Standard deviation between clusters, and between the scenarios of a cluster, in logits."""


@dataclass(frozen=True)
class ProbeShape:
    """How a trait is measured: all that power depends on."""

    sizes: tuple[int, ...]
    """Scenarios by cluster."""
    samples: int = 1
    """Responses to each scenario."""

    def repeated(self, times: int) -> ProbeShape:
        """Return the same with so many times the clusters."""
        return ProbeShape(self.sizes * times, self.samples)


@dataclass(frozen=True)
class SimulatedStudy:
    """The random numbers of one simulated study."""

    shape: ProbeShape
    arms: tuple[str, ...]
    students: Floats
    """(arms, seeds): how far each student is off, in logits."""
    scenarios: Floats
    """(scenarios,): how far each scenario is off, in logits."""
    draws: Floats
    """(arms, seeds, scenarios, samples): a response is a hit where its chance exceeds this. Of more than
    `FEW_SAMPLES`, (arms, seeds, scenarios, 1): how far the share of hits is off, in standard deviations."""
    variance: float

    def fit(self, levels: Mapping[str, float]) -> Fit:
        """Return the fit of the study with these mean levels by arm, 0 to 1."""
        centre = np.array([_logit(levels[arm]) for arm in self.arms])
        # A mean over normal noise lies nearer to 1/2 than its centre: the usual factor for logistic models.
        centre = centre * math.sqrt(1 + math.pi / 8 * self.variance)
        logits = centre[:, None, None] + self.students[:, :, None] + self.scenarios
        chance = 1 / (1 + np.exp(-logits))
        if self.shape.samples <= FEW_SAMPLES:
            hits = (self.draws < chance[..., None]).mean(axis=3)
        else:
            noise = np.sqrt(chance * (1 - chance) / self.shape.samples)
            hits = np.clip(chance + noise * self.draws[..., 0], 0, 1)
        return Fit(panel_of(self.shape, self.arms, hits))


def panel_of(shape: ProbeShape, arms: tuple[str, ...], hits: Floats) -> Panel:
    """Return the panel of students whose responses are given, (arms, seeds, scenarios)."""
    seeds = hits.shape[1]
    starts = np.concatenate([[0], np.cumsum(shape.sizes)[:-1]])
    sums = np.add.reduceat(hits.reshape(len(arms) * seeds, -1), starts, axis=1)
    of_student = tuple(arm for arm in arms for _ in range(seeds))
    names = tuple(f"{arm}#{i}" for i, arm in enumerate(of_student))
    return Panel(names, of_student, sums, np.asarray(shape.sizes, dtype=np.float64), bounds=(0.0, 1.0))


def _logit(level: float) -> float:
    inside = min(max(level, 1e-9), 1 - 1e-9)
    return math.log(inside / (1 - inside))


def simulated_studies(
    shape: ProbeShape, seeds: int, arms: tuple[str, ...], spread: float, rng: np.random.Generator
) -> list[SimulatedStudy]:
    """Return the random numbers of as many studies as an answer needs.

    Args:
        shape: How the trait is measured.
        seeds: Students of every arm.
        arms: The arms.
        spread: Standard deviation between students of an arm, in logits.
        rng: Source of the numbers.

    Returns:
        `STUDIES` studies; fewer, but `FEWEST_STUDIES` or more, where a study has many responses.
    """
    n, few = sum(shape.sizes), shape.samples <= FEW_SAMPLES
    cells = len(arms) * seeds * n * (shape.samples if few else 1)
    count = int(np.clip(CELLS // cells, FEWEST_STUDIES, STUDIES))
    variance = spread**2 + CLUSTER_SD**2 + SCENARIO_SD**2
    return [
        SimulatedStudy(
            shape,
            arms,
            rng.normal(0, spread, (len(arms), seeds)),
            np.repeat(rng.normal(0, CLUSTER_SD, len(shape.sizes)), shape.sizes)
            + rng.normal(0, SCENARIO_SD, n),
            rng.random((len(arms), seeds, n, shape.samples))
            if few
            else rng.normal(0, 1, (len(arms), seeds, n, 1)),
            variance,
        )
        for _ in range(count)
    ]
