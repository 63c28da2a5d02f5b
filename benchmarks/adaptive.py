"""Does the adaptive design name causes that are there and none that are not? Simulated studies with planted causes.

    python benchmarks/adaptive.py                       # about 40 minutes on one core: 90 studies of each of 63 worlds
    python benchmarks/adaptive.py --studies 18 --only two noisy
    python benchmarks/adaptive.py --studies 20 --only "mild 0.5" --grids

Every study has levels by arm that follow from a planted cause (or none), drawn as in `simulated.py`: 20, 40 or 60
scenarios in clusters of 1 to 4, seeds of 0.1, 0.5 or 1 logit, the nine settings in turn. It starts with 2 seeds an arm and
may grow to 8 (`--max-seeds`). *False*: a hypothesis is supported of which a prediction is not so. *Refuted*: one is refuted
of which no prediction is wrong. Worlds of the group `border` have one decisive contrast exactly at half of D, where support
and refutation are both wrong; in `two` a student of the decisive arm has the trait or not; in `noisy` one arm's seeds are
2.5 times as noisy. *Located falsely*: a part is said to carry more than a quarter of D, or less, and it is not so.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np
import pyarrow as pa
from causes import ROWS, WORLDS, Planted
from simulated import CUBE, MIXES, Floats, Simulator, World

from mendel.data.prompts import Message, Prompt
from mendel.diagnose import (
    Catalogue,
    Levels,
    Material,
    Request,
    TraitFacts,
    Verdict,
    estimate_trait,
    first_request,
    next_request,
    reach_verdict,
)
from mendel.diagnose.adaptive import looks
from mendel.diagnose.contrasts import Weights
from mendel.diagnose.effects import Effects
from mendel.diagnose.stats.intervals import Estimate
from mendel.study import StudyConfig

FACTS = TraitFacts("t", "share of responses that show it")
MAX_SEEDS, SEEDS = 8, 2
MODELS = ("base/original", "prefill/original", "prefill/alternate")
"""Arms of models that nobody trained here, which every study has."""
SETTINGS = tuple((n, sd) for n in (20, 40, 60) for sd in (0.1, 0.5, 1.0))
"""Scenarios and the seeds' standard deviation in logits."""
ENOUGH = 40
"""Scenarios of studies whose power is counted apart: 20 scenarios in 8 clusters decide nothing."""


@dataclass(frozen=True)
class Divided(Levels):
    """The package's levels, divided once more."""

    support_by: float = 1.0
    agreement_by: float = 1.0

    @property
    def support(self) -> float:
        return super().support / self.support_by

    @property
    def agreement(self) -> float:
        return super().agreement / self.agreement_by


DIVIDED: dict[str, tuple[float, float]] = {
    "chosen": (1.0, 1.0),
    "agreement / 2": (1.0, 2.0),
    "agreement / 4": (1.0, 4.0),
    "agreement x 2": (1.0, 0.5),
    "variances / 2": (2.0, 1.0),
    "both / 2": (2.0, 2.0),
}
"""What the levels of the variances and of the agreement are divided by beyond the package's."""


