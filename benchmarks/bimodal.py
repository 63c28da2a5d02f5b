"""Do the 95 % intervals hold where training has two outcomes, where few clusters show the trait, where seeds are noisy?

    python benchmarks/bimodal.py            # about 5 minutes: the tables of docs/decisions/009-agreement.md
    python benchmarks/bimodal.py --quick    # about 1 minute

Every cell is a simulated study of 8 arms: the original pipeline has the trait, the alternate one does not, and one arm is
the odd one. Coverage of its level, of its difference to the alternate pipeline, and of "that minus half of D".
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mendel.diagnose.stats.intervals import Fit
from mendel.diagnose.stats.panel import Panel

ARMS = ("alternate", "control", "odd", "original", "other 1", "other 2", "other 3", "other 4")
CONTRASTS = {
    "level": {"odd": 1.0},
    "difference": {"odd": 1.0, "control": -1.0},
    "excess": {"odd": 1.0, "control": -1.0, "original": -0.5, "alternate": 0.5},
    "D": {"original": 1.0, "alternate": -1.0},
}
Rng = np.random.Generator
Draw = Callable[[Rng], tuple[Panel, dict[str, float]]]
"""Draws a study; returns its panel and the true level of each arm."""


@dataclass(frozen=True)
class Cell:
    """One simulated world."""

    label: str
    draw: Draw


def _panel(cells: dict[str, np.ndarray], sizes: np.ndarray) -> Panel:
    """Return the panel of students' cluster means (students, clusters) by arm."""
    arms = [arm for arm in sorted(cells) for _ in cells[arm]]
    sums = np.concatenate([cells[arm] * sizes for arm in sorted(cells)])
    return Panel(
        tuple(f"s{i:03d}" for i in range(len(arms))),
        tuple(arms),
        sums,
        sizes.astype(float),
        bounds=(0.0, 1.0),
    )


def _ends(arm: str) -> float:
    return 1.0 if arm in ("original", "other 1", "other 2") else 0.0


def bimodal(q: float, seeds: int, *, everywhere: bool = False) -> Draw:
    """A student of the odd arm (or of every other arm, too) has the trait with chance q."""

    def draw(rng: Rng) -> tuple[Panel, dict[str, float]]:
        cells, truth = {}, {}
        for arm in ARMS:
            chance = q if arm == "odd" or (everywhere and arm.startswith("other")) else _ends(arm)
            has = rng.random(seeds) < chance
            cells[arm] = np.repeat(has[:, None].astype(float), 40, axis=1)
            truth[arm] = chance
        return _panel(cells, np.ones(40)), truth

    return draw


