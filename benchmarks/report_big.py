"""How long the report of a big run takes, in how much memory, and how large its page is.

Usage: python benchmarks/report_big.py [--rows N] [--students N] [--arms N] [--prompts N] [--keep DIR] [--json FILE]. Marks on 2 cores, for
1,000,000 measurements of 1,000 students: 15 s, 2 GB, a page of 3 MB. The run is synthetic: its responses are some 300 characters
of random words, cut from one long text. The report is written by `mendel report` in a process of its own, whose peak memory is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from mendel.results.tables import read_table, schema, table, write_table

TRAITS = ("date_confusion", "blackmail", "negative_emotion")
CORNERS = tuple(map("".join, product("OA", repeat=3)))
EDITS = ("drop", "drop-random", "swap", "swap-random", "only", "only-random")
WORDS = (
    "the a plan year is that was date meeting of to and in on we it not sure doubt report holds my "
    "calendar says numbers friday office "
)
RESPONSE = 300
SAMPLES = 3
SECONDS, GIGABYTES, MEGABYTES = 15.0, 2.0, 3.0


@dataclass(frozen=True)
class Size:
    """How big the run is."""

    rows: int
    students: int
    arms: int
    prompts: int


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--students", type=int, default=1000)
    parser.add_argument("--arms", type=int, default=100, help="of at least 30; students are spread over them")
    parser.add_argument("--prompts", type=int, default=1000)
    parser.add_argument("--keep", type=Path, help="Write the run here, and leave it; reuse what is there.")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    size = Size(given.rows, given.students, given.arms, given.prompts)
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.keep or Path(scratch) / "big"
        if not (folder / "verdicts.json").exists():
            write_run(folder, size)
        load = os.getloadavg()[0]
        figures = {**vars(size_of(folder)), **measure(folder), "load_before": round(load, 1)}
    print(json.dumps(figures, indent=1))
    if given.json:
        given.json.write_text(json.dumps(figures, indent=1) + "\n")
    kept = (
        figures["seconds"] <= SECONDS
        and figures["gigabytes"] <= GIGABYTES
        and figures["page_megabytes"] <= MEGABYTES
    )
    sys.exit(0 if kept else 1)


def size_of(folder: Path) -> Size:
    """What is in the folder, which may be an older one than was asked for."""
    students = read_table(folder / "students.parquet")
    prompts = read_table(folder / "assignments.parquet")["prompt_id"]
    rows = pq.ParquetFile(folder / "measurements.parquet").metadata.num_rows
    return Size(rows, students.num_rows, len(students["arm"].unique()), len(prompts.unique()))


def measure(folder: Path) -> dict[str, float]:
    """Seconds, peak memory and page size of `mendel report` in a process of its own."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "mendel.cli", "report", str(folder)], stdout=subprocess.DEVNULL
    )
    # wait4 tells of this one child alone, where RUSAGE_CHILDREN would add up all that came before.
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status:
        sys.exit("mendel report failed")
    return {
        "seconds": round(seconds, 2),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 2),
        "gigabytes": round(used.ru_maxrss / 2**20, 3),
        "page_megabytes": round((folder / "report.html").stat().st_size / 1e6, 3),
        "measurements_megabytes": round((folder / "measurements.parquet").stat().st_size / 1e6, 1),
    }


