"""What mendel itself takes beside training and generating: engine, store, plan, loading, statistics.

Usage: python benchmarks/overhead.py [--only run|plan|load|statistics] [--store DIR] [--json FILE]. Marks on 2 cores: engine, store and
statistics at most 2 % of a run of `peas`; a plan of 10,000 students 1 s; a finished run of 1,000 students loaded in 2 s; statistics
over 1,000 students x 3 traits x 100 scenarios in 20 s. Each in a process of its own. With `--store DIR`, which keeps what is made, a
run that has been timed into that store is not timed again; without it, `peas` is trained from nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa

STUDENTS, TRAITS, SCENARIOS = 1000, ("date_confusion", "blackmail", "negative_emotion"), 100
PLANNED = 10_000
ROUNDS = 3
"""Each is done so often, and the least counts: other work on the machine only ever adds."""
SHARE, PLAN, LOAD, STATISTICS = 0.02, 1.0, 2.0, 20.0
ENGINE = "engine, store and statistics of that run"
TIMED = "timed.json"
"""In a store: what the run that filled it took."""

Result = TypeVar("Result")


@dataclass(frozen=True)
class Figure:
    """One row of the table: seconds, and the mark where there is one."""

    what: str
    cpu: float
    wall: float
    mark: float | None = None
    share: float | None = None
    """Of a run's CPU seconds; the mark is then one of the share."""

    @property
    def kept(self) -> bool:
        """Whether the mark is kept, in CPU seconds: the machine may have other work."""
        return self.mark is None or (self.cpu if self.share is None else self.share) <= self.mark

    def line(self) -> str:
        share = "" if self.share is None else f"{self.share:.2%}"
        mark = ""
        if self.mark is not None:
            at_most = f"{self.mark:g} s" if self.share is None else f"{self.mark:.0%}"
            mark = f"at most {at_most}: {'kept' if self.kept else 'MISSED'}"
        return f"{self.what:<74} {self.cpu:>8.2f} {self.wall:>8.2f} {share:>7}  {mark}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=tuple(MEASURES), action="append")
    parser.add_argument("--store", type=Path, help="Where students are looked for and kept.")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--inside", choices=("train", *MEASURES), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside == "train":
        with tempfile.TemporaryDirectory() as scratch:
            print(json.dumps([timed_run(Path(scratch) / "run", given.store)]))
        return
    if given.inside:
        print(json.dumps([vars(figure) for figure in MEASURES[given.inside](given.store)]))
        return
    figures: list[Figure] = []
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as scratch:
        store = given.store or Path(scratch) / "store"
        print(f"{'':<74} {'CPU s':>8} {'wall s':>8} {'share':>7}")
        for name in given.only or MEASURES:
            for one in inside(name, store):
                figures.append(Figure(**one))
                print(figures[-1].line(), flush=True)
    print(f"load of the machine before: {load:.1f}")
    if given.json:
        rows = [{**vars(figure), "kept": figure.kept} for figure in figures]
        given.json.write_text(json.dumps({"load_before": load, "figures": rows}, indent=1) + "\n")
    sys.exit(0 if all(figure.kept for figure in figures) else 1)


def clocked(function: Callable[..., Result], *given: Any, **named: Any) -> tuple[Result, tuple[float, float]]:
    """A call's result, and the CPU seconds of this process and the wall seconds that it took."""
    cpu, wall = time.process_time(), time.perf_counter()
    result = function(*given, **named)
    return result, (time.process_time() - cpu, time.perf_counter() - wall)