def clusters(count: int, share: float, seeds: int = 3) -> Draw:
    """The odd arm shows the trait in a share of all clusters there are, fully; the same clusters in every seed."""

    def draw(rng: Rng) -> tuple[Panel, dict[str, float]]:
        shows = rng.random(count) < share
        cells = {arm: np.full((seeds, count), _ends(arm)) for arm in ARMS}
        cells["odd"] = np.repeat(shows[None].astype(float), seeds, axis=0)
        truth = {arm: _ends(arm) for arm in ARMS} | {"odd": share}
        return _panel(cells, np.full(count, max(1, 40 // count))), truth

    return draw


def noisy(
    sd: float, seeds: int, level: float = 0.5, factor: float = 1.0, scenarios: int = 40, by: int = 2
) -> Draw:
    """Logistic students: seeds of `sd` logits in every arm (times `factor` in the odd one), clusters of 0.5 logits."""
    grid = np.random.default_rng(7).normal(size=(40_000, 3))

    def mean(centre: float, scale: float) -> float:
        return float(
            (1 / (1 + np.exp(-(centre + scale * grid[:, 0] + 0.5 * grid[:, 1] + 1.0 * grid[:, 2])))).mean()
        )

    def draw(rng: Rng) -> tuple[Panel, dict[str, float]]:
        count = scenarios // by
        of_cluster, of_scenario = rng.normal(size=count) * 0.5, rng.normal(size=(count, by))
        cells, truth = {}, {}
        for arm in ARMS:
            scale = sd * (factor if arm == "odd" else 1.0)
            centre = np.log(level / (1 - level)) if arm == "odd" else 3.0 * (2 * _ends(arm) - 1)
            logits = (
                centre
                + scale * rng.normal(size=(seeds, 1, 1))
                + of_cluster[None, :, None]
                + of_scenario[None]
            )
            cells[arm] = (rng.random(logits.shape) < 1 / (1 + np.exp(-logits))).mean(axis=2)
            truth[arm] = mean(centre, scale)
        return _panel(cells, np.full(count, by)), truth

    return draw


def cells() -> Iterator[Cell]:
    for seeds in (2, 3, 4, 6, 8):
        for q in (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8):
            yield Cell(f"two outcomes, q {q}, {seeds} seeds", bimodal(q, seeds))
        yield Cell(f"two outcomes in five arms, q .5, {seeds} seeds", bimodal(0.5, seeds, everywhere=True))
    for count in (4, 7, 14, 24, 40):
        for share in (0.05, 0.1, 0.2):
            yield Cell(f"trait in {share} of {count} clusters", clusters(count, share))
    for sd in (0.5, 1.0, 2.0, 4.0):
        for seeds in (2, 3, 5):
            yield Cell(f"seeds of {sd} logits, {seeds} seeds", noisy(sd, seeds))
    for seeds in (2, 3, 5):
        for sd in (0.5, 1.0):
            yield Cell(f"seeds of {sd}, one arm 2.5 times, {seeds} seeds", noisy(sd, seeds, factor=2.5))
    for seeds in (2, 3):
        yield Cell(f"seeds of 1, level .1, {seeds} seeds", noisy(1.0, seeds, level=0.1))


def measure(cell: Cell, studies: int, rng: Rng) -> dict[str, object]:
    """Return coverage and width of the 95 % intervals, and how often the excess is called shown at 1 %, by side."""
    held, width, known = (dict.fromkeys(CONTRASTS, 0.0) for _ in range(3))
    above = below = 0
    excess = 0.0
    for _ in range(studies):
        panel, truth = cell.draw(rng)
        estimates = Fit(panel).estimate(list(CONTRASTS.values()))
        for (name, weights), estimate in zip(CONTRASTS.items(), estimates, strict=True):
            value = sum(weight * truth[arm] for arm, weight in weights.items())
            ends = estimate.interval()
            if ends is None:
                continue
            known[name] += 1
            held[name] += ends[0] - 1e-9 <= value <= ends[1] + 1e-9
            width[name] += ends[1] - ends[0]
            if name == "excess":
                excess = value
                strict = estimate.interval(0.98)
                above += strict is not None and strict[0] > 0
                below += strict is not None and strict[1] < 0
    return {
        "cell": cell.label,
        "coverage": {name: round(held[name] / max(known[name], 1), 4) for name in CONTRASTS},
        "width": {name: round(width[name] / max(known[name], 1), 3) for name in CONTRASTS},
        "excess": round(excess, 3),
        "called more than half": above / studies,
        "called less than half": below / studies,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="200 studies a cell instead of 1,000")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/bimodal.json"))
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    rows = []
    for cell in cells():
        row = measure(cell, 200 if options.quick else 1000, rng)
        rows.append(row)
        cover, width = row["coverage"], row["width"]
        assert isinstance(cover, dict)
        assert isinstance(width, dict)
        numbers = "  ".join(f"{name} {100 * cover[name]:5.1f} /{width[name]:.2f}" for name in CONTRASTS)
        sys.stdout.write(
            f"{cell.label:44} {numbers}  excess {row['excess']:+.2f}: "
            f"+{row['called more than half']:.1%} -{row['called less than half']:.1%}\n"
        )
        sys.stdout.flush()
    worst = min(min(row["coverage"].values()) for row in rows)  # type: ignore[attr-defined]
    sys.stdout.write(f"the least coverage of any cell: {worst:.1%}\n")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(
        json.dumps({"seed": options.seed, "rows": rows}, indent=1) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
