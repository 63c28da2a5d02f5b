"""Intervals for weighted differences between arms *and* rungs of a ladder: the same students on different
scenarios.

Each rung has a `Fit` of its own, and its clusters are independent of the other rungs'. The students are the
same on all rungs, so what a seed moves on one rung it may move on another: the variance by seeds takes the
covariance over rungs, and moderates it as `Fit` does, with the correlation of all arms. On a single rung
everything comes down to `Fit`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from mendel.diagnose.stats.intervals import LEVEL, PRIOR_DF, Estimate, Fit
from mendel.diagnose.stats.panel import Floats, Panel
from mendel.engine.interval import Interval

Weights = Mapping[str, Mapping[str, float]]
"""By rung, then by arm."""

FARTHEST = 1e3
"""A ratio whose interval reaches beyond this is unknown: its denominator may be 0."""


@dataclass(frozen=True)
class Side:
    """Numerator or denominator of a ratio: its value, and the weights by which it varies."""

    value: float
    weights: Weights


class LadderFit:
    """One trait's levels by rung and arm, and the variance of any weighted sum of them."""

    def __init__(self, panels: Mapping[str, Panel]) -> None:
        """Fit every rung; students that lack a rung are left out of all.

        Raises ValueError where no student has every rung.
        """
        common = set.intersection(*(set(panel.students) for panel in panels.values()))
        if not common:
            raise ValueError("no student was measured on every rung")
        self.fits = {rung: Fit(_of(panel, common)) for rung, panel in panels.items()}
        self.rungs = tuple(self.fits)
        first = next(iter(self.fits.values()))
        self.arms, self.index = first.arms, first.index
        self.levels: Floats = np.stack([fit.levels for fit in self.fits.values()])
        code = np.array([self.index[arm] for arm in first.panel.arm_of])
        deviation = np.stack(
            [
                fit.panel.sums.sum(axis=1) / fit.panel.sizes.sum() - fit.levels[code]
                for fit in self.fits.values()
            ]
        )
        self.seed_part, self.common_part = self._moderated(deviation, code)
        self.knows_training_noise = all(fit.knows_training_noise for fit in self.fits.values())

    def _moderated(self, deviation: Floats, code: Floats) -> tuple[Floats, Floats]:
        """Return two arrays (arms, rungs, rungs): the covariance of an arm's levels by its seeds, and what of
        it is common to all arms.
        """
        first = self.fits[self.rungs[0]]
        squares = deviation @ deviation.T
        spread = np.sqrt(np.diag(squares))
        with np.errstate(divide="ignore", invalid="ignore"):
            correlation = np.nan_to_num(squares / np.outer(spread, spread))
        own_df = np.where(first.trained, first.count - 1, 0.0)
        covariance, common = [], []
        for arm in range(len(self.arms)):
            mine = deviation[:, code == arm]
            scale = np.sqrt([fit.common_part[arm] for fit in self.fits.values()])
            shared = correlation * np.outer(scale, scale)
            own = mine @ mine.T if own_df[arm] > 0 else np.zeros_like(shared)
            common.append(shared)
            covariance.append(shared + own / ((PRIOR_DF + own_df[arm]) * first.count[arm]))
        return np.stack(covariance), np.stack(common)

    def value(self, weights: Weights) -> float:
        """Return the weighted sum of levels."""
        return float((self._matrix(weights) * self.levels).sum())

    def spread(self, weights: Weights) -> tuple[float, float]:
        """Return the standard error and degrees of freedom of the weighted sum of levels.

        See `Fit` for the parts.
        """
        matrix = self._matrix(weights)
        clusters, joint, edge, doubt = 0.0, 0.0, 0.0, 0.0
        for row, fit in zip(matrix, self.fits.values(), strict=True):
            of_rung = float(((row @ fit.cluster_part) ** 2).sum())
            clusters += of_rung
            doubt += of_rung**2 / max(len(fit.panel.sizes) - 1, 1)
            joint += float(row**2 @ fit.joint_part)
            edge += float(row**2 @ fit.edge_part)
        first = self.fits[self.rungs[0]]
        by_arm = np.einsum("ra,arq,qa->a", matrix, self.seed_part, matrix)
        common = float(np.einsum("ra,arq,qa->", matrix, self.common_part, matrix))
        seeds = float(by_arm.sum())
        doubt += float((by_arm**2 / np.where(first.seed_df > 0, first.seed_df, np.inf)).sum())
        doubt += common**2 / max(first.pooled_df, 1.0)
        variance = max(clusters, seeds, clusters + seeds - joint) + edge
        df = (clusters + seeds + edge) ** 2 / doubt if doubt > 0 else np.inf
        return float(np.sqrt(variance)), max(df, 1.0)

    def estimate(self, weights: Weights) -> Estimate:
        """Return the weighted sum of levels as an Estimate without limits.

        Raises KeyError for an unknown rung or arm.
        """
        lonely = [rung for rung, row in weights.items() if row and len(self.fits[rung].panel.sizes) < 2]
        if lonely:
            why = f"one cluster of scenarios only on the rung {lonely[0]}: an interval needs two"
            return Estimate(self.value(weights), why=why)
        se, df = self.spread(weights)
        return Estimate(self.value(weights), se, df)

    def ratio(self, top: Side, bottom: Side) -> Interval:
        """Return top / bottom with the set of ratios that the data does not reject.

        E. Fieller, J. R. Stat. Soc. B 16, 1954.

        Unknown where the denominator may be 0, so that the set is no interval.
        """
        if bottom.value == 0:
            return Interval(None, why="the denominator is 0")
        centre = top.value / bottom.value

        def rejected(ratio: float) -> bool:
            excess = replace(
                self.estimate(combine((1.0, top.weights), (-ratio, bottom.weights))),
                estimate=top.value - ratio * bottom.value,
            )
            ends = excess.interval(LEVEL)
            return ends is not None and not ends[0] <= 0 <= ends[1]

        joined = self.estimate(combine((1.0, top.weights), (1.0, bottom.weights)))
        if joined.se is None:
            return Interval(centre, why=joined.why)
        low, high = _edge(rejected, centre, -1.0), _edge(rejected, centre, 1.0)
        if low is None or high is None:
            return Interval(centre, why="what it is compared with may be 0")
        return Interval(centre, low, high)

    def _matrix(self, weights: Weights) -> Floats:
        """Return the weights as a matrix (rungs, arms)."""
        matrix = np.zeros((len(self.rungs), len(self.arms)))
        for rung, row in weights.items():
            for arm, weight in row.items():
                matrix[self.rungs.index(rung), self.index[arm]] += weight
        return matrix