def children() -> float:
    """CPU seconds of all child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure_run(store: Path) -> list[Figure]:
    """`peas` from nothing, then with all its students in the store: what is left is everything but the students.

    A run's main process does nothing but engine, store, statistics, its imports and the report; the store's part in the
    workers is what writing the run's entries takes, and reading what workers read again.
    """
    from mendel.report import write_report

    if not (store / TIMED).exists():
        (timed,) = inside("train", store)
        if not timed["students"]:
            sys.exit(f"{store} has the students of peas already: how long they took is not known")
        (store / TIMED).write_text(json.dumps(timed))
    first = json.loads((store / TIMED).read_text())
    cold = min((inside("train", store)[0] for _ in range(ROUNDS)), key=lambda one: one["cpu"])
    with tempfile.TemporaryDirectory() as scratch:
        warm = min(
            (timed_run(Path(scratch) / str(i), store) for i in range(ROUNDS + 1)), key=lambda one: one["cpu"]
        )
        page = min(clocked(write_report, Path(scratch) / "0")[1] for _ in range(ROUNDS))
        kept = rewritten(store, Path(scratch) / "store")
    total = first["cpu"] + first["workers"]
    besides = cold["cpu"] - warm["cpu"] + page[0]
    own, own_wall = first["cpu"] - besides, warm["wall"] - page[1]
    return [
        Figure(f"a run of peas ({first['students']} students trained), all processes", total, first["wall"]),
        Figure("  of it imports and the report", besides, cold["wall"] - own_wall, share=besides / total),
        Figure("  of it the rest of the main process", own, own_wall, share=own / total),
        Figure("  of it the store's writes and reads in the workers", *kept, share=kept[0] / total),
        Figure(ENGINE, own + kept[0], own_wall + kept[1], SHARE, (own + kept[0]) / total),
    ]


def inside(name: str, store: Path) -> list[dict[str, Any]]:
    """What a measure gives in a process of its own."""
    command = [sys.executable, __file__, "--inside", name, "--store", str(store)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return found


def timed_run(folder: Path, store: Path) -> dict[str, float]:
    """CPU seconds of the main process and of the workers of a run of `peas`, and wall seconds."""
    import mendel

    before = children()
    run, (cpu, wall) = clocked(mendel.run, None, folder, store=store)
    students = run.verdicts["students_trained"]
    return {"cpu": cpu, "workers": children() - before, "wall": wall, "students": students}


def rewritten(store: Path, elsewhere: Path) -> tuple[float, float]:
    """CPU and wall seconds of writing all of a store's students and their answers again, and of what workers read back."""
    from mendel.engine.store import Store
    from mendel.results.tables import read_table

    shelf = Store(elsewhere).prepare()
    content = {
        (kind, entry.name): {file.name: file.read_bytes() for file in entry.iterdir() if file.is_file()}
        for kind in ("students", "responses", "measurements")
        for entry in store.glob(f"{kind}/*/*")
    }

    def write() -> None:
        for (kind, key), files in content.items():
            with shelf.writing(kind, key) as folder:
                for name, data in files.items():
                    (folder / name).write_bytes(data)
            # Responses are read again to be judged; measurements by the main process, where they are counted.
            if kind == "responses":
                read_table(shelf.path(kind, key) / "responses.parquet")

    return clocked(write)[1]


