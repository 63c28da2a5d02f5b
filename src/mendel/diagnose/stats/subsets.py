"""What different random subsets of one share do: how many bring the trait, and how far they differ beyond
noise.

Students are nested in subsets (several seeds on the same prompts) and crossed with clusters of scenarios.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mendel.diagnose.stats.intervals import LEVEL
from mendel.diagnose.stats.panel import Floats
from mendel.engine.interval import Interval


@dataclass(frozen=True)
class Subsets:
    """The distribution over random subsets of one share; levels are on the trait's scale, one a subset."""

    levels: tuple[float, ...]
    """Each subset's level, the mean over its students, from the least to the most."""
    students: int
    bring: int | None
    """Subsets whose level is above half of the effect; None where the effect is not known."""
    fraction: Interval
    """The share of all subsets of this size that do (0 to 1).

    Wilson's interval, the threshold taken as known.
    """
    between: Interval
    """Standard deviation of subsets' levels beyond the noise of training and of scenarios."""
    training: float | None
    """Standard deviation of students of one subset; None unless one was trained twice."""

    def json(self) -> dict[str, object]:
        """Return the value for `--json`."""
        return {
            "levels": list(self.levels),
            "students": self.students,
            "least": self.levels[0],
            "median": float(np.median(self.levels)),
            "most": self.levels[-1],
            "bring": self.bring,
            "fraction": self.fraction.json(),
            "between_subsets": self.between.json(),
            "training_noise": self.training,
        }


def wilson(count: int, of: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a proportion (E. Wilson, J. Am. Stat. Assoc. 22, 1927).

    `of` is at least 1.
    """
    from scipy.special import ndtri

    z = float(ndtri(0.5 + LEVEL / 2))
    middle = (count + z**2 / 2) / (of + z**2)
    half = z / (of + z**2) * np.sqrt(count * (of - count) / of + z**2 / 4)
    # Exactly 0 and 1 at the ends, where rounding leaves a rest.
    low, high = (0.0 if count == 0 else middle - half), (1.0 if count == of else middle + half)
    return float(low), float(high)


def spread_over(
    subset_of: Sequence[str], sums: Floats, sizes: Floats, middle: float | None, rising: bool
) -> Subsets:
    """Return the distribution over the subsets of one share.

    `subset_of` names each student's subset, `sums` (students, clusters) and `sizes` (clusters,) are a
    panel's; a subset brings the trait where its level is beyond `middle` (None: not known), upwards where the
    trait is `rising`.
    """
    names, code = np.unique(np.asarray(subset_of), return_inverse=True)
    levels = sums.sum(axis=1) / sizes.sum()
    of_subset = np.bincount(code, levels) / np.bincount(code)
    bring = None
    if middle is not None:
        bring = int(((of_subset > middle) if rising else (of_subset < middle)).sum())
    between, training = _components(code, sums, sizes)
    return Subsets(
        tuple(sorted(map(float, of_subset))),
        len(levels),
        bring,
        _fraction(bring, len(names)),
        between,
        training,
    )


def _fraction(bring: int | None, subsets: int) -> Interval:
    if bring is None:
        return Interval(None, why="the levels at share 0 and 1 are not shown to differ")
    if subsets < 2:
        return Interval(None, why="one subset says nothing about the others")
    return Interval(bring / subsets, *wilson(bring, subsets))


def _components(code: NDArray[np.int64], sums: Floats, sizes: Floats) -> tuple[Interval, float | None]:
    """Return the standard deviations between subsets (with interval) and between students of one subset.

    The mean square of subsets holds K times their variance, and noise: of training, and of which scenarios
    were drawn (subset by cluster). The interval is Tukey's and Williams' for a nested design (S. Searle, G.
    Casella, C. McCulloch, Variance Components, 1992, 3.6), with Satterthwaite's degrees of freedom for the
    noise. By simulation (6 subsets twice, 10 clusters; 300 studies; `benchmarks/virulence.py`) it covers 96
    to 98 %, and lies above 0 in 3 % where subsets do not differ, in 29 % where they do by .13 of the scale,
    in 80 % at .23.
    """
    from scipy.special import chdtri, fdtri

    count = np.bincount(code).astype(np.float64)
    spare, subsets, clusters = float((count - 1).sum()), len(count), len(sizes)
    if spare == 0:
        return Interval(None, why="each subset was trained once: training noise is not known apart"), None
    total = sizes.sum()
    levels = sums.sum(axis=1) / total
    of_subset = np.bincount(code, levels) / count
    within = float(((levels - of_subset[code]) ** 2).sum() / spare)
    training = float(np.sqrt(within))
    if subsets < 2:
        return Interval(None, why="one subset says nothing about the others"), training
    if np.ptp(levels) == 0:
        return Interval(None, why="all students show the same level"), training
    if clusters < 2:
        return Interval(None, why="one cluster of scenarios only: their noise is not known"), training
    seeds = (len(levels) - float((count**2).sum()) / len(levels)) / (subsets - 1)
    square = float((count * (of_subset - levels.mean()) ** 2).sum() / (subsets - 1))
    means = np.zeros((subsets, clusters))
    np.add.at(means, code, sums)
    means /= count[:, None]
    # Each cluster left out in turn, as in the intervals of levels.
    scale = np.sqrt((clusters - 1) / clusters) / (total - sizes)
    by_subset = means - means.mean(axis=0) - np.outer(of_subset - of_subset.mean(), sizes)
    by_student = sums - means[code] - np.outer(levels - of_subset[code], sizes)
    crossed = seeds * float(((by_subset * scale) ** 2).sum() / (subsets - 1))
    joint = float(((by_student * scale) ** 2).sum() / spare)
    noise = max(within + crossed - joint, within)
    doubt = within**2 / spare + crossed**2 / ((subsets - 1) * (clusters - 1))
    df = max(noise**2 / doubt, 1.0) if doubt > 0 else spare
    tail = (1 - LEVEL) / 2

    def deviation(ratio: float, spread: float) -> float:
        return float(np.sqrt(max(square - ratio * noise, 0.0) / seeds * spread))

    freedom = subsets - 1
    low = deviation(fdtri(freedom, df, 1 - tail), freedom / chdtri(freedom, tail))
    high = deviation(fdtri(freedom, df, tail), freedom / chdtri(freedom, 1 - tail))
    return Interval(deviation(1.0, 1.0), low, high), training