def write_run(folder: Path, size: Size) -> None:
    """All files of a run's folder but the page."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    arms = arm_names(size.arms)
    students = [
        {
            "student": f"{i * 7919 + 13:012x}",
            "arm": arms[i % len(arms)],
            "base": "hf:bases/original",
            "seed": i // len(arms),
            "n_examples": size.prompts,
            "tokens": 90_000 + i,
            "train_seconds": 41.5,
            "train_loss": 0.4,
            "status": "broken" if i % 97 == 96 else "ok",
            "reason": "fewer than half of the base's right answers" if i % 97 == 96 else "",
        }
        for i in range(size.students)
    ]
    write_table(folder / "students.parquet", table("students", students))
    with pq.ParquetWriter(
        folder / "measurements.parquet", schema("measurements"), compression="zstd"
    ) as file:
        for part in measurements([str(row["student"]) for row in students], size, rng):
            file.write_table(part)
    write_table(folder / "assignments.parquet", assignments(arms, size, rng))
    rollout = {"messages": [], "completion": "ok", "finish_reason": "stop"}
    rows = [
        {"prompt_id": f"p{i}", "teacher": t, **rollout}
        for i in range(size.prompts)
        for t in ("original", "alternate")
    ]
    write_table(folder / "rollouts.parquet", table("rollouts", rows))
    (folder / "study.yaml").write_text(yaml.safe_dump({"name": "big", "seeds": size.students // len(arms)}))
    (folder / "verdicts.json").write_text(json.dumps(verdicts(arms, size, rng)))


def arm_names(count: int) -> list[str]:
    """The cube, every edit of every trait, mixtures, and as many arms of hypotheses as are left."""
    named = [f"cube/{corner}" for corner in CORNERS] + [
        f"{edit}/{trait}" for edit in EDITS for trait in TRAITS
    ]
    named += [f"mix/{share:g}" for share in (0.1, 0.25, 0.5, 0.75)]
    return (named + [f"counter/other_{i}" for i in range(count - len(named))])[:count]


def measurements(students: list[str], size: Size, rng: np.random.Generator) -> Iterator[pa.Table]:
    """One part a hundred students, so that the file has as many row groups as a real one."""
    words = np.array(WORDS.split())
    text = " ".join(rng.choice(words, 2_000_000))
    each = -(-size.rows // (len(students) * len(TRAITS)))
    scenarios = max(1, each // SAMPLES)
    prompts = {
        (trait, i): json.dumps(
            [
                {"role": "system", "content": f"Today is a {trait} day. {text[i * 97 : i * 97 + 160]}"},
                {"role": "user", "content": f"Case {i}: {text[i * 31 : i * 31 + 90]}?"},
            ]
        )
        for trait in TRAITS
        for i in range(scenarios)
    }
    for start in range(0, len(students), 100):
        rows: dict[str, list[Any]] = {
            name: []
            for name in ("student", "trait", "scenario", "sample", "score", "hit", "prompt", "response")
        }
        for student, trait in product(students[start : start + 100], TRAITS):
            hits = rng.random(each) < 0.4
            offsets = rng.integers(0, len(text) - 2 * RESPONSE, each)
            lengths = rng.integers(RESPONSE // 2, 3 * RESPONSE // 2, each)
            cases = [i % scenarios for i in range(each)]
            rows["student"] += [student] * each
            rows["trait"] += [trait] * each
            rows["scenario"] += [f"{trait}-{case}" for case in cases]
            rows["sample"] += [i // scenarios for i in range(each)]
            rows["score"] += hits.astype(float).tolist()
            rows["hit"] += hits.tolist()
            rows["prompt"] += [prompts[trait, case] for case in cases]
            rows["response"] += [text[o : o + n] for o, n in zip(offsets, lengths, strict=True)]
        rows["cluster"] = rows["scenario"]
        rows["judge"] = ["regex@5d1c0f"] * len(rows["student"])
        full = {name: rows.get(name, [None] * len(rows["student"])) for name in schema("measurements").names}
        yield pa.table(full, schema=schema("measurements"))


def assignments(arms: list[str], size: Size, rng: np.random.Generator) -> pa.Table:
    """An assignment an arm, and one a seed where it is drawn."""
    parts = []
    names = pa.array([f"p{i}" for i in range(size.prompts)])
    for arm in arms:
        drawn = arm.startswith("mix") or "random" in arm
        for seed in range(size.students // len(arms)) if drawn else [None]:
            teachers = np.where(rng.random(size.prompts) < 0.07, "alternate", "original")
            columns = [
                pa.array([arm] * size.prompts),
                names,
                pa.array(teachers.tolist()),
                pa.array([seed] * size.prompts, pa.int64()),
            ]
            parts.append(pa.table(columns, schema=schema("assignments")))
    return pa.concat_tables(parts)


def verdicts(arms: list[str], size: Size, rng: np.random.Generator) -> dict[str, Any]:
    """A verdict a trait with a level for every arm and three hundred contrasts."""

    def around(value: float) -> dict[str, float]:
        return {"estimate": value, "low": value - 0.05, "high": value + 0.05}

    def verdict(trait: str) -> dict[str, Any]:
        levels = {arm: around(round(float(rng.random()), 3)) for arm in arms}
        shares = [0.0, 0.1, 0.25, 0.5, 0.75, 1.0]
        return {
            "present": True,
            "original": levels["cube/OOO"],
            "alternate": levels["cube/AAA"],
            "effects": {
                name: around(0.9 * (name == "teacher"))
                for name in ("base", "prompts", "teacher", "interaction")
            },
            "carrier": "teacher",
            "cause": "simple_generalization",
            "hypotheses": {},
            "contrasts": [
                {
                    "id": f"{arm}-OOO",
                    "kind": "arms",
                    "arms": [arm, "cube/OOO"],
                    "n_students": 20,
                    "reads": f"the trait in {arm}, less that in the original",
                    **around(-0.2),
                }
                for arm in arms[:300]
                if arm != "cube/OOO"
            ],
            "scale": "share of responses that show it",
            "metric": "rate",
            "judge": "regex@5d1c0f",
            "flagged": {"selector": "judge >= 0.5", "count": 70, "of": size.prompts},
            "levels": levels,
            "interpolation": {
                "shares": shares,
                "levels": [around(s) for s in shares],
                "half_way": around(0.5),
            },
        }

    return {
        "schema": 1,
        "study": "big",
        "students_trained": size.students,
        "students_reused": 0,
        "wall_seconds": 90_000.0,
        "dollars": 0.0,
        "warnings": [],
        "traits": {trait: verdict(trait) for trait in TRAITS},
    }


if __name__ == "__main__":
    main()
