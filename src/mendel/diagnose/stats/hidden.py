"""What students and clusters that agree cannot rule out: the least width that an interval may have.

Training is often bimodal: a student of an arm has the trait or does not. Students that agree have no variance
between them, so a variance says that the next one agrees as well. It need not. If a further student of the
arm came out otherwise with chance p, n students would agree with chance (1 - p)^n. At the level alpha that
allows p up to 1 - alpha^(1/n): with two students .84, with eight .37 (alpha = .025).

For a contrast of several arms the chances are joint: the interval holds every shift of the contrast for which
students as agreeing as these would be seen with chance alpha or more,

    max sum_a reach_a p_a   subject to   prod_a (1 - p_a)^(n_a) >= alpha,

where reach_a is how far the contrast moves if all students of arm a came out otherwise. Clusters of scenarios
are samples, too, and stand in the sum and in the product as one more arm. On students and clusters that agree
the limit is exact (C. Clopper, E. Pearson, Biometrika 26, 1934, for one arm).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mendel.diagnose.stats.panel import Floats

LEAST_SPAN = 0.1
"""Share of the scale. Where no cluster shows as much of a contrast, an unseen cluster may show all of it."""

LEVEL_WEIGHT = 1e-9
"""Weights that sum to more than this belong to a level and not to a difference."""
EDGE = 0.2
"""Share of the range that the study's students have shown. Of an arm whose students (three or more) all lie
farther from both its ends, nothing is hidden: where training has two outcomes no student lies between."""


@dataclass(frozen=True)
class Reach:
    """How far contrasts can move to one side by outcomes that no student or cluster has shown yet.

    All arrays have a row for each contrast.
    """

    arms: Floats
    """(contrasts, arms): the move if every student of the arm came out at the end of the range that the
    study's students have shown."""
    beyond: Floats
    """(contrasts,): the move if all came out at the end of the scale, where no student of the study was."""
    clusters: Floats
    """(contrasts,): the move if every cluster of scenarios were of the kind that was not seen."""
    broken: Floats
    """(contrasts,): the move if the students that broke had come out at the end of the range."""


@dataclass(frozen=True)
class HiddenOutcomes:
    """The reaches of contrasts to both sides, and how many students and clusters agree."""

    down: Reach
    up: Reach
    students: Floats
    """(arms,): trained students by arm; 0 for a model that nobody trained here."""
    clusters: float
    """Number of clusters of scenarios, those of unequal size counted as so many of equal size."""

    def of_these_students(self) -> HiddenOutcomes:
        """Return the same without hidden outcomes of training: what agreeing clusters alone leave open."""
        return replace(self, students=np.zeros_like(self.students))

    def row(self, index: int) -> HiddenOutcomes:
        """Return the agreement of one contrast."""
        kept = slice(index, index + 1)
        down, up = (
            Reach(side.arms[kept], side.beyond[kept], side.clusters[kept], side.broken[kept])
            for side in (self.down, self.up)
        )
        return HiddenOutcomes(down, up, self.students, self.clusters)

    def widened(self, half: Floats, of_clusters: Floats, alpha: float) -> tuple[Floats, Floats]:
        """Return how far the intervals reach below and above the estimates.

        Args:
            half: (contrasts,): half widths by the variances.
            of_clusters: (contrasts,): half widths by the clusters of scenarios alone.
            alpha: One-sided level, above 0 and below 1.

        Returns:
            Two arrays (contrasts,), neither below `half`.
        """
        below, above = (self._one_side(side, half, of_clusters, alpha) for side in (self.down, self.up))
        return below, above

    def _one_side(self, reach: Reach, half: Floats, of_clusters: Floats, alpha: float) -> Floats:
        reaches = np.column_stack([reach.arms, reach.clusters])
        hidden = hidden_shift(reaches, np.append(self.students, self.clusters), alpha)
        total = float(self.students.sum())
        if total:
            hidden = np.maximum(hidden, reach.beyond * hidden_share(total, alpha))
        return np.asarray(np.hypot(hidden, np.maximum(half, of_clusters)) + reach.broken)