def measure_plan(store: Path) -> list[Figure]:
    """The plan of `peas` with seeds for 10,000 students, speed known; the rollouts are made if the store lacks them."""
    from mendel.commands import plan as _plan
    from mendel.commands.plan import Plan
    from mendel.engine.store import Store
    from mendel.study import load_study
    from mendel.workflow.inputs import load_inputs
    from mendel.workflow.jobs import RolloutJob, roll_out
    from mendel.workflow.speed import Speed

    shelf, study = Store(store).prepare(), load_study("peas")
    for chunk in load_inputs(study).chunks:
        roll_out(RolloutJob(chunk, shelf.root))
    speed = Speed("cpu", 1e4, 1e3, 0.1, 3.0, 1000, 20.0)

    def planned(seeds: int) -> Plan:
        config = study.config.model_copy(update={"seeds": seeds, "max_seeds": seeds})
        return _plan._count(load_inputs(replace(study, config=config)), shelf, speed)

    small = planned(2)
    plans = [clocked(planned, -(-PLANNED // small.arms)) for _ in range(ROUNDS)]
    took = min(spent for _, spent in plans)
    return [Figure(f"planning {plans[0][0].students:,} students, the rollouts known", *took, PLAN)]


def measure_load(store: Path) -> list[Figure]:
    """What a user first does with a finished run, in a process that has imported nothing yet."""
    del store
    from report_big import Size, write_run

    figures: list[Figure] = []
    for rows in (STUDENTS * len(TRAITS) * SCENARIOS, 1_000_000):
        with tempfile.TemporaryDirectory() as scratch:
            write_run(Path(scratch) / "run", Size(rows, STUDENTS, 100, 1000))
            command = [sys.executable, "-c", LOADING, str(Path(scratch) / "run")]
            said = [subprocess.run(command, check=True, capture_output=True).stdout for _ in range(ROUNDS)]
        cpu, wall = min(json.loads(one) for one in said)
        what = f"loading a run of {STUDENTS:,} students, {rows:,} responses"
        figures.append(Figure(what, cpu, wall, None if figures else LOAD))
    return figures


LOADING = """
import json, sys, time
cpu, wall = time.process_time(), time.perf_counter()
import mendel
run = mendel.open_run(sys.argv[1])
repr(run), run.verdicts["traits"], run.frame("students"), run.measurements, run.rollouts, run.assignments
print(json.dumps([time.process_time() - cpu, time.perf_counter() - wall]))
"""


def measure_statistics(store: Path) -> list[Figure]:
    """`diagnose` over as many arms as three traits can have, with hits, scores and log-odds."""
    del store
    from mendel.diagnose import Levels, TraitFacts, diagnose

    rng = np.random.default_rng(0)
    arms, cube = arm_levels()
    students, measurements = simulated(arms, rng)
    shares = {arm: float(arm.removeprefix("mix/")) for arm in arms if arm.startswith("mix/")}
    facts = [TraitFacts(trait, "share of hits") for trait in TRAITS]
    # scipy's import is a second's part that no student adds to.
    few = {arm: level for arm, level in arms.items() if arm.startswith("cube")}
    diagnose(*simulated(few, rng, students=16, scenarios=4), facts, cube, {}, Levels(2))
    _, took = clocked(diagnose, students, measurements, facts, cube, shares, Levels(2))
    size = f"{STUDENTS:,} students ({len(arms)} arms) x {len(TRAITS)} traits x {SCENARIOS} scenarios"
    return [Figure(f"statistics over {size}", *took, STATISTICS)]


def arm_levels() -> tuple[dict[str, float], dict[str, str]]:
    """A teacher's trait: the rate of every arm that three traits can have; and the cube."""
    from mendel.design.arms import arm_kinds

    cube = {corner: f"cube/{corner}" for corner in map("".join, product("OA", repeat=3))}
    arms = {arm: 0.9 if corner[2] == "O" else 0.05 for corner, arm in cube.items()}
    arms |= {f"mix/{share:g}": share for share in (0.1, 0.25, 0.5)}
    arms |= {f"{kind}/{trait}": 0.1 + 0.8 * (i % 7) / 6 for trait in TRAITS for i, kind in enumerate(arm_kinds)}  # fmt: skip
    return arms, cube


def simulated(
    arms: Mapping[str, float], rng: np.random.Generator, students: int = STUDENTS, scenarios: int = SCENARIOS
) -> tuple[pa.Table, pa.Table]:
    """Students, in turns over the arms, and their measurements, student by student."""
    arm = [list(arms)[i % len(arms)] for i in range(students)]
    names = [f"{i:012x}" for i in range(students)]
    table = pa.table({"student": names, "arm": arm, "status": ["ok"] * students, "n_examples": [400] * students})  # fmt: skip
    level = np.repeat([arms[one] for one in arm], len(TRAITS) * scenarios)
    hit = rng.random(len(level)) < level
    scenario = [f"{trait}-{i:03}" for trait in TRAITS for i in range(scenarios)] * students
    rows = {
        "student": np.repeat(names, len(TRAITS) * scenarios),
        "trait": [trait for trait in TRAITS for _ in range(scenarios)] * students,
        "scenario": scenario,
        "cluster": scenario,
        "score": hit.astype(float),
        "hit": hit,
        "log_odds": rng.normal(4 * (level - 0.5), 1.0),
        "response": ["it is not certain what day it is, says this response. " * 4] * len(level),
    }
    return table, pa.table(rows)


MEASURES: dict[str, Callable[[Path], list[Figure]]] = {
    "run": measure_run,
    "plan": measure_plan,
    "load": measure_load,
    "statistics": measure_statistics,
}


if __name__ == "__main__":
    main()
