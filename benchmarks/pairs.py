"""Does a study of `peas` with a few seeds say what twenty say? All 190 pairs of twenty seeds, and larger subsets.

    python benchmarks/pairs.py                    # trains some 700 students, 10 to 20 minutes on two cores
    python benchmarks/pairs.py --read runs/pairs  # reads a run that this command made before

Every subset of seeds is diagnosed as a study of its own: all pairs, and 100 random subsets of each larger size. Held: how
often the 95 % interval of an arm's level holds the mean of twenty seeds. Contradicted: what one subset says and another one
of any size denies (state, carrier, cause, a part's decision).
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

import mendel
from mendel.diagnose import TraitFacts, diagnose, estimate_trait
from mendel.results.run import Run
from mendel.study import load_study

SEEDS, FIRST = 20, 7300
SIZES, DRAWN = (4, 8, 12), 100
"""Sizes of the random subsets, and how many there are of each."""
SPREAD = 0.2
"""Standard deviation between seeds from which an arm's training is said to vary."""
OPPOSITES = {
    ("carries", "does not carry"),
    ("supported", "refuted"),
    ("difference", "shared"),
    ("difference", "absent"),
}
Said = Mapping[str, str]
"""What a subset says: `cause/NAME`: status, `state`, `carrier`, `part/NAME`: decision."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--read", type=Path, help="a finished run of this command")
    parser.add_argument("--out", type=Path, default=Path("runs/pairs"))
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    run = Run(arguments.read) if arguments.read else trained(arguments.out)
    figures = {name: of_trait(run, name) for name in run.traits}
    for name, found in figures.items():
        print(f"{name}: {json.dumps(found, indent=1)}")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")


def trained(out: Path) -> Run:
    """Run `peas` with twenty seeds of every arm."""
    study = load_study(None)
    more = {"design": "standard", "seeds": SEEDS, "max_seeds": SEEDS, "first_seed": FIRST, "interpolate": ()}
    return mendel.run(replace(study, config=study.config.model_copy(update=more)), out)


def of_trait(run: Run, trait: str) -> dict[str, Any]:
    """Return how the subsets do on one trait."""
    verdict = run.verdicts["traits"][trait]
    facts = TraitFacts(trait, verdict["scale"], verdict["metric"], score_range=None)
    of_this = pc.equal(run.measurements["trait"], trait)
    measurements = run.measurements.filter(of_this)
    students = run.students.filter(pc.equal(run.students["status"], "ok"))
    whole = estimate_trait(students, measurements, facts, run.cube)
    assert whole.fit is not None
    by_seed = {
        arm: whole.fit.students(arm)
        for arm in whole.fit.arms
        if arm in whole.levels and whole.counts[arm] == SEEDS
    }
    means = {arm: float(values.mean()) for arm, values in by_seed.items()}
    varying = [arm for arm, values in by_seed.items() if float(values.std(ddof=1)) > SPREAD]
    seeds = sorted(seed for seed in set(students["seed"].to_pylist()) if seed is not None)
    rng = np.random.default_rng(FIRST)
    subsets: dict[int, list[tuple[int, ...]]] = {2: list(itertools.combinations(seeds, 2))}
    subsets |= {n: [tuple(rng.choice(seeds, n, replace=False)) for _ in range(DRAWN)] for n in SIZES}
    found: dict[str, Any] = {"arms": len(means), "arms_that_vary": {a: round(means[a], 3) for a in varying}}
    everything: list[Said] = []
    for size, chosen in subsets.items():
        held: Counter[str] = Counter()
        said: list[Said] = []
        for subset in chosen:
            mine, theirs = of_seeds(students, measurements, subset)
            diagnosis = diagnose(mine, theirs, [facts], run.cube)
            levels = diagnosis.effects[trait].levels
            held.update(arm for arm, mean in means.items() if _holds(levels[arm], mean))
            said.append(flat(diagnosis.traits[trait]))
        everything += said
        found[f"{size} seeds"] = {
            "subsets": len(chosen),
            "held": sum(held.values()) / (len(means) * len(chosen)),
            "held_where_they_vary": sum(held[a] for a in varying) / max(1, len(varying) * len(chosen)),
            **{key: dict(Counter(one[key] for one in said)) for key in ("state", "carrier", "cause")},
        }
    return {**found, "contradicted": contradicted(everything)}


def _holds(level: Any, mean: float) -> bool:
    return level.low is not None and level.low - 1e-9 <= mean <= level.high + 1e-9


def of_seeds(students: pa.Table, measurements: pa.Table, seeds: Iterable[int]) -> tuple[pa.Table, pa.Table]:
    """Return the tables of a study with these seeds; untrained models stay."""
    kept = pc.or_(
        pc.is_null(students["seed"]),
        pc.is_in(students["seed"], value_set=pa.array([int(seed) for seed in seeds])),
    )
    mine = students.filter(kept)
    return mine, measurements.filter(pc.is_in(measurements["student"], value_set=mine["student"]))


def flat(verdict: Mapping[str, Any]) -> Said:
    """Return everything that a verdict decides, by name."""
    parts = {f"part/{name}": found["decision"] for name, found in (verdict.get("location") or {}).items()}
    causes = {f"cause/{name}": found["status"] for name, found in verdict["hypotheses"].items()}
    named = {key: str(verdict[key]) for key in ("state", "carrier", "cause")}
    return {**named, **parts, **causes}


def contradicted(said: Iterable[Said]) -> list[str]:
    """Return what some subsets say and others deny."""
    found = []
    said = list(said)
    for key in sorted({key for one in said for key in one}):
        values = {one[key] for one in said if key in one} - {"undecided", "untested"}
        denied = any({*pair} <= values for pair in OPPOSITES)
        if denied or (key in ("carrier", "cause") and len(values) > 1):
            found.append(f"{key}: {', '.join(sorted(values))}")
    return found


if __name__ == "__main__":
    main()
