"""`mendel run` on `peas` beside what a good engineer would write (`naive.py`): seconds, and whether they say the same.

Usage: python benchmarks/speed.py [--json FILE] [--keep DIR]. A quarter of an hour, on a machine that does nothing else.

One after another, in one go: mendel with an empty store, naive.py (with as many seeds as it needs to say the same, up to 8),
mendel on the same study with `design: adaptive` (nothing but what can change a verdict), mendel as at first, so that a machine
that gets slower or faster meanwhile shows. Each has an empty store. Ratios are to the mean of the first and the last. Ends with 1 if a verdict differs.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import psutil
from naive import COMPARED

import mendel

PEAS = Path(mendel.__file__).parent / "organisms" / "peas"
IDLE = 0.05
"""Share of the machine that others may have: beside them, naive.py's threads wait for each other, and it takes many times longer."""


@dataclass(frozen=True)
class Timed:
    """One command: what a user waits for, and what it found."""

    name: str
    seconds: float
    """Of the whole process, its start and imports included."""
    cpu_seconds: float
    """Of all its processes."""
    others: float
    """Share of the machine's cores that other processes had meanwhile."""
    students: int
    verdicts: dict[str, dict[str, Any]]
    """By trait, what is compared of it."""
    stages: dict[str, float]
    """Seconds by stage, where the command says them."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--keep", type=Path, help="leave the runs' folders there")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        runs = measure(arguments.keep or Path(scratch))
    first, naive, adaptive, last = runs
    differ = [line for other in runs[1:] for line in differences(first, other)]
    own = fmean([first.seconds, last.seconds])
    print(f"{'':16}{'seconds':>9}{'CPU s':>9}{'students':>10}{'s/student':>11}{'others':>8}")
    for run in runs:
        each = run.seconds / run.students
        print(
            f"{run.name:16}{run.seconds:9.1f}{run.cpu_seconds:9.1f}{run.students:10}{each:11.2f}{run.others:8.0%}"
        )
    print(
        f"naive / mendel  {naive.seconds / own:9.2f}{naive.cpu_seconds / fmean([first.cpu_seconds, last.cpu_seconds]):9.2f}"
    )
    print(
        f"naive / adaptive{naive.seconds / adaptive.seconds:9.2f}{naive.cpu_seconds / adaptive.cpu_seconds:9.2f}"
    )
    print("naive's stages  " + ", ".join(f"{name} {seconds:.1f}" for name, seconds in naive.stages.items()))
    if max(run.others for run in runs) > IDLE:
        print("The machine did other things as well: these figures say little.")
    print("\n".join(differ) or f"{', '.join(COMPARED)} of all {len(first.verdicts)} traits agree")
    if arguments.json:
        figures = {
            "cores": len(os.sched_getaffinity(0)),
            "runs": [asdict(run) for run in runs],
            "ratio": naive.seconds / own,
            "ratio_adaptive": naive.seconds / adaptive.seconds,
            "differences": differ,
        }
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")
    sys.exit(1 if differ else 0)


def measure(folder: Path) -> list[Timed]:
    """mendel, naive.py, mendel's adaptive design, mendel: each into a folder of its own."""
    run = [str(Path(sys.executable).with_name("mendel")), "run"]
    naive = [sys.executable, str(Path(__file__).with_name("naive.py"))]
    # The store is not kept, wherever the folders are: it is only a run's other half.
    with tempfile.TemporaryDirectory() as stores:
        study = Path(stores, "peas", "study.yaml")
        shutil.copytree(PEAS, study.parent)
        with study.open("a") as file:
            file.write("design: adaptive\n")
        return [
            timed("mendel", [*run, "--store", f"{stores}/1"], folder / "mendel-1"),
            timed("naive", [*naive, "--like", str(folder / "mendel-1")], folder / "naive"),
            timed("adaptive", [*run, str(study), "--store", f"{stores}/2"], folder / "adaptive"),
            timed("mendel again", [*run, "--store", f"{stores}/3"], folder / "mendel-2"),
        ]


def timed(name: str, command: list[str], out: Path) -> Timed:
    """Runs a command that writes verdicts.json into `out`; its own output goes to a file beside."""
    out.parent.mkdir(parents=True, exist_ok=True)
    print(f"{name}: {' '.join(command)} --out {out}", file=sys.stderr)
    busy, cpu, began = busy_seconds(), os.times(), time.perf_counter()
    log = out.with_suffix(".log")
    with log.open("w") as sink:
        code = subprocess.run([*command, "--out", str(out)], stdout=sink, stderr=subprocess.STDOUT).returncode
    seconds, after = time.perf_counter() - began, os.times()
    if code:
        sys.exit(f"{name} ended with {code}:\n{log.read_text()[-2000:]}")
    own = after.children_user - cpu.children_user + after.children_system - cpu.children_system
    others = max(0.0, busy_seconds() - busy - own) / (seconds * (os.cpu_count() or 1))
    found = json.loads((out / "verdicts.json").read_text())
    return Timed(
        name,
        seconds,
        own,
        others,
        found["students_trained"],
        {trait: {key: of[key] for key in COMPARED} for trait, of in found["traits"].items()},
        found.get("seconds", {}),
    )


def busy_seconds() -> float:
    """CPU seconds that all processes of the machine have had, and what its host took away."""
    times = psutil.cpu_times()
    # What a guest has counts within `user` already.
    idle = times.idle + getattr(times, "iowait", 0.0) + getattr(times, "guest", 0.0)
    return float(sum(times) - idle)


def differences(one: Timed, other: Timed) -> list[str]:
    """What two commands say differently, a line each."""
    return [
        f"{trait}: {key} is {mine.get(key)} by {one.name}, {theirs.get(key)} by {other.name}"
        for trait in sorted({*one.verdicts, *other.verdicts})
        for mine, theirs in [(one.verdicts.get(trait, {}), other.verdicts.get(trait, {}))]
        for key in COMPARED
        if mine.get(key) != theirs.get(key)
    ]


if __name__ == "__main__":
    main()
