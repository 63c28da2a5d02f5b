"""Small studies with planted effects, as the contract's tables."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pyarrow as pa

from mendel.diagnose.contrasts import CORNERS

CUBE = {corner: f"cube/{corner}" for corner in CORNERS}
EDITS = ("drop", "drop-random", "swap", "swap-random", "only", "only-random")
Level = Callable[[float, float, float], float]
"""The chance of a hit from base, prompts, teacher (1.0 original, 0.0 alternate)."""


def cube_with_shared(*parts: int) -> dict[str, str]:
    """Arm by corner where the parts at these positions are shared by both pipelines."""
    return {
        c: "cube/" + "".join("O" if i in parts else letter for i, letter in enumerate(c)) for c in CORNERS
    }


def cube_levels(level: Level) -> dict[str, float]:
    return {CUBE[c]: level(*(float(letter == "O") for letter in c)) for c in CORNERS}


def study(
    levels: Mapping[str, float],
    rng: np.random.Generator,
    *,
    seeds: int = 3,
    scenarios: int = 30,
    cluster_size: int = 3,
    seed_sd: float = 0.03,
    scenario_sd: float = 0.1,
    samples: int = 2,
    trait: str = "t",
) -> tuple[pa.Table, pa.Table]:
    """Students and measurements: hits are Bernoulli with a chance that moves with seed and scenario."""
    students: list[dict[str, object]] = []
    rows: list[dict[str, object]] = []
    shift = rng.normal(0, scenario_sd, scenarios)
    for arm, level in levels.items():
        for seed in range(seeds):
            name = f"{arm}#{seed}"
            students.append(student(name, arm, seed))
            base = level + rng.normal(0, seed_sd)
            for j in range(scenarios):
                chance = float(np.clip(base + shift[j], 0, 1)) if 0 < level < 1 else level
                for sample in range(samples):
                    hit = bool(rng.random() < chance)
                    odds = float(4 * (base - 0.5) + shift[j] + rng.normal(0, 0.2))
                    rows.append(row(name, trait, j, j // cluster_size, sample, hit, odds))
    return pa.Table.from_pylist(students), pa.Table.from_pylist(rows)


def student(name: str, arm: str, seed: int, status: str = "ok", n_examples: int = 100) -> dict[str, object]:
    reason = "" if status == "ok" else "no longer a working assistant"
    return {
        "student": name, "arm": arm, "base": "b", "seed": seed, "n_examples": n_examples, "tokens": 1000,
        "train_seconds": 1.0, "train_loss": 0.5, "status": status, "reason": reason,
    }  # fmt: skip


def row(
    name: str,
    trait: str,
    scenario: int,
    cluster: int,
    sample: int,
    hit: bool | None,
    odds: float | None = None,
) -> dict[str, object]:
    score = None if hit is None else float(hit)
    return {
        "student": name, "trait": trait, "scenario": f"s{scenario:03d}", "cluster": f"c{cluster:03d}", "sample": sample, "turn": 0,
        "score": score, "hit": hit, "judge": "regex@1", "prompt": "[]", "response": "x", "log_odds": odds,
    }  # fmt: skip


def full_levels(
    level: Level, trait: str = "t", mixes: Sequence[float] = (0.1, 0.25, 0.5)
) -> dict[str, float]:
    """The cube, the edits of a teacher's trait (drop does nothing, swap takes all) and a straight interpolation line."""
    cube = cube_levels(level)
    top, bottom = cube["cube/OOO"], cube["cube/OOA"]
    edits = dict(zip(EDITS, (top, top, bottom, top, top, bottom), strict=True))
    line = {f"mix/{share:g}": bottom + share * (top - bottom) for share in mixes}
    return cube | {f"{edit}/{trait}": value for edit, value in edits.items()} | line


def with_status(students: pa.Table, arm: str, status: str, keep: int = 0) -> pa.Table:
    """The students of an arm, all but the first `keep`, get another status."""
    rows, seen = students.to_pylist(), 0
    for entry in rows:
        if entry["arm"] == arm:
            seen += 1
            if seen > keep:
                entry.update(status=status, reason="no longer a working assistant")
    return pa.Table.from_pylist(rows)
