"""How virulent a trait is: the share of prompts that the original teacher must answer to bring half of the
trait in.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from mendel.diagnose.contrasts import merge
from mendel.diagnose.stats.intervals import Estimate, Fit
from mendel.diagnose.stats.panel import Floats
from mendel.engine.interval import Interval

GRID = 200
"""Steps of the shares that are tested for the interval: its ends are exact to 0.005."""
WITHIN = 20
"""Steps at least between two trained shares, since small shares lie closer together than that."""


def monotone(levels: Floats, weights: Floats, increasing: bool) -> Floats:
    """Return the closest monotone curve through the levels (points,): isotonic regression by pool adjacent
    violators.

    R. Barlow, D. Bartholomew, J. Bremner, H. Brunk, Statistical Inference under Order Restrictions, 1972.
    """
    from scipy import optimize  # a finished run need not pay for its import

    return np.asarray(optimize.isotonic_regression(levels, weights=weights, increasing=increasing).x)


def half_way_share(shares: Floats, curve: Floats) -> float:
    """Return the share (0 to 1) at which a monotone curve, linear between the shares, first reaches the
    middle of its ends.

    Raises ValueError where the ends are equal: every share is half-way then.
    """
    rise = curve - curve[0] if curve[-1] >= curve[0] else curve[0] - curve
    if rise[-1] <= 0:
        raise ValueError("the curve does not move")
    middle = rise[-1] / 2
    # A pooled stretch that lies at the middle exactly is above or below it by rounding alone.
    right = int(np.argmax(rise >= middle - 1e-12 * rise[-1]))
    left = right - 1  # rise[0] is 0 and below the middle, so there is a point to the left
    step = min((middle - rise[left]) / (rise[right] - rise[left]), 1.0)
    return float(shares[left] + step * (shares[right] - shares[left]))


def half_way(fit: Fit, arm_by_share: Mapping[float, str], difference: Estimate) -> Interval:
    """Return the half-way share of the curve over `arm_by_share` (shares 0 to 1, both ends in it, usable arms
    only).

    `difference` is the contrast of share 1 minus share 0: where its interval holds 0 there is no half-way.
    The interval holds every share at which "this is half-way" is not rejected: the level there (linear
    between the trained shares) minus the middle of the two ends is a contrast like any other (E. Fieller, J.
    R. Stat. Soc. B 16, 1954). A bootstrap of the monotone curve covered 87 % with 2 seeds, where this covers
    92 to 95 %.
    """
    if difference.estimate is None:
        return Interval(None, None, None, f"an end of the curve is missing: {difference.why}")
    if len(arm_by_share) < 3:
        return Interval(None, None, None, "no share between 0 and 1 was trained")
    ends = difference.interval()
    if ends is None or ends[0] <= 0 <= ends[1]:
        return Interval(None, None, None, "the levels at share 0 and 1 are not shown to differ")
    shares = np.array(sorted(arm_by_share))
    arms = [arm_by_share[share] for share in shares]
    rows = [fit.index[arm] for arm in arms]
    curve = monotone(fit.levels[rows], fit.count[rows], difference.estimate > 0)
    estimate = half_way_share(shares, curve)
    kept = [estimate]
    between = [np.linspace(a, b, WITHIN + 1) for a, b in pairwise(shares)]
    grid = np.unique(np.concatenate([np.linspace(0.0, 1.0, GRID + 1), *between]))
    tested = np.zeros((len(grid), len(fit.arms)))
    for row, weights in zip(rows, _above_middle(grid, shares).T, strict=True):
        tested[:, row] += weights
    low, high = fit.ends(tested)
    kept += grid[(low <= 0) & (high >= 0)].tolist()
    return Interval(estimate, min(kept), max(kept), "")


def above_middle(share: float, arm_by_share: Mapping[float, str]) -> dict[str, float]:
    """Return the weights by arm of the level at `share` (linear between the trained shares) minus the middle
    of the two ends.
    """
    shares = np.array(sorted(arm_by_share))
    (weights,) = _above_middle(np.array([share]), shares)
    return merge(zip((arm_by_share[trained] for trained in shares), weights.tolist(), strict=True))


def _above_middle(grid: Floats, shares: Floats) -> Floats:
    """Return the same weights for many shares, (grid, shares), by trained share in rising order."""
    right = np.clip(np.searchsorted(shares, grid), 1, len(shares) - 1)
    step = (grid - shares[right - 1]) / (shares[right] - shares[right - 1])
    weights, row = np.zeros((len(grid), len(shares))), np.arange(len(grid))
    weights[row, right - 1] += 1.0 - step
    weights[row, right] += step
    weights[:, [0, -1]] -= 0.5
    return weights


def curve_arms(cube: Mapping[str, str], shares: Mapping[str, float]) -> dict[float, str]:
    """Return the arm by the original teacher's share: the corners OOA (0) and OOO (1), and the `mix` arms of
    `shares` between.
    """
    between = {share: arm for arm, share in shares.items() if 0.0 < share < 1.0}
    return dict(sorted({0.0: cube["OOA"], 1.0: cube["OOO"], **between}.items()))
