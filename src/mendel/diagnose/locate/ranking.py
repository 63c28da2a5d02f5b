"""How likely each group of prompts carries a part of the effect: a sparse regression over all students
trained so far.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Vector = npt.NDArray[np.float64]
    Matrix = npt.NDArray[np.float64]

SPREAD, FREEDOM = 0.06, 4.0
"""Scale and degrees of freedom of a student's level around what is predicted: Student's t, since single
students stray.
"""
CONSIDERED, TOGETHER = 12, 7
"""Groups of which all subsets are weighed against each other, and how many of them a subset holds at most."""
EACH = 1.5
"""Log-odds against each further group: about half the logarithm of the number of students, as in the BIC."""


@dataclass(frozen=True)
class Observation:
    """One student: the prompts that the original teacher answered, and how much of the effect it shows."""

    original: frozenset[str]
    level: float
    """0: like the alternate teacher's student; 1: like the original's."""


@dataclass(frozen=True)
class Ranking:
    """What is held of each group."""

    weights: Vector
    """Its share of the effect, 0 or more, on average over the subsets that may be the ones that carry."""
    chances: Vector
    """The posterior probability that it carries a part."""


def rank(groups: Sequence[Collection[str]], observations: Sequence[Observation]) -> Ranking:
    """Weigh all small subsets of the groups that a non-negative lasso (scikit-learn) puts first, and average
    over them.

    This is Bayesian model averaging (J. Hoeting et al., Stat. Sci. 14, 1999). The lasso alone drops one of
    several groups that went together in the few students there are; the average keeps both, each with its
    chance. The levels start from the alternate teacher's student, so there is no intercept.

    Args:
        groups: The groups of prompt ids.
        observations: The students so far.

    Returns:
        The share of the effect that each group carries, and the probability that it carries any.

    Raises:
        ValueError: There are fewer than three observations.
    """
    if len(observations) < 3:
        raise ValueError(f"{len(observations)} observations rank nothing")
    shares = np.array([[_share(group, o.original) for group in groups] for o in observations])
    levels = np.array([o.level for o in observations])
    first = _order(shares, levels)[:CONSIDERED]
    weights, chances, mass, best = np.zeros(len(groups)), np.zeros(len(groups)), 0.0, -np.inf
    for size in range(min(TOGETHER, len(first)) + 1):
        for subset in combinations(first, size):
            carried, log = fitted(shares[:, subset], levels)
            log -= EACH * size
            # Everything so far is scaled to the best subset, so that nothing overflows.
            if log > best:
                scale = float(np.exp(best - log))
                weights, chances, mass, best = weights * scale, chances * scale, mass * scale, log
            odds = float(np.exp(log - best))
            mass += odds
            weights[list(subset)] += odds * carried
            chances[list(subset)] += odds * (carried > 0)
    return Ranking(weights / mass, chances / mass)


def fitted(columns: Matrix, levels: Vector) -> tuple[Vector, float]:
    """Return the non-negative least squares fit (columns,), and the log-likelihood of what it leaves under
    Student's t.
    """
    from scipy.optimize import nnls

    carried = nnls(columns, levels)[0] if columns.shape[1] else np.zeros(0)
    strays = (levels - columns @ carried) / SPREAD
    return carried, float(-(FREEDOM + 1) / 2 * np.log1p(strays**2 / FREEDOM).sum())


def _order(shares: Matrix, levels: Vector) -> list[int]:
    """Return the groups by how early and how strongly the lasso takes them in."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import lasso_path

    most = max(float((shares.T @ levels).max()), 1e-6) / len(levels)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        grid = np.geomspace(most, most * 1e-3, 60)
        _, path, _ = lasso_path(shares, levels, positive=True, alphas=grid, max_iter=20_000)
    return [int(place) for place in np.argsort(-path.sum(axis=1), kind="stable")]


def _share(group: Collection[str], original: frozenset[str]) -> float:
    return sum(prompt_id in original for prompt_id in group) / len(group)