def catalogue(max_seeds: int = MAX_SEEDS) -> Catalogue:
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
            "max_seeds": max_seeds,
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
        others=("x0", "x1"),
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
        counts = {**trained, **dict.fromkeys(MODELS, 1)}
        rows = [(i, seed) for i, arm in enumerate(arms) for seed in range(counts.get(arm, 0))]
        names = [f"{arms[i]}#{seed}" for i, seed in rows]
        n, m = len(rows), self.cells.shape[2]
        students = pa.table(
            {
                "student": names,
                "arm": [arms[i] for i, _ in rows],
                "status": ["ok"] * n,
                "n_examples": [_rows(arms[i]) for i, _ in rows],
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


def _rows(arm: str) -> int:
    kind = arm.partition("/")[0]
    if arm in MODELS:
        return 0
    return round(100 * next((share for start, share in ROWS.items() if kind.startswith(start)), 1.0))


def loop(study: Study, plan: Catalogue, levels: Levels) -> tuple[Verdict, int]:
    """The adaptive design to its end: the verdict, and the students that it took."""
    trained: dict[str, int] = {}
    request: Request | None = first_request(plan)
    while request is not None:
        trained |= request.arms
        verdict = reach_verdict(study.effects(trained), levels, plan.lacking, intervals=False)
        request = next_request(plan, trained, {"t": verdict}, levels)
    return verdict, sum(trained.values())


@dataclass
class Tally:
    """What came out, over studies."""

    studies: int = 0
    false: int = 0
    """Studies with a false verdict."""
    right: int = 0
    enough: list[bool] = field(default_factory=list)
    """Whether it is right, of the studies of 40 scenarios (16 clusters) or more."""
    """Studies in which all true hypotheses, and no other, are supported (or `none` where nothing differs)."""
    refuted: int = 0
    """Studies in which a hypothesis is refuted of which no prediction is wrong."""
    misplaced: int = 0
    """Studies in which the location of a part is decided wrongly."""
    placed: int = 0
    """Parts whose location is decided rightly, over all studies and the parts that have one."""
    places: int = 0
    found: int = 0
    """Parts that carry and are said to, over all studies."""
    carriers: int = 0
    students: int = 0
    causes: Counter[str] = field(default_factory=Counter)
    supported: Counter[str] = field(default_factory=Counter)
    """What was supported falsely, and how often."""

    def add(self, planted: Planted, verdict: Verdict, students: int, scenarios: int) -> None:
        nothing, truth = planted.size == 0, planted.true()
        said = {
            status: {name for name, f in verdict.findings.items() if f.status == status}
            for status in ("supported", "refuted")
        }
        wrong = said["supported"] - truth
        self.studies += 1
        self.false += bool(wrong) or (verdict.cause == "none" and not nothing)
        self.refuted += not nothing and bool(said["refuted"] - planted.false())
        right = not wrong and (
            verdict.cause == "none" if nothing else bool(truth) and said["supported"] == truth
        )
        self.right += right
        if scenarios >= ENOUGH:
            self.enough.append(right)
        located = {} if nothing else planted.located()
        decided = {
            name: verdict.location[name].decision == "carries"
            for name in located
            if name in verdict.location and verdict.location[name].decision != "undecided"
        }
        self.misplaced += any(located[name] != {says} for name, says in decided.items())
        self.placed += sum(located[name] == {says} for name, says in decided.items())
        self.places += sum(bool(truth) for truth in located.values())
        carrying = [name for name, truth in located.items() if truth == {True}]
        self.carriers += len(carrying)
        self.found += sum(decided.get(name, False) for name in carrying)
        self.students += students
        self.causes[verdict.cause] += 1
        self.supported.update(wrong)

    def json(self) -> dict[str, object]:
        n = max(self.studies, 1)
        return {
            "studies": self.studies,
            "false": self.false / n,
            "right": self.right / n,
            "right_of_enough": sum(self.enough) / max(len(self.enough), 1),
            "refuted": self.refuted / n,
            "located_falsely": self.misplaced / n,
            "located": self.placed / max(self.places, 1),
            "carriers_found": self.found / max(self.carriers, 1),
            "students": self.students / n,
            "causes": dict(self.causes),
            "falsely_supported": dict(self.supported),
        }


def simulate(
    planted: Planted,
    studies: int,
    rng: np.random.Generator,
    levels: Sequence[str] = ("chosen",),
    *,
    max_seeds: int = MAX_SEEDS,
    grids: bool = False,
) -> dict[tuple[str, str], Tally]:
    """Tallies by design (`adaptive`, with `grids` also the grid with the most seeds) and levels."""
    plan = catalogue(max_seeds)
    grid = plan.grid()
    rates, outcomes = planted.outcomes()
    noise = {"noisy": 2.5, "noisy_arm": planted.noisy} if planted.noisy else {}
    simulators = [
        Simulator(
            World("", n, True, max_seeds, seed_sd=sd, arms=(*grid, *MODELS), **noise),  # type: ignore[arg-type]
            rng,
            rates,
            outcomes,
        )
        for n, sd in SETTINGS
    ]
    tallies: dict[tuple[str, str], Tally] = {}
    for number in range(studies):
        simulator = simulators[number % len(simulators)]
        study = Study(simulator, simulator.draw())
        for name in levels:
            support, agreement = DIVIDED[name]
            found = {"adaptive": loop(study, plan, Divided(looks(plan), 8, support, agreement))}
            if grids:
                trained = dict.fromkeys(grid, max_seeds)
                verdict = reach_verdict(
                    study.effects(trained), Divided(1, 8, support, agreement), plan.lacking, intervals=False
                )
                found[f"grid {max_seeds}"] = (verdict, sum(trained.values()))
            for design, (verdict, students) in found.items():
                tallies.setdefault((design, name), Tally()).add(
                    planted, verdict, students, simulator.world.scenarios
                )
    return tallies


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--studies", type=int, default=90, help="studies a world")
    parser.add_argument(
        "--only", nargs="*", default=[], help="worlds or groups whose name contains one of these"
    )
    parser.add_argument("--levels", nargs="*", default=["chosen"], choices=list(DIVIDED))
    parser.add_argument("--max-seeds", type=int, default=MAX_SEEDS)
    parser.add_argument("--grids", action="store_true", help="the full grid beside the adaptive design")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/adaptive.json"))
    options = parser.parse_args()
    rows = []
    for group, worlds in WORLDS.items():
        for name, planted in worlds.items():
            if options.only and not any(part in name or part == group for part in options.only):
                continue
            rng = np.random.default_rng([options.seed, *name.encode()])
            tallies = simulate(
                planted,
                options.studies,
                rng,
                options.levels,
                max_seeds=options.max_seeds,
                grids=options.grids,
            )
            for (design, levels), tally in tallies.items():
                row = {"group": group, "world": name, "design": design, "levels": levels, **tally.json()}
                rows.append(row)
                sys.stdout.write(
                    f"{group:8} {name:44} {design:9} {levels:13} {row['studies']:4} studies: false {row['false']:6.1%} "
                    f"right {row['right']:6.1%} ({row['right_of_enough']:6.1%}) refuted {row['refuted']:6.1%} carriers {row['carriers_found']:6.1%} "
                    f"located {row['located']:6.1%} (falsely {row['located_falsely']:6.1%}) students {row['students']:5.1f} {row['falsely_supported']}\n"
                )
            sys.stdout.flush()
            options.out.parent.mkdir(parents=True, exist_ok=True)
            options.out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
