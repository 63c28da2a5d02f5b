"""Simulated studies whose truth is known: students crossed with scenarios in clusters, for the benchmarks of the statistics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy import optimize, special

from mendel.diagnose.stats.panel import Panel
from mendel.study.cube import CORNERS

Floats = NDArray[np.float64]

CUBE = {corner: f"cube/{corner}" for corner in CORNERS}
EDITS = ("drop", "drop-random", "swap", "swap-random", "only", "only-random")
MIXES = (0.1, 0.25, 0.5)
ARMS = (*CUBE.values(), *(f"{edit}/t" for edit in EDITS), *(f"mix/{share:g}" for share in MIXES))
SAMPLES = 2
SAME = CUBE | {corner: f"cube/OO{corner[2]}" for corner in CORNERS}  # only the teacher differs
RATES: dict[str, tuple[float, ...]] = {
    "middle": (0.7, 0.35, 0.6, 0.3, 0.65, 0.3, 0.6, 0.3, 0.6, 0.65, 0.4, 0.6, 0.5, 0.4, 0.4, 0.5, 0.6),
    "null": (0.5,) * 17,
    "teacher": (0.92, 0.05, 0.9, 0.05, 0.9, 0.05, 0.9, 0.04, 0.85, 0.9, 0.1, 0.9, 0.6, 0.3, 0.3, 0.5, 0.7),
    "edge": (0.98, 0.02, 0.98, 0.02, 0.98, 0.02, 0.98, 0.02, 0.95, 0.98, 0.03, 0.98, 0.9, 0.5, 0.5, 0.7, 0.9),
    "rare": (0.02,) * 17,
    "very rare": (0.005,) * 17,
}
NODES, NODE_WEIGHTS = np.polynomial.hermite_e.hermegauss(61)
NODE_WEIGHTS = NODE_WEIGHTS / NODE_WEIGHTS.sum()


@dataclass(frozen=True)
class World:
    """One setting of the simulation; standard deviations are in logits."""

    rates: str
    scenarios: int
    clustered: bool
    seeds: int
    seed_sd: float = 0.5
    spread: float = 0.0
    """Standard deviation of the log of the arms' seed_sd: some arms are noisier than others. Drawn anew for each study."""
    noisy: float = 1.0
    """One arm's seeds alone are so many times as noisy: a stress that moderation is not made for."""
    noisy_arm: str = CUBE["OOO"]
    arms: tuple[str, ...] = ARMS
    cluster_sd: float = 0.5
    scenario_sd: float = 1.0
    scenario_by_arm_sd: float = 0.5
    scenario_by_student_sd: float = 0.3

    @property
    def label(self) -> str:
        extra = f" spread {self.spread:g}" if self.spread else ""
        few = f" {len(self.arms)} arms" if len(self.arms) < len(ARMS) else ""
        extra += f" noisy {self.noisy:g}" if self.noisy != 1 else ""
        size = "1-4" if self.clustered else "1"
        return f"{self.rates:8} {self.scenarios:3d} x {size:3}  {self.seeds} seeds  sd {self.seed_sd:g}{extra}{few}"

    def clusters(self) -> NDArray[np.int64]:
        """The cluster of each scenario: of one scenario each, or of 1, 2, 3, 4, 1, … scenarios."""
        if not self.clustered:
            return np.arange(self.scenarios)
        sizes = [1 + i % 4 for i in range(self.scenarios)]
        return np.repeat(np.arange(len(sizes)), sizes)[: self.scenarios]


@dataclass(frozen=True)
class Outcome:
    """A second outcome of training: with a chance, a student of an arm comes out at another rate."""

    chance: float
    rate: float


