"""How many students an open test still needs, if further ones come out like those that were trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mendel.diagnose.contrasts import Weights
from mendel.diagnose.stats.intervals import Fit


@dataclass(frozen=True)
class OpenTest:
    """A contrast that should be shown to lie on the side of 0 on which its estimate lies."""

    weights: Weights
    level: float
    """One-sided level by the variances."""
    agreement: float
    """One-sided level by what agreeing students cannot rule out."""


def deciding_seeds(fit: Fit, test: OpenTest, most: int) -> dict[str, int]:
    """Return the fewest students that would decide an open test.

    Students are added one by one to the arm whose next student narrows the interval most.

    Args:
        fit: The fit of the students that were trained.
        test: The test.
        most: Largest number of students of an arm.

    Returns:
        By arm, how many students it should have; only arms that need more. {} where `most` students of every
        arm would not decide it, or it is decided.
    """
    arms = [arm for arm in test.weights if fit.trained[fit.index[arm]]]
    counts = {arm: int(fit.count[fit.index[arm]]) for arm in arms}
    if not arms or _shown(fit, test, counts) or not _shown(fit, test, dict.fromkeys(arms, most)):
        return {}
    wanted = dict(counts)
    while not _shown(fit, test, wanted):
        room = [arm for arm in arms if wanted[arm] < most]
        if not room:
            return {}
        ends = {arm: _near_end(fit, test, {**wanted, arm: wanted[arm] + 1}) for arm in room}
        # Of equals the arm with the fewest students, so that no arm is left to chance.
        best = max(room, key=lambda arm: (round(ends[arm], 6), -wanted[arm]))
        wanted[best] += 1
    return {arm: count for arm, count in wanted.items() if count > counts[arm]}


def _shown(fit: Fit, test: OpenTest, counts: Mapping[str, int]) -> bool:
    return _near_end(fit, test, counts) > 0


def _near_end(fit: Fit, test: OpenTest, counts: Mapping[str, int]) -> float:
    """Return how far the interval stays away from 0 with so many students; below 0 it holds 0."""
    (estimate,) = grown(fit, counts).estimate([test.weights])
    ends = estimate.interval(1 - 2 * test.level, test.agreement)
    if ends is None or estimate.estimate is None:
        return -np.inf
    low, high = ends
    # Clipped ends would hide what another student brings.
    return low if estimate.estimate > 0 else -high


def grown(fit: Fit, counts: Mapping[str, int]) -> Fit:
    """Return the fit of a study in which arms have more students, each like one that was trained.

    Args:
        fit: The fit of the students that were trained.
        counts: Number of students by arm. Other arms stay as they are.

    Returns:
        The fit.
    """
    panel = fit.panel
    rows: list[int] = []
    by_arm: dict[str, list[int]] = {}
    for row, arm in enumerate(panel.arm_of):
        by_arm.setdefault(arm, []).append(row)
    for arm, mine in by_arm.items():
        rows += _repeated(mine, counts.get(arm, len(mine)))
    return Fit(
        replace(
            panel,
            students=tuple(f"{panel.students[row]}#{place}" for place, row in enumerate(rows)),
            arm_of=tuple(panel.arm_of[row] for row in rows),
            sums=panel.sums[rows],
        )
    )


def _repeated(rows: Sequence[int], count: int) -> list[int]:
    return [rows[i % len(rows)] for i in range(count)]
