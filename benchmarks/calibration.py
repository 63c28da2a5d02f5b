"""Do the 95 % intervals cover 95 %, and are carriers named rightly? Simulated students, scenarios and clusters whose truth is known.

    python benchmarks/calibration.py --quick        # about 1 minute
    python benchmarks/calibration.py --full         # about 10 minutes: the table of docs/decisions/001-intervals.md
    python benchmarks/calibration.py --full --out calibration.json
    python benchmarks/calibration.py --cells        # about 5 minutes: 10 to 60 scenarios x 2, 3, 5 seeds, coverage alone

A student's chance of a hit on a scenario is logistic in: its arm's level + its seed + the cluster + the scenario (both
shared by all arms) + scenario x arm + scenario x student; every scenario is sampled twice. The truth of a contrast is its
mean over new seeds and new scenarios, by quadrature. Compared with the chosen interval: the percentile bootstrap of clusters
and seeds (Owen's pigeonhole bootstrap), the same with deviations inflated by sqrt(n / (n - 1)) on each level, the
variances alone, without what agreeing students leave open, and these without moderation of the seeds' variance.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from simulated import ARMS, CUBE, MIXES, SAME, SAMPLES, Floats, Simulator, World, tables

from mendel.diagnose import carrier, diagnose, estimate_trait, trait_state
from mendel.diagnose.contrasts import combine, effect_weights, total_weights
from mendel.diagnose.effects import TraitFacts
from mendel.diagnose.stats import intervals as _intervals
from mendel.diagnose.stats.intervals import Fit
from mendel.study.cube import CORNERS


def contrasts(world: World) -> dict[str, dict[str, float]]:
    """The contrasts whose coverage is counted; those that the world's arms allow."""
    cube = CUBE if CUBE["AAA"] in world.arms else SAME
    total, teacher = total_weights(cube), effect_weights(cube, "teacher")
    return {
        "total": dict(total),
        "teacher": dict(teacher),
        "carrier": combine([(1.0, teacher), (-0.25, total)]),
        "drop": {cube["OOO"]: 1.0, "drop/t": -1.0},
        "drop-random": {"drop-random/t": 1.0, "drop/t": -1.0},
        "level": {cube["OOO"]: 1.0},
    }


Intervals = tuple[Floats, Floats]
Method = Callable[[Simulator, Floats, Floats, list[dict[str, float]]], Intervals]


def chosen(simulator: Simulator, cells: Floats, _: Floats, weights: list[dict[str, float]]) -> Intervals:
    found = Fit(simulator.panel(cells)).estimate(weights)
    return np.array([e.low for e in found], dtype=float), np.array([e.high for e in found], dtype=float)


def unmoderated(
    simulator: Simulator, cells: Floats, matrix: Floats, weights: list[dict[str, float]]
) -> Intervals:
    kept, _intervals.PRIOR_DF = _intervals.PRIOR_DF, 1e-9
    try:
        return variances(simulator, cells, matrix, weights)
    finally:
        _intervals.PRIOR_DF = kept


def variances(simulator: Simulator, cells: Floats, _: Floats, weights: list[dict[str, float]]) -> Intervals:
    """The chosen interval without what agreeing students and clusters leave open."""
    found = [replace(e, agreement=None) for e in Fit(simulator.panel(cells)).estimate(weights)]
    return np.array([e.low for e in found], dtype=float), np.array([e.high for e in found], dtype=float)


def pigeonhole(inflate: bool, draws: int = 400) -> Method:
    """Percentiles of a bootstrap of clusters (the same for all arms) and of seeds within arms."""

    def method(simulator: Simulator, cells: Floats, matrix: Floats, _: list[dict[str, float]]) -> Intervals:
        n, s, _m = cells.shape
        rng = simulator.rng
        starts = np.flatnonzero(np.diff(simulator.cluster, prepend=-1))
        sums = np.add.reduceat(cells, starts, axis=2)
        sizes = np.diff([*starts, cells.shape[2]])
        g = len(sizes)
        if inflate:  # stretch the clusters' and the seeds' deviations before they are drawn
            mean = cells.mean(axis=(1, 2))[:, None, None]
            seed = cells.mean(axis=2, keepdims=True) - mean
            cluster = sums.mean(axis=1, keepdims=True) / sizes - mean
            rest = sums / sizes - mean - seed - cluster
            up = np.sqrt(s / (s - 1)), np.sqrt(g / (g - 1))
            sums = (mean + seed * up[0] + cluster * up[1] + rest * up[0] * up[1]) * sizes
        picked = rng.multinomial(g, np.full(g, 1 / g), size=draws).astype(float)
        students = np.einsum("bg,asg->bas", picked, sums) / (picked @ sizes)[:, None, None]
        seeds = rng.multinomial(s, np.full(s, 1 / s), size=(draws, n)) / s
        values = (students * seeds).sum(axis=2) @ matrix.T
        return np.quantile(values, 0.025, axis=0), np.quantile(values, 0.975, axis=0)

    return method


METHODS: dict[str, Method] = {
    "chosen": chosen,
    "variances": variances,
    "unmoderated": unmoderated,
    "percentile": pigeonhole(inflate=False),
    "inflated": pigeonhole(inflate=True),
}