class Simulator:
    """Draws studies of one world: hits as shares of samples, (arms, seeds, scenarios)."""

    def __init__(
        self,
        world: World,
        rng: np.random.Generator,
        rates: Sequence[float] | Mapping[str, float] | None = None,
        outcomes: Mapping[str, Outcome] | None = None,
    ) -> None:
        """`rates` of the arms: by name, in the order of `ARMS`, or (None) those that the world names.

        `outcomes` by arm: the second outcome of arms whose training has two.
        """
        self.world, self.rng = world, rng
        listed = RATES[world.rates] if rates is None else rates
        given = listed if isinstance(listed, Mapping) else dict(zip(ARMS, listed, strict=True))
        self.truth = np.array([given[arm] for arm in world.arms])
        self.cluster = world.clusters()
        other = np.hypot.reduce(
            [world.cluster_sd, world.scenario_sd, world.scenario_by_arm_sd, world.scenario_by_student_sd]
        )
        own = np.array([world.noisy if arm == world.noisy_arm else 1.0 for arm in world.arms])
        # With a spread the seeds' sd is random itself; the level is solved for on a grid of it.
        self.grid = np.exp(world.spread * np.linspace(-3, 3, 25) - world.spread**2)
        self.seed_sd = world.seed_sd * own[:, None] * self.grid
        sds = np.hypot(other, self.seed_sd)
        self.centres = np.array(
            [[_centre(rate, sd) for sd in row] for rate, row in zip(self.truth, sds, strict=True)]
        )
        second = [(outcomes or {}).get(arm, Outcome(0.0, 0.5)) for arm in world.arms]
        self.chance = np.array([outcome.chance for outcome in second])
        self.other = np.array(
            [[_centre(out.rate, sd) for sd in row] for out, row in zip(second, sds, strict=True)]
        )

    def draw(self) -> Floats:
        world, rng = self.world, self.rng
        n, s, m = len(world.arms), world.seeds, world.scenarios
        pick = np.clip(np.round(rng.normal(size=n) * 4 + 12), 0, 24).astype(int)
        level, other = (centres[np.arange(n), pick][:, None] for centres in (self.centres, self.other))
        level = np.where(rng.random((n, s)) < self.chance[:, None], other, level)
        logits = level + rng.normal(size=(n, s)) * self.seed_sd[np.arange(n), pick][:, None]
        shared = world.cluster_sd * rng.normal(size=m)[self.cluster] + world.scenario_sd * rng.normal(size=m)
        by_arm = world.scenario_by_arm_sd * rng.normal(size=(n, 1, m))
        by_student = world.scenario_by_student_sd * rng.normal(size=(n, s, m))
        chance = special.expit(logits[:, :, None] + shared + by_arm + by_student)
        return np.asarray(rng.binomial(SAMPLES, chance) / SAMPLES)

    def panel(self, cells: Floats) -> Panel:
        n, s, m = cells.shape
        starts = np.flatnonzero(np.diff(self.cluster, prepend=-1))
        return Panel(
            students=tuple(f"{arm}#{seed}" for arm in self.world.arms for seed in range(s)),
            arm_of=tuple(arm for arm in self.world.arms for _ in range(s)),
            sums=np.add.reduceat(cells.reshape(n * s, m), starts, axis=1),
            sizes=np.diff([*starts, m]).astype(np.float64),
            bounds=(0.0, 1.0),
        )


@lru_cache(maxsize=4096)
def _centre(rate: float, sd: float) -> float:
    """The logit whose mean over a normal of `sd` is `rate`."""
    if rate <= 0:
        return -40.0
    return float(
        optimize.brentq(lambda at: float(special.expit(at + sd * NODES) @ NODE_WEIGHTS) - rate, -40, 40)
    )


def tables(simulator: Simulator, cells: Floats) -> tuple[pa.Table, pa.Table]:
    """A study as the contract's tables, one row a scenario (the mean of its samples)."""
    n, s, m = cells.shape
    arms = np.repeat(simulator.world.arms, s)
    names = np.array([f"{arm}#{i % s}" for i, arm in enumerate(arms)])
    students = pa.table(
        {"student": names, "arm": arms, "status": ["ok"] * (n * s), "n_examples": [100] * (n * s)}
    )
    flat = cells.reshape(-1)
    measurements = pa.table(
        {
            "student": np.repeat(names, m),
            "trait": ["t"] * len(flat),
            "scenario": np.tile([f"s{i:03d}" for i in range(m)], n * s),
            "cluster": np.tile([f"c{c:03d}" for c in simulator.cluster], n * s),
            "score": flat,
            "hit": flat,
        }
    )
    return students, measurements
