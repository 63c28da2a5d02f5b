"""Intervals for weighted differences between arms: students crossed with scenarios, both of them samples.

A contrast is linear in the arms' mean levels. Its variance joins two ways of resampling, each a delete-one
jackknife:

- clusters of scenarios, the same ones left out for every arm at once (paired): V_c, G - 1 degrees of freedom;
- students within their arm (seeds): V_s, where an arm's variance is moderated towards that of all arms
  (below);

and, as both hold the student-by-scenario noise, takes that off once: V = V_c + V_s - V_cs. The interval is
estimate +- t * sqrt(V), with Satterthwaite's degrees of freedom. A percentile bootstrap of the same two
levels is too narrow with 2 to 5 seeds, and has no width at rates of 0 and 1: docs/decisions/001-intervals.md
has the figures.

Sources: A. Owen, The pigeonhole bootstrap, Ann. Appl. Stat. 1 (2007); E. Miller, arXiv 2411.00640 (clusters,
paired differences); C. Cameron, J. Gelbach, D. Miller, J. Bus. Econ. Stat. 29 (2011), two-way clustering by
inclusion-exclusion; G. Smyth, Stat. Appl. Genet. Mol. Biol. 3 (2004), moderated variances.

No interval is narrower than the students and the clusters that agree allow (`hidden`): a variance between
two students that agree says nothing of a training that has two outcomes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from mendel.diagnose.stats.hidden import EDGE, AgreeingStudents, HiddenOutcomes
from mendel.diagnose.stats.panel import Floats, Panel

LEVEL = 0.95
"""The contract's level: 95 % two-sided."""

PRIOR_DF = 2.0
"""How many degrees of freedom the variance over all arms counts beside an arm's own seeds - 1.

Two seeds estimate a variance with one degree of freedom, for which t is 12.7: useless. Chosen by simulation:
with 4 the interval of an arm that is much noisier than the others covers less, with 0 intervals are half as
wide again and cover as little as 85 %."""

PSEUDO_WEIGHT = 0.5
"""Pseudo-scenarios at the middle of the scale, in the variance only (half of Jeffreys' one): 30 scenarios
without a hit are no proof of a rate of 0. By simulation at rates of 0.005 and 0.02: coverage of 99 %."""


@dataclass(frozen=True)
class Estimate:
    """A number with its standard error.

    `low` and `high` are None where too little is known for an interval.
    """

    estimate: float | None
    se: float | None = None
    df: float = np.inf
    limits: tuple[float, float] = (-np.inf, np.inf)
    """What the value cannot leave: a rate lies in [0, 1], a difference of rates in [-1, 1]."""
    why: str = ""
    """Why the estimate or its interval is missing."""
    agreement: HiddenOutcomes | None = field(default=None, compare=False)
    """What the agreeing students and clusters cannot rule out; None: the value holds no such noise."""
    of_clusters: tuple[float, float] = (0.0, np.inf)
    """Standard error by the clusters of scenarios alone, and its degrees of freedom."""

    def interval(self, level: float = LEVEL, agreement: float | None = None) -> tuple[float, float] | None:
        """Return the two-sided interval, clipped to the limits; None where unknown.

        Args:
            level: Level of the interval, 0 to 1.
            agreement: One-sided level of what agreeing students and clusters cannot rule out; None: that of
                `level`.

        Returns:
            The lower and the upper end.
        """
        if self.estimate is None or self.se is None:
            return None
        below = above = _half(self.se, self.df, level)
        if self.agreement is not None:
            clusters = np.array([_half(*self.of_clusters, level)])
            alpha = (1 - level) / 2 if agreement is None else agreement
            down, up = self.agreement.widened(np.array([below]), clusters, alpha)
            below, above = float(down[0]), float(up[0])
        return self._clipped(below, above)

    def of_these_students(self, level: float = LEVEL) -> tuple[float, float] | None:
        """Return the interval for the students that were trained, whatever others would show; None where
        unknown.

        It holds the noise of scenarios, and what the variance between students says of seeds.
        """
        if self.estimate is None or self.se is None:
            return None
        below = above = _half(self.se, self.df, level)
        if self.agreement is not None:
            half, alpha = np.array([below]), (1 - level) / 2
            down, up = self.agreement.of_these_students().widened(half, half, alpha)
            below, above = float(down[0]), float(up[0])
        return self._clipped(below, above)

    def by_variance(self, level: float = LEVEL) -> tuple[float, float] | None:
        """Return the interval by the variances alone; None where unknown.

        For a screen of the scenarios at hand, which claims nothing about other ones.
        """
        if self.estimate is None or self.se is None:
            return None
        half = _half(self.se, self.df, level)
        return self._clipped(half, half)

    def _clipped(self, below: float, above: float) -> tuple[float, float]:
        assert self.estimate is not None
        low, high = max(self.estimate - below, self.limits[0]), min(self.estimate + above, self.limits[1])
        return min(low, self.estimate), max(high, self.estimate)

    @property
    def low(self) -> float | None:
        """The lower end of the 95 % interval."""
        ends = self.interval()
        return None if ends is None else ends[0]

    @property
    def high(self) -> float | None:
        """The upper end of the 95 % interval."""
        ends = self.interval()
        return None if ends is None else ends[1]

    def json(self) -> dict[str, object]:
        """Return the contract's E, with `why` where something is missing."""
        e: dict[str, object] = {"estimate": self.estimate, "low": self.low, "high": self.high}
        return {**e, "why": self.why} if self.why else e