def combine(*parts: tuple[float, Weights]) -> dict[str, dict[str, float]]:
    """Return a linear combination of weights."""
    total: dict[str, dict[str, float]] = {}
    for scale, weights in parts:
        for rung, row in weights.items():
            mine = total.setdefault(rung, {})
            for arm, weight in row.items():
                mine[arm] = mine.get(arm, 0.0) + scale * weight
    return total


def _of(panel: Panel, students: set[str]) -> Panel:
    kept = [i for i, name in enumerate(panel.students) if name in students]
    return replace(
        panel,
        students=tuple(panel.students[i] for i in kept),
        arm_of=tuple(panel.arm_of[i] for i in kept),
        sums=panel.sums[kept],
    )


def _edge(rejected: Callable[[float], bool], centre: float, sign: float) -> float | None:
    """Return the last ratio on one side of the centre that is not rejected, to a thousandth of the way.

    None: there is none.
    """
    inside, step = centre, 0.01
    while not rejected(centre + sign * step):
        inside, step = centre + sign * step, 2 * step
        if step > FARTHEST:
            return None
    outside = centre + sign * step
    while abs(outside - inside) > 1e-3 * max(abs(outside - centre), 1e-3):
        middle = (inside + outside) / 2
        inside, outside = (inside, middle) if rejected(middle) else (middle, outside)
    return outside