def coverage(
    world: World, studies: int, methods: Sequence[str], rng: np.random.Generator
) -> list[dict[str, object]]:
    """Coverage and mean width of each method's 95 % intervals, by contrast."""
    simulator, named = Simulator(world, rng), contrasts(world)
    weights = list(named.values())
    matrix = np.array([[w.get(arm, 0.0) for arm in world.arms] for w in weights])
    truth = matrix @ simulator.truth
    hits, width = np.zeros((len(methods), len(weights))), np.zeros((len(methods), len(weights)))
    for _ in range(studies):
        cells = simulator.draw()
        for row, method in enumerate(methods):
            low, high = METHODS[method](simulator, cells, matrix, weights)
            hits[row] += (low <= truth + 1e-12) & (truth <= high + 1e-12)
            width[row] += high - low
    return [
        {
            "world": asdict(world) | {"arms": len(world.arms)},
            "label": world.label,
            "method": method,
            "studies": studies,
            "coverage": dict(zip(named, (hits[row] / studies).round(4).tolist(), strict=True)),
            "width": dict(zip(named, (width[row] / studies).round(4).tolist(), strict=True)),
        }
        for row, method in enumerate(methods)
    ]


LEVELS: dict[str, Callable[[float, float, float], float]] = {
    "teacher": lambda b, p, t: t,
    "prompts": lambda b, p, t: p,
    "base": lambda b, p, t: b,
    "teacher and prompts add up": lambda b, p, t: 0.5 * t + 0.5 * p,
    "teacher and prompts both needed": lambda b, p, t: t * p,
    "teacher or prompts": lambda b, p, t: max(t, p),
    "teacher, a leak of the base": lambda b, p, t: 0.9 * t + 0.1 * b,
    "exactly a quarter by the base": lambda b, p, t: 0.75 * t + 0.25 * b,
    "no difference": lambda b, p, t: 0.4,
    "no trait": lambda b, p, t: 0.0,
}


def _cube_rates(kind: str) -> list[float]:
    """Rates of the 17 arms for a planted carrier; edits and mixes are of no matter here."""
    cube = [0.03 + 0.87 * LEVELS[kind](*(float(letter == "O") for letter in corner)) for corner in CORNERS]
    return cube + [0.5] * (len(ARMS) - len(cube))


PLANTED = {
    "teacher": {"teacher"},
    "prompts": {"prompts"},
    "base": {"base"},
    "teacher and prompts add up": {"mixed"},
    "teacher and prompts both needed": {"mixed"},
    "teacher or prompts": {"mixed"},
    "teacher, a leak of the base": {"teacher"},
    "exactly a quarter by the base": {"teacher", "mixed"},
    # Neither has a carrier: both pipelines share the first, and show the second as little.
    "no difference": {"undecided"},
    "no trait": {"none"},
}


def verdicts(kind: str, world: World, studies: int, rng: np.random.Generator) -> dict[str, object]:
    """How often the carrier of a planted cube is named rightly, wrongly, or left undecided."""
    simulator = Simulator(world, rng, _cube_rates(kind))
    counts: dict[str, int] = {}
    for _ in range(studies):
        students, measurements = tables(simulator, simulator.draw())
        effects = estimate_trait(students, measurements, TraitFacts("t", "share"), CUBE)
        name = carrier(effects, trait_state(effects, 0.05).state, 0.05).carrier
        counts[name] = counts.get(name, 0) + 1
    right = sum(counts.get(name, 0) for name in PLANTED[kind])
    undecided = 0 if "undecided" in PLANTED[kind] else counts.get("undecided", 0)
    return {
        "planted": kind,
        "label": world.label,
        "studies": studies,
        "right": right / studies,
        "undecided": undecided / studies,
        "wrong": (studies - right - undecided) / studies,
        "named": counts,
    }


def half_way_coverage(world: World, studies: int, rng: np.random.Generator) -> dict[str, object]:
    """Coverage of the half-way share where the truth is a straight line from 0.1 (share 0) to 0.9 (share 1)."""
    line = {f"mix/{share:g}": 0.1 + 0.8 * share for share in MIXES}
    rates = [line.get(arm, 0.1 if arm == CUBE["OOA"] else 0.9) for arm in ARMS]
    simulator = Simulator(world, rng, rates)
    hits, width, found = 0, 0.0, 0
    for _ in range(studies):
        students, measurements = tables(simulator, simulator.draw())
        share = estimate_trait(students, measurements, TraitFacts("t", "share"), CUBE).half_way
        if share.low is not None and share.high is not None:
            found += 1
            hits += share.low <= 0.5 <= share.high
            width += share.high - share.low
    return {
        "label": world.label,
        "studies": studies,
        "with_interval": found / studies,
        "coverage": hits / max(found, 1),
        "width": width / max(found, 1),
    }