@dataclass(frozen=True)
class AgreeingStudents:
    """The students of one trait's panel, as far as their agreement counts."""

    levels: Floats
    """(arms,): mean level."""
    cluster_levels: Floats
    """(arms, clusters): the same by cluster of scenarios."""
    students: Floats
    """(arms,): trained students; 0 for a model that nobody trained here."""
    lost: Floats
    """(arms,): share of the trained students that broke, 0 to 1."""
    between: NDArray[np.bool_]
    """(arms,): whether all of three or more students lie well between the ends of the range (`EDGE`)."""
    seen: tuple[float, float]
    """The least and the greatest level of any student of the study."""
    scale: tuple[float, float] | None
    """The least and the greatest level that a student can have; None: there are none (log-odds). Without
    bounds clusters do not agree by lying at an end, so that their variance says what they leave open."""
    sizes: Floats
    """(clusters,): scenarios by cluster."""

    def of(self, matrix: Floats) -> HiddenOutcomes:
        """Return the agreement of the contrasts in the rows of `matrix` (contrasts, arms).

        A hidden outcome of an arm lies within the range that the study's students have shown, and is bounded
        by the arm's own students. Beyond that range no student of any arm was, so that all of them bound it.
        """
        clusters = self._clusters(matrix)
        down, up = (self._reach(sign * matrix, sign, clusters) for sign in (1.0, -1.0))
        equal = float(self.sizes.sum() ** 2 / (self.sizes**2).sum())
        return HiddenOutcomes(down, up, self.students, equal)

    def _reach(self, matrix: Floats, sign: float, clusters: tuple[Floats, Floats]) -> Reach:
        """Return how far the contrasts fall; with the signs turned round, how far they rise."""
        falls, rises = np.maximum(matrix, 0.0), np.maximum(-matrix, 0.0)
        moves = (self.students > 0) & ~self.between
        within = falls * (self.levels - self.seen[0]) + rises * (self.seen[1] - self.levels)
        least, greatest = self.scale or self.seen
        beyond = falls * (self.levels - least) + rises * (greatest - self.levels)
        return Reach(within * moves, beyond @ moves, clusters[0 if sign > 0 else 1], within @ self.lost)

    def _clusters(self, matrix: Floats) -> tuple[Floats, Floats]:
        """Return how far the contrasts fall and rise if the clusters were of the kind that was not seen.

        An unseen cluster may differ as much the other way as the seen ones do. A level, which is no
        difference, may be anything on the scale there.
        """
        values, by_cluster = matrix @ self.levels, matrix @ self.cluster_levels
        if self.scale is None:
            return np.zeros(len(matrix)), np.zeros(len(matrix))
        least, greatest = self.scale
        span = np.abs(by_cluster).max(axis=1)
        whole = np.abs(matrix).max(axis=1, initial=0.0) * (greatest - least)
        span = np.where(span < LEAST_SPAN * whole, whole, span)
        span = np.where(np.abs(matrix.sum(axis=1)) > LEVEL_WEIGHT, np.inf, span)
        ends = np.stack([matrix * least, matrix * greatest])
        bottom, top = ends.min(axis=0).sum(axis=1), ends.max(axis=0).sum(axis=1)
        fall, rise = values - np.maximum(-span, bottom), np.minimum(span, top) - values
        return np.maximum(fall, 0.0), np.maximum(rise, 0.0)


def hidden_share(agreeing: float, alpha: float) -> float:
    """Return the largest share of other outcomes under which so many would agree with chance alpha."""
    return float(1.0 - alpha ** (1.0 / agreeing))


def hidden_shift(reach: Floats, agreeing: Floats, alpha: float) -> Floats:
    """Return the largest shift of each contrast under which its students would agree with chance alpha.

    Args:
        reach: (contrasts, arms): how far the contrast moves if all students of the arm came out otherwise.
        agreeing: (arms,): number of students; arms with 0 do not move.
        alpha: Chance, above 0 and below 1.

    Returns:
        (contrasts,): the maximum of sum reach * p subject to prod (1 - p)^agreeing >= alpha.
    """
    kept = agreeing > 0
    if not kept.any():
        return np.zeros(len(reach))
    reach, counts = reach[:, kept], np.broadcast_to(agreeing[kept], reach[:, kept].shape)
    # Lagrange: 1 - p = min(1, theta * agreeing / reach). The arms that move are those that reach farthest for
    # a student, so theta is known once they are in order.
    order = np.argsort(-reach / counts, axis=1, kind="stable")
    reach, counts = np.take_along_axis(reach, order, 1), np.take_along_axis(counts, order, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(reach / counts)
        sums = np.cumsum(np.where(reach > 0, counts * ratio, 0.0), axis=1)
        theta = (sums + np.log(alpha)) / np.cumsum(counts, axis=1)
        moves = (reach > 0) & (ratio > theta)
        last = np.maximum(moves.sum(axis=1) - 1, 0)
        chosen = np.take_along_axis(theta, last[:, None], 1)
        shares = np.where(moves, 1.0 - np.exp(np.minimum(chosen - ratio, 0.0)), 0.0)
    return np.asarray((reach * np.where(reach > 0, shares, 0.0)).sum(axis=1))
