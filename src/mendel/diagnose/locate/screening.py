"""The screening design: who answers which group of prompts in each student, at random and in balance.

Random balance designs (Satterthwaite, 1959) in which each student informs about all groups at once; the
groups that matter are then split again, as in group screening (Watson, 1961).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

DRAWS = 200
"""Random designs, of which the one whose columns are least alike is taken."""


def balanced_design(
    students: int, groups: int, rng: np.random.Generator, share: float = 0.5
) -> npt.NDArray[np.bool_]:
    """Return whether the original teacher answers a group, (students, groups).

    Every column holds round(share * students) trues (at least one, and not all). Of many such designs it is
    one whose columns are correlated least.

    Args:
        students: Number of students, at least 2.
        groups: Number of groups, at least 1.
        rng: Draws the designs.
        share: Share (0 to 1) of the students in which the original teacher answers a group.

    Returns:
        The design.

    Raises:
        ValueError: There are fewer than two students, or no groups.
    """
    if students < 2 or groups < 1:
        raise ValueError(f"no design of {students} students and {groups} groups")
    ones = min(students - 1, max(1, round(share * students)))
    column = np.arange(students) < ones
    drawn = [np.stack([rng.permutation(column) for _ in range(groups)], axis=1) for _ in range(DRAWS)]
    return min(drawn, key=_likeness)


def _likeness(design: npt.NDArray[np.bool_]) -> float:
    """Return the sum of squared inner products of centred columns, and of rows: neither groups nor students
    should repeat each other.
    """
    centred = design - design.mean(axis=0)
    product = centred.T @ centred
    off = float((product**2).sum() - (np.diag(product) ** 2).sum())
    whole = np.concatenate([np.zeros((1, design.shape[1])), np.ones((1, design.shape[1])), design])
    twins = sum(bool((whole[i] == whole[j]).all()) for i in range(len(whole)) for j in range(i))
    return off + 1e6 * twins