EXACTLY_ZERO = Estimate(0.0, 0.0)


def _half(se: float, df: float, level: float) -> float:
    # Imported here, and not from scipy.stats, which takes half a second that a finished run need not pay.
    from scipy.special import stdtrit

    return float(stdtrit(df, 0.5 + level / 2)) * se if se > 0 else 0.0


def number(value: Estimate) -> str:
    """Return `0.99 [0.97, 1.00]`, as sentences have it.

    Without an interval the number only, without a number `unknown`.
    """
    if value.estimate is None:
        return "unknown"
    ends = value.interval()
    if ends is None or (value.se == 0 and value.agreement is None):
        return _two_places(value.estimate)
    return f"{_two_places(value.estimate)} [{_two_places(ends[0])}, {_two_places(ends[1])}]"


def _two_places(value: float) -> str:
    # + 0.0 turns a rounded -0.00 into 0.00.
    return f"{round(value, 2) + 0.0:.2f}"


class Fit:
    """The arms' levels and what is needed for the variance of any contrast of them.

    Made once for each panel.
    """

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self.arms: tuple[str, ...] = tuple(sorted(set(panel.arm_of)))
        self.index = {arm: i for i, arm in enumerate(self.arms)}
        code = np.array([self.index[arm] for arm in panel.arm_of])
        self.count: Floats = np.bincount(code, minlength=len(self.arms)).astype(np.float64)
        self.trained = np.array([arm not in panel.untrained for arm in self.arms])
        total = panel.sizes.sum()
        of_student = panel.sums.sum(axis=1) / total
        self.levels: Floats = np.bincount(code, of_student) / self.count
        cluster_sums = np.zeros((len(self.arms), len(panel.sizes)))
        np.add.at(cluster_sums, code, panel.sums)
        cluster_sums /= self.count[:, None]
        seen = (float(of_student.min()), float(of_student.max()))
        broken = np.array([panel.broken.get(arm, 0) for arm in self.arms], dtype=np.float64)
        self.agreeing = AgreeingStudents(
            self.levels,
            cluster_sums / panel.sizes,
            np.where(self.trained, self.count, 0.0),
            broken / (broken + self.count),
            self._between(code, of_student, seen),
            seen,
            panel.bounds,
            panel.sizes,
        )
        # What leaving out cluster c changes of an arm's level, scaled so that the squares sum to the
        # jackknife's variance.
        n_clusters = len(panel.sizes)
        with np.errstate(divide="ignore", invalid="ignore"):
            scale = np.sqrt((n_clusters - 1) / n_clusters) / (total - panel.sizes)
            self.cluster_part: Floats = (cluster_sums - self.levels[:, None] * panel.sizes) * scale
            residual = panel.sums - cluster_sums[code] - np.outer(of_student - self.levels[code], panel.sizes)
            joint = np.bincount(code, ((residual * scale) ** 2).sum(axis=1))
        own_df: Floats = np.where(self.trained, self.count - 1, 0.0)
        spare = own_df > 0
        self.joint_part: Floats = np.where(spare, joint / np.where(spare, self.count * own_df, 1.0), 0.0)
        squares = np.bincount(code, (of_student - self.levels[code]) ** 2).astype(np.float64)
        self.pooled_df = float(own_df.sum())
        self.seed_part, self.common_part, self.seed_df = self._moderated(squares, own_df)
        self.edge_part: Floats = self._pseudo_variance()

    def students(self, arm: str) -> Floats:
        """Return the level of each student of an arm, (students,)."""
        mine = np.array([name == arm for name in self.panel.arm_of])
        return np.asarray(self.panel.sums[mine].sum(axis=1) / self.panel.sizes.sum())

    def _between(
        self, code: NDArray[np.int_], of_student: Floats, seen: tuple[float, float]
    ) -> NDArray[np.bool_]:
        edge = EDGE * (seen[1] - seen[0])
        inside = (of_student > seen[0] + edge) & (of_student < seen[1] - edge)
        return np.asarray((np.bincount(code, inside) == self.count) & (self.count > 2))

    @property
    def knows_training_noise(self) -> bool:
        """Whether any trained arm has a second seed.

        Without one, intervals hold the scenarios' noise alone.
        """
        return bool((self.seed_df > 0).any()) or not bool(self.trained.any())

    def _moderated(self, squares: Floats, own_df: Floats) -> tuple[Floats, Floats, Floats]:
        """Return the variance of each arm's level by its seeds, what of it is common to all arms, degrees of
        freedom (0: unknown).

        The arm's own variance and the one of all arms are joined with the weights seeds - 1 and PRIOR_DF; the
        latter is scaled by p (1 - p), as a rate near 0 or 1 moves less. An arm of one seed has the latter
        alone.
        """
        if self.pooled_df == 0:
            return np.zeros_like(squares), np.zeros_like(squares), np.zeros_like(squares)
        shape = np.ones_like(squares)
        if self.panel.bounds is not None:
            share = self._share(1.0)
            shape = share * (1 - share)
        common = float(squares[self.trained].sum() / (own_df * shape).sum())
        # An untrained arm's squares are those of one model: no noise of training.
        per_level = np.where(self.trained, 1.0 / ((PRIOR_DF + own_df) * self.count), 0.0)
        of_all = PRIOR_DF * common * shape * per_level
        own = np.where(own_df > 0, squares, 0.0) * per_level
        return of_all + own, of_all, np.where(self.trained, PRIOR_DF + own_df, 0.0)

    def _share(self, weight: float) -> Floats:
        """Return the levels as shares of the scale (0 to 1), drawn to 1/2 by `weight` pseudo-scenarios."""
        low, high = self.panel.bounds or (0.0, 1.0)
        n = float(self.panel.sizes.sum())
        share = np.clip((self.levels - low) / (high - low), 0.0, 1.0)
        return np.asarray((n * share + weight / 2) / (n + weight))

    def _pseudo_variance(self) -> Floats:
        """Return what the pseudo-scenarios add to the variance of a level: most at the ends of the scale,
        nothing at its middle.
        """
        if self.panel.bounds is None:
            return np.zeros_like(self.levels)
        n = float(self.panel.sizes.sum()) + PSEUDO_WEIGHT
        plain, drawn = self._share(0.0), self._share(PSEUDO_WEIGHT)
        span = self.panel.bounds[1] - self.panel.bounds[0]
        return np.asarray(span**2 * (drawn * (1 - drawn) - plain * (1 - plain)) / n)

    def estimate(self, contrasts: Sequence[Mapping[str, float]]) -> list[Estimate]:
        """Return one Estimate for each contrast (weight by arm).

        A contrast without weights is exactly 0; one that names an arm without usable students has estimate
        None.
        """
        usable = [all(arm in self.index for arm in weights) for weights in contrasts]
        matrix = np.zeros((len(contrasts), len(self.arms)))
        for row, weights in enumerate(contrasts):
            for arm, weight in weights.items():
                if usable[row]:
                    matrix[row, self.index[arm]] += weight
        values = matrix @ self.levels
        se, df = self._spread(matrix)
        of_clusters = np.sqrt(self._cluster_variance(matrix))
        agreement = self.agreeing.of(matrix)
        cluster_df = max(len(self.panel.sizes) - 1, 1)
        return [
            replace(
                self._one(weights, usable[row], float(values[row]), float(se[row]), float(df[row])),
                agreement=agreement.row(row) if weights and usable[row] else None,
                of_clusters=(float(of_clusters[row]), cluster_df),
            )
            for row, weights in enumerate(contrasts)
        ]

    def ends(self, matrix: Floats, level: float = LEVEL) -> tuple[Floats, Floats]:
        """Return the lower and upper ends of the intervals, not clipped, of the contrasts in the rows of
        `matrix` (contrasts, arms).

        For many contrasts at once, of which nothing else is asked; with one cluster of scenarios they mean
        nothing.
        """
        from scipy.special import stdtrit

        values, (se, df) = matrix @ self.levels, self._spread(matrix)
        half = np.where(se > 0, stdtrit(df, 0.5 + level / 2) * se, 0.0)
        cluster_df = max(len(self.panel.sizes) - 1, 1)
        of_clusters = stdtrit(cluster_df, 0.5 + level / 2) * np.sqrt(self._cluster_variance(matrix))
        below, above = self.agreeing.of(matrix).widened(half, of_clusters, (1 - level) / 2)
        return values - below, values + above

    def _one(
        self, weights: Mapping[str, float], usable: bool, value: float, se: float, df: float
    ) -> Estimate:
        if not weights:
            return EXACTLY_ZERO
        if not usable:
            missing = sorted(set(weights) - set(self.index))
            return Estimate(None, why=f"no usable student in {', '.join(missing)}")
        limits = (-np.inf, np.inf)
        if self.panel.bounds is not None:
            low, high = self.panel.bounds
            ends = [(w * low, w * high) for w in weights.values()]
            limits = (sum(min(pair) for pair in ends), sum(max(pair) for pair in ends))
        if len(self.panel.sizes) < 2:
            return Estimate(value, limits=limits, why="one cluster of scenarios only: an interval needs two")
        return Estimate(value, se, df, limits)

    def _cluster_variance(self, matrix: Floats) -> Floats:
        return np.asarray(((matrix @ self.cluster_part) ** 2).sum(axis=1))

    def _spread(self, matrix: Floats) -> tuple[Floats, Floats]:
        """Return the standard errors and degrees of freedom of the contrasts in the rows of `matrix`
        (contrasts, arms).
        """
        squared = matrix**2
        clusters = self._cluster_variance(matrix)
        by_arm = squared * self.seed_part
        seeds = by_arm.sum(axis=1)
        joint = squared @ self.joint_part
        edge = squared @ self.edge_part
        # The difference can come out below either part by chance; the truth cannot.
        variance = np.maximum(np.maximum(clusters, seeds), clusters + seeds - joint) + edge
        # Satterthwaite for the sum of both parts: with `joint` taken off here too, 10 scenarios or 2 seeds
        # cover 98 to 99 %.
        doubt = clusters**2 / max(len(self.panel.sizes) - 1, 1)
        doubt += (by_arm**2 / np.where(self.seed_df > 0, self.seed_df, np.inf)).sum(axis=1)
        # The common variance is an estimate as well, and the same one in every arm: with few arms it is a
        # poor one.
        doubt += (squared @ self.common_part) ** 2 / max(self.pooled_df, 1.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            df = np.where(doubt > 0, (clusters + seeds + edge) ** 2 / doubt, np.inf)
        return np.sqrt(variance), np.maximum(df, 1.0)
