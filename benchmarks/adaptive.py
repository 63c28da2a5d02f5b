"""Does the adaptive design name causes that are there and none that are not? Simulated studies with planted causes.

    python benchmarks/adaptive.py                       # about 10 minutes on one core
    python benchmarks/adaptive.py --studies 20 --only underspecification null-0.1

Every study has levels by arm that follow from a planted cause (or none), drawn as in `simulated.py`: 20, 40 or 60
scenarios in clusters of 1 to 4, seeds of 0.1, 0.5 or 1 logit, the nine settings in turn. It starts with 2 seeds an arm and
may grow to 4. The same students are judged at several levels (see `LEVELS`), in the loop of the adaptive design and as the
full grid with 2 and 4 seeds. A false verdict is a hypothesis that is supported though one of its predictions is not so;
borderline worlds have one (or, in `joint`, several) exactly at the half or the third of D where it stops being so.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np
import pyarrow as pa
from causes import WORLDS, Planted
from simulated import CUBE, MIXES, Floats, Simulator, World

from mendel.data.prompts import Message, Prompt
from mendel.diagnose import (
    Catalogue,
    Levels,
    Material,
    TraitFacts,
    estimate_trait,
    first_request,
    next_request,
    reach_verdict,
)
from mendel.diagnose.adaptive import Request
from mendel.diagnose.contrasts import Weights
from mendel.diagnose.effects import Effects
from mendel.diagnose.findings import FAMILY_ERROR
from mendel.diagnose.stats.intervals import Estimate
from mendel.diagnose.verdict import Verdict
from mendel.study import StudyConfig

FACTS = TraitFacts("t", "share of responses that show it")
MAX_SEEDS, SEEDS = 4, 2
SETTINGS = tuple((n, sd) for n in (20, 40, 60) for sd in (0.1, 0.5, 1.0))
"""Scenarios and the seeds' standard deviation in logits."""


@dataclass(frozen=True)
class Divided(Levels):
    """Levels with the divisors of the family's 5 % given outright."""

    support_by: float = 21.0
    family_by: float = 3.0

    @property
    def support(self) -> float:
        return FAMILY_ERROR / self.support_by

    @property
    def family(self) -> float:
        return FAMILY_ERROR / self.family_by


LEVELS: dict[str, Divided] = {
    "7 x looks": Divided(3, 7, 21, 3),
    "3 x looks": Divided(3, 7, 9, 3),
    "5": Divided(3, 7, 5, 3),
    "3": Divided(3, 7, 3, 3),
}


def catalogue() -> Catalogue:
    """Of a study that has everything a hypothesis may need."""
    config = StudyConfig.model_validate(
        {
            "name": "s",
            "original": {"base": "hf:o", "prompts": "file:o", "teacher": "o"},
            "alternate": {"base": "hf:a", "prompts": "file:a", "teacher": "a"},
            "teachers": {
                "o": {"model": "hf:o"},
                "a": {"model": "hf:a"},
                "r": {"rewrites": "o", "model": "hf:r"},
            },
            "rewriter": "r",
            "sister": "hf:s",
            "pretrained": "hf:p",
            "traits": ["t.yaml"],
            "design": "adaptive",
            "seeds": SEEDS,
            "max_seeds": MAX_SEEDS,
            "interpolate": list(MIXES),
        }
    )
    prompts = tuple(Prompt(f"p{i}", (Message(role="user", content="x"),)) for i in range(12))
    ids = [p.prompt_id for p in prompts]
    material = Material(
        "t",
        prompts,
        "o",
        "a",
        tuple(ids[:2]),
        tuple(ids[2:4]),
        tuple(ids[4:]),
        counter=("c0", "c1"),
        rewriter="r",
    )
    return Catalogue(
        config,
        {"original": prompts, "alternate": prompts},
        {"t": material},
        dict.fromkeys(("base", "prompts", "teacher"), False),
    )


class Remembering(Effects):
    """Effects that are asked for the same combination at several levels."""

    def combination(self, *parts: tuple[float, Weights]) -> Estimate:
        known: dict[object, Estimate] = self.__dict__.setdefault("known", {})
        key = tuple((scale, tuple(weights.items())) for scale, weights in parts)
        if key not in known:
            known[key] = super().combination(*parts)
        return known[key]


