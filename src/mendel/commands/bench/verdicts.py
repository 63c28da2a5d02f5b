"""`mendel bench verdicts`: organisms of every cause are made and diagnosed, and the verdicts held against the planted truth."""

from __future__ import annotations

import json
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from mendel._version import __version__
from mendel.commands.bench.harness import once, run_jobs, source_digest, spread
from mendel.engine.digest import digest
from mendel.engine.errors import MendelError
from mendel.engine.executors import Executor, InlineExecutor
from mendel.engine.progress import Progress
from mendel.engine.store import Store, default_store
from mendel.organisms import CAUSES, organism
from mendel.organisms.make import parse_cause

Grade = Literal["right", "wrong", "undecided", "missed", "not made"]


@dataclass(frozen=True)
class VerdictJob:
    """One organism to make and diagnose."""

    cause: str
    seed: int
    strength: str | None
    grid: bool
    store: Path

    @property
    def key(self) -> str:
        """The store's name for its record, by version: another version may say otherwise."""
        return digest(
            "bench", [self.cause, self.seed, self.strength, self.grid, __version__, source_digest()]
        )


@dataclass(frozen=True)
class BenchRecord:
    """What one diagnosis said, beside the truth."""

    cause: str
    seed: int
    strength: str
    recipe: str
    redraws: int
    grade: Grade
    said: str
    """The cause of the planted trait's verdict; `-` where the organism was not made."""
    carrier: str
    supported: tuple[str, ...]
    """Hypotheses that the verdict of the planted trait supports."""
    elsewhere: tuple[str, ...]
    """`trait: hypothesis` supported for a trait that has no cause."""
    students: int
    make_seconds: float
    diagnose_seconds: float
    """In one process on one core."""
    why: str
    """Where it is not right: what was measured."""
    grid_students: int | None = None
    """Students of the fixed grid of all arms on the same organism, if it was asked for."""
    grid_supported: tuple[str, ...] | None = None