def speed(rng: np.random.Generator) -> list[dict[str, object]]:
    """Seconds of `diagnose` for a study like `peas`, and for 1,000 students x 3 traits x 100 scenarios."""
    rows: list[dict[str, object]] = []
    for label, seeds, scenarios in (
        ("17 arms, 3 traits, 30 scenarios", 2, 30),
        ("1,003 students, 3 traits, 100 scenarios", 59, 100),
    ):
        simulator = Simulator(World("teacher", scenarios, True, seeds), rng)
        students, one = tables(simulator, simulator.draw())
        names = ("t", "u", "v")
        column = one.column_names.index("trait")
        many = pa.concat_tables(
            [one.set_column(column, "trait", pa.array([name] * one.num_rows)) for name in names] * SAMPLES
        )
        started = time.perf_counter()
        diagnose(students, many, [TraitFacts(name, "share") for name in names], CUBE)
        rows.append({"label": label, "seconds": round(time.perf_counter() - started, 2)})
    return rows


def worlds(full: bool) -> list[World]:
    few = ("cube/OOO", "cube/OOA", "drop/t", "drop-random/t", "swap/t")
    listed = [
        World("middle", 10, True, 2),
        World("middle", 10, False, 3),
        World("middle", 20, True, 3),
        World("middle", 30, False, 2),
        World("middle", 30, True, 2, spread=0.5),
        World("middle", 60, True, 2, seed_sd=1.0),
        World("middle", 60, False, 5, seed_sd=0.2),
        World("middle", 60, True, 3, spread=0.5),
        World("null", 30, True, 2),
        World("null", 60, True, 5),
        World("middle", 30, True, 2, arms=few),
        World("middle", 30, True, 3, arms=few),
        World("middle", 60, True, 2, noisy=2.5),
        World("middle", 60, True, 3, noisy=2.5),
        World("teacher", 30, True, 2),
        World("teacher", 60, True, 3, seed_sd=1.0),
        World("edge", 10, True, 2),
        World("edge", 60, True, 3),
        World("rare", 30, True, 2),
        World("rare", 60, True, 5, seed_sd=1.0),
        World("very rare", 30, True, 3),
    ]
    return listed if full else [listed[i] for i in (0, 3, 4, 7, 10, 14, 16)]


def cells() -> list[World]:
    """The range that the intervals are meant for: clustered, seeds of half a logit, a middling study and a teacher's trait."""
    return [
        World(rates, scenarios, True, seeds)
        for rates in ("middle", "teacher")
        for scenarios in (10, 20, 40, 60)
        for seeds in (2, 3, 5)
    ]


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="few settings, 400 studies each (default)")
    size.add_argument("--full", action="store_true", help="all settings, 2,000 studies each")
    size.add_argument(
        "--cells", action="store_true", help="coverage by scenarios and seeds, 1,000 studies each"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/calibration.json"))
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    studies = 2000 if options.full else 1000 if options.cells else 400
    methods = list(METHODS) if options.full else ["chosen"]
    names = list(contrasts(World("null", 10, False, 2)))
    result: dict[str, object] = {"seed": options.seed, "studies": studies}

    _say("coverage in % / mean width of 95 % intervals")
    _say(f"{'world':44} {'method':12}" + "".join(f"{name:>14}" for name in names))
    rows = []
    for world in cells() if options.cells else worlds(options.full):
        # The bootstraps are slow, and 500 studies show well enough that they are too narrow.
        slow = [method for method in methods if method in ("percentile", "inflated")]
        quick = [method for method in methods if method not in slow]
        for row in coverage(world, studies, quick, rng) + (coverage(world, 500, slow, rng) if slow else []):
            cover, width = row["coverage"], row["width"]
            assert isinstance(cover, dict)
            assert isinstance(width, dict)
            _say(
                f"{row['label']!s:44} {row['method']!s:12}"
                + "".join(f"{100 * cover[k]:8.1f} /{width[k]:.2f}" for k in names)
            )
            rows.append(row)
    result["coverage"] = rows
    if options.cells:
        _write(options.out, result)
        return

    _say(f"\n{'planted':34} {'world':44} right  undecided  wrong")
    found = []
    base = World("null", 30, True, 2)
    for world in (base, replace(base, scenarios=60, seeds=10)) if options.full else (base,):
        for kind in PLANTED:
            row = verdicts(kind, world, min(studies // 4, 200), rng)
            _say(
                f"{kind:34} {row['label']!s:44} {row['right']:5.1%} {row['undecided']:9.1%} {row['wrong']:7.1%}"
            )
            found.append(row)
    result["verdicts"] = found

    shares = [
        half_way_coverage(w, min(studies // 4, 200), rng)
        for w in (base, replace(base, scenarios=60, seeds=3, clustered=False))
    ]
    _say("\nhalf-way share (truth 0.5)")
    for share in shares:
        _say(
            f"{share['label']!s:44} coverage {share['coverage']:.1%}, width {share['width']:.2f}, given {share['with_interval']:.0%}"
        )
    result["half_way"] = shares

    result["speed"] = speed(rng)
    for timed in result["speed"]:  # type: ignore[attr-defined]
        _say(f"{timed['label']}: {timed['seconds']} s")
    _write(options.out, result)


def _write(out: Path, result: dict[str, object]) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    _say(f"written: {out}")


if __name__ == "__main__":
    main()