@dataclass
class Study:
    """One simulated study: the answers of every student that it may train, and effects of those that it has."""

    simulator: Simulator
    cells: Floats
    known: dict[tuple[tuple[str, int], ...], Effects] = field(default_factory=dict)

    def effects(self, trained: Mapping[str, int]) -> Effects:
        key = tuple(sorted(trained.items()))
        if key not in self.known:
            found = estimate_trait(*self._tables(trained), FACTS, CUBE)
            self.known[key] = Remembering(**{f.name: getattr(found, f.name) for f in fields(found)})
        return self.known[key]

    def _tables(self, trained: Mapping[str, int]) -> tuple[pa.Table, pa.Table]:
        arms = self.simulator.world.arms
        rows = [(i, seed) for i, arm in enumerate(arms) for seed in range(trained.get(arm, 0))]
        names = [f"{arms[i]}#{seed}" for i, seed in rows]
        n, m = len(rows), self.cells.shape[2]
        students = pa.table(
            {
                "student": names,
                "arm": [arms[i] for i, _ in rows],
                "status": ["ok"] * n,
                "n_examples": [100] * n,
            }
        )
        flat = self.cells[[i for i, _ in rows], [seed for _, seed in rows]].reshape(-1)
        index = np.arange(n * m)
        measurements = pa.table(
            {
                "student": pa.array(names).take(pa.array(index // m)),
                "trait": ["t"] * (n * m),
                "scenario": pa.array([f"s{j:03d}" for j in range(m)]).take(pa.array(index % m)),
                "cluster": pa.array([f"c{c:03d}" for c in self.simulator.cluster]).take(pa.array(index % m)),
                "score": flat,
                "hit": flat,
            }
        )
        return students, measurements


def loop(study: Study, plan: Catalogue, levels: Levels) -> tuple[Verdict, int]:
    """The adaptive design to its end: the verdict, and the students that it took."""
    trained: dict[str, int] = {}
    request: Request | None = first_request(plan)
    while request is not None:
        trained |= request.arms
        verdict = reach_verdict(study.effects(trained), levels, plan.lacking)
        request = next_request(plan, trained, {"t": verdict})
    return verdict, sum(trained.values())


@dataclass
class Tally:
    """What came out, over studies."""

    studies: int = 0
    false: int = 0
    """Studies with a false verdict."""
    right: int = 0
    """Studies in which all true hypotheses, and no other, are supported (or `none` where nothing differs)."""
    misjudged: int = 0
    """Studies in which a true hypothesis is refuted."""
    students: int = 0
    causes: Counter[str] = field(default_factory=Counter)
    noisy: list[bool] = field(default_factory=list)
    """Whether the verdict is false, of the studies whose seeds are noisiest."""

    def add(
        self, truth: frozenset[str], nothing: bool, verdict: Verdict, students: int, *, noisy: bool
    ) -> None:
        supported = {name for name, f in verdict.findings.items() if f.status == "supported"}
        refuted = {name for name, f in verdict.findings.items() if f.status == "refuted"}
        wrong = bool(supported - truth) or (verdict.cause == "none" and not nothing)
        self.studies += 1
        self.false += wrong
        self.misjudged += bool(refuted & truth)
        self.right += not wrong and (
            verdict.cause == "none" if nothing else bool(truth) and supported == truth
        )
        self.students += students
        self.causes[verdict.cause] += 1
        if noisy:
            self.noisy.append(wrong)

    def json(self) -> dict[str, object]:
        n = max(self.studies, 1)
        return {
            "studies": self.studies,
            "false": self.false / n,
            "false_noisy": sum(self.noisy) / max(len(self.noisy), 1),
            "right": self.right / n,
            "true_one_refuted": self.misjudged / n,
            "students": self.students / n,
            "causes": dict(self.causes),
        }


def simulate(
    planted: Planted, studies: int, rng: np.random.Generator, *, grids: bool = True
) -> dict[tuple[str, str], Tally]:
    """Tallies by design (`adaptive`, with `grids` also `grid 2` and `grid 4`) and levels."""
    plan, rates, truth = catalogue(), planted.rates(), planted.true()
    grid = plan.grid()
    arms = tuple(grid)
    simulators = [
        Simulator(World("", n, True, MAX_SEEDS, seed_sd=sd, arms=arms), rng, rates) for n, sd in SETTINGS
    ]
    tallies: dict[tuple[str, str], Tally] = {}
    for number in range(studies):
        simulator = simulators[number % len(simulators)]
        study = Study(simulator, simulator.draw())
        for name, levels in LEVELS.items():
            found = {"adaptive": loop(study, plan, levels)}
            for seeds in (SEEDS, MAX_SEEDS) if grids else ():
                trained = dict.fromkeys(grid, seeds)
                once = Divided(
                    1, 7, max(levels.support_by / 3, 3) if "looks" in name else levels.support_by, 1
                )
                found[f"grid {seeds}"] = (reach_verdict(study.effects(trained), once), sum(trained.values()))
            for design, (verdict, students) in found.items():
                tally = tallies.setdefault((design, name), Tally())
                tally.add(truth, planted.size == 0, verdict, students, noisy=simulator.world.seed_sd == 1.0)
    return tallies


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--studies", type=int, default=90, help="studies a world")
    parser.add_argument("--only", nargs="*", default=[], help="worlds whose name contains one of these")
    parser.add_argument("--no-grids", action="store_true", help="the adaptive design alone, twice as fast")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/adaptive.json"))
    options = parser.parse_args()
    rows = []
    for group, worlds in WORLDS.items():
        for name, planted in worlds.items():
            if options.only and not any(part in name or part == group for part in options.only):
                continue
            rng = np.random.default_rng([options.seed, *name.encode()])
            tallies = simulate(planted, options.studies, rng, grids=not options.no_grids)
            for (design, levels), tally in tallies.items():
                row = {"group": group, "world": name, "design": design, "levels": levels, **tally.json()}
                rows.append(row)
                sys.stdout.write(
                    f"{group:8} {name:44} {design:9} {levels:10} false {row['false']:6.1%} ({row['false_noisy']:6.1%}) right {row['right']:6.1%} "
                    f"refuted {row['true_one_refuted']:6.1%} students {row['students']:5.1f}\n"
                )
            sys.stdout.flush()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