def bench_verdicts(
    per_cause: int,
    seeds_from: int,
    *,
    causes: Sequence[str] = CAUSES,
    strength: str | None = None,
    grid: bool = False,
    workers: int | None = None,
    store: str | Path | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Make and diagnose organisms of every cause, and hold the verdicts against what was planted.

    Finished organisms are kept in the store, so an interrupted bench goes on.

    Args:
        per_cause: Organisms of each cause; organism i has seed `seeds_from + i`.
        seeds_from: The first seed.
        causes: Names of causes; two planted together are `A+B`.
        strength: How strongly the trait is planted; None: drawn by the seed.
        grid: Diagnose each by the fixed grid of all arms, too, to compare verdicts and students.
        workers: Worker processes; None: as many as suit the machine.
        store: The store's folder; None: the default one.
        executor: Where organisms are diagnosed; None: worker processes of this command.
        progress: Who is told how the bench stands; None: nobody.

    Returns:
        The confusion matrix, accuracy with its interval, students and seconds, and every record; JSON-able.

    Raises:
        InputError: an unknown cause or strength.
    """
    for cause in causes:
        parse_cause(cause)
    root = Store(Path(store) if store is not None else default_store()).prepare().root
    jobs = [
        VerdictJob(cause, seeds_from + i, strength, grid, root) for i in range(per_cause) for cause in causes
    ]

    def label(job: VerdictJob, record: BenchRecord) -> str:
        return f"{job.cause} {job.seed} {record.grade}"

    return summarize(
        run_jobs(jobs, diagnose_organism, label, executor=executor, workers=workers, progress=progress)
    )


def diagnose_organism(job: VerdictJob) -> BenchRecord:
    """Make an organism in a scratch folder and diagnose it in this process; done once, and kept."""

    def work() -> dict[str, Any]:
        with tempfile.TemporaryDirectory() as scratch:
            return asdict(_diagnose(job, Path(scratch)))

    listed = ("supported", "elsewhere", "grid_supported")
    record: dict[str, Any] = once(job, work)
    fields: dict[str, Any] = {
        name: tuple(value) if name in listed and value is not None else value
        for name, value in record.items()
    }
    return BenchRecord(**fields)


def _diagnose(job: VerdictJob, scratch: Path) -> BenchRecord:
    from mendel.commands.run import run

    began = time.monotonic()
    truth = scratch / "truth.json"
    try:
        organism(job.cause, job.seed, scratch / "organism", truth=truth, strength=job.strength)
    except MendelError as error:
        if error.exit_code == 2:
            raise
        made = time.monotonic() - began
        nothing = ("-", "-", (), (), 0)
        return BenchRecord(
            job.cause, job.seed, job.strength or "", "", 0, "not made", *nothing, made, 0.0, error.message
        )
    made = time.monotonic()
    result = run(
        scratch / "organism" / "study.yaml",
        scratch / "run",
        store=scratch / "store",
        executor=InlineExecutor(),
    )
    ended = time.monotonic()
    planted = json.loads(truth.read_text())
    verdicts = result.verdicts
    own = verdicts["traits"][planted["trait"]]
    supported = _supported(own)
    elsewhere = tuple(
        f"{trait}: {name}"
        for trait, verdict in verdicts["traits"].items()
        if trait != planted["trait"]
        for name in _supported(verdict)
        if not (name == "persona_selection" and "persona_selection" in job.cause)
    )
    grade = grade_verdict(job.cause, own["cause"], supported, elsewhere)
    by_grid = _by_grid(scratch, planted["trait"]) if job.grid else (None, None)
    return BenchRecord(
        cause=job.cause,
        seed=job.seed,
        strength=str(planted.get("strength", "")),
        recipe=str(planted.get("recipe", "")),
        redraws=int(planted.get("redraws", 0)),
        grade=grade,
        said=own["cause"],
        carrier=own["carrier"],
        supported=supported,
        elsewhere=elsewhere,
        students=verdicts["students_trained"],
        make_seconds=round(made - began, 1),
        diagnose_seconds=round(ended - made, 1),
        why="" if grade == "right" else _why(own, verdicts["warnings"]),
        grid_students=by_grid[0],
        grid_supported=by_grid[1],
    )


def _by_grid(scratch: Path, trait: str) -> tuple[int, tuple[str, ...]]:
    """The fixed grid on the same organism: its number of students, and what it supports."""
    from mendel.commands.run import run
    from mendel.study import load_study

    study = load_study(scratch / "organism" / "study.yaml")
    study = replace(study, config=study.config.model_copy(update={"design": "grid"}))
    verdicts = run(study, scratch / "grid", store=scratch / "store", executor=InlineExecutor()).verdicts
    students = verdicts["students_trained"] + verdicts["students_reused"]
    return students, _supported(verdicts["traits"][trait])


def grade_verdict(cause: str, said: str, supported: Sequence[str], elsewhere: Sequence[str]) -> Grade:
    """`right`: just the planted causes are supported; `wrong`: one that was not planted is, for whichever trait.

    `missed`: the trait was called absent though it was planted; the rest is `undecided`.
    """
    planted = set() if cause == "none" else set(cause.split("+"))
    if elsewhere or set(supported) - planted:
        return "wrong"
    if set(supported) == planted and (planted or said == "none"):
        return "right"
    return "missed" if said == "none" else "undecided"


def _supported(verdict: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(name for name, h in verdict["hypotheses"].items() if h["status"] == "supported")


def _why(verdict: Mapping[str, Any], warnings: Iterable[str]) -> str:
    found = [
        f"{name} {h['status']}: {h['why']}"
        for name, h in verdict["hypotheses"].items()
        if h["status"] != "untested"
    ]
    return " | ".join([verdict["carrier_why"], *found, *warnings])


def summarize(records: Sequence[BenchRecord]) -> dict[str, Any]:
    """Confusion matrix, accuracy with its 95 % interval (Wilson), students and seconds a diagnosis, and every record."""
    made = [record for record in records if record.grade != "not made"]
    matrix: dict[str, dict[str, int]] = {}
    for record in made:
        row = matrix.setdefault(record.cause, {})
        as_planted = set(record.supported) == set(record.cause.split("+"))
        said = record.cause if as_planted else "+".join(sorted(record.supported)) or record.said
        row[said] = row.get(said, 0) + 1
    grades = Counter(record.grade for record in records)
    compared = [record for record in made if record.grid_students]
    return {
        "version": __version__,
        "organisms": len(made),
        "not_made": grades["not made"],
        "right": _share(grades["right"], len(made)),
        "wrong": _share(grades["wrong"], len(made)),
        "undecided": _share(grades["undecided"] + grades["missed"], len(made)),
        "by_cause": {
            cause: dict(Counter(record.grade for record in made if record.cause == cause)) for cause in matrix
        },
        "matrix": matrix,
        "redraws": sum(record.redraws for record in made),
        "students": spread([float(record.students) for record in made], 1),
        "make_seconds": spread([record.make_seconds for record in made], 1),
        "diagnose_seconds": spread([record.diagnose_seconds for record in made], 1),
        "grid": {
            "organisms": len(compared),
            "same_verdict": sum(r.grid_supported == r.supported for r in compared),
            "students": sum(r.grid_students or 0 for r in compared),
            "students_adaptive": sum(r.students for r in compared),
        },
        "records": [asdict(record) for record in records],
    }


def _share(count: int, of: int) -> dict[str, float | int | None]:
    if of == 0:
        return {"count": count, "of": of, "estimate": None, "low": None, "high": None}
    from scipy.stats import binomtest

    ends = binomtest(count, of).proportion_ci(method="wilson")
    return {
        "count": count,
        "of": of,
        "estimate": count / of,
        "low": float(ends.low),
        "high": float(ends.high),
    }


def describe_bench_verdicts(found: Mapping[str, Any]) -> str:
    """The matrix as text: a line for each cause."""
    lines = []
    for cause, row in found["matrix"].items():
        total = sum(row.values())
        right = found["by_cause"][cause].get("right", 0)
        others = ", ".join(f"{name} {count}" for name, count in sorted(row.items()) if name != cause)
        lines.append(f"{cause:42} {right:3d} of {total:3d} right" + (f"; {others}" if others else ""))
    for name in ("right", "wrong", "undecided"):
        share = found[name]
        if share["estimate"] is not None:
            lines.append(
                f"{name:10} {share['count']} of {share['of']}: {share['estimate']:.1%} [{share['low']:.1%}, {share['high']:.1%}]"
            )
    students, seconds = found["students"], found["diagnose_seconds"]
    lines.append(
        f"a diagnosis: {students['mean']} students ({students['least']} to {students['most']}), "
        f"{seconds['mean']} s on one core ({seconds['least']} to {seconds['most']})"
    )
    grid = found["grid"]
    if grid["organisms"]:
        lines.append(
            f"against the fixed grid: the same verdict in {grid['same_verdict']} of {grid['organisms']}, "
            f"{grid['students_adaptive']} students where it takes {grid['students']}"
        )
    lines.append(f"organisms redrawn: {found['redraws']}, not made: {found['not_made']}")
    for record in found["records"]:
        if record["grade"] not in ("right",):
            lines.append(
                f"  {record['cause']} {record['seed']} ({record['strength']}): {record['grade']}, said {record['said']}"
            )
    return "\n".join(lines)
