"""`mendel bench verdicts`: diagnose organisms of every cause, and compare the verdicts with the truth."""

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
from mendel.commands.bench.harness import BenchResult, once, run_jobs, source_digest, spread
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
        """The key of its record in the store; it depends on the version and the source."""
        return digest(
            "bench", [self.cause, self.seed, self.strength, self.grid, __version__, source_digest()]
        )


@dataclass(frozen=True)
class BenchRecord:
    """The result of one diagnosis, with the truth."""

    cause: str
    seed: int
    strength: str
    recipe: str
    redraws: int
    grade: Grade
    said: str
    """The cause in the planted trait's verdict; `-` if the organism was not made."""
    carrier: str
    supported: tuple[str, ...]
    """Hypotheses that the planted trait's verdict supports."""
    elsewhere: tuple[str, ...]
    """Hypotheses that are supported for a trait without a planted cause, as `trait: hypothesis`."""
    students: int
    make_seconds: float
    diagnose_seconds: float
    """In one process on one core."""
    why: str
    """The measured evidence, if the verdict is not right."""
    grid_students: int | None = None
    """Students of the fixed grid of all arms on the same organism; None if the grid was not asked for."""
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
) -> BenchResult:
    """Make and diagnose organisms of every cause, and compare the verdicts with the planted causes.

    Records of finished organisms are kept in the store: an interrupted bench continues from there.

    Args:
        per_cause: Number of organisms of each cause; organism i has seed `seeds_from + i`.
        seeds_from: First seed.
        causes: Names of causes; two planted together are `A+B`.
        strength: Strength of the planted trait; None: drawn by the seed.
        grid: Whether to diagnose each organism by the fixed grid of all arms, too, for comparison.
        workers: Number of local worker processes; None: as many as suit the machine.
        store: Folder of the store; None: the default store.
        executor: Runs the jobs; None: local worker processes.
        progress: Receives progress events; None: progress is not shown.

    Returns:
        The confusion matrix, accuracy with its interval, students, seconds, and every record.

    Raises:
        InputError: A cause or the strength is unknown.
        RunError: A worker process was killed.
    """
    for cause in causes:
        parse_cause(cause)
    root = Store(Path(store) if store is not None else default_store()).prepare().root
    jobs = [
        VerdictJob(cause, seeds_from + i, strength, grid, root) for i in range(per_cause) for cause in causes
    ]

    def label(job: VerdictJob, record: BenchRecord) -> str:
        return f"{job.cause} {job.seed} {record.grade}"

    content = summarize(
        run_jobs(jobs, diagnose_organism, label, executor=executor, workers=workers, progress=progress)
    )
    return BenchResult(content, describe(content))


def diagnose_organism(job: VerdictJob) -> BenchRecord:
    """Return the record of an organism: from the store, or made and diagnosed in a scratch folder."""

    def work() -> dict[str, Any]:
        with tempfile.TemporaryDirectory() as scratch:
            return asdict(_diagnose(job, Path(scratch)))

    # JSON has no tuples.
    tuples = ("supported", "elsewhere", "grid_supported")
    record: dict[str, Any] = once(job, work)
    fields: dict[str, Any] = {
        name: tuple(value) if name in tuples and value is not None else value
        for name, value in record.items()
    }
    return BenchRecord(**fields)


def _diagnose(job: VerdictJob, scratch: Path) -> BenchRecord:
    """Make an organism and diagnose it; return the verdict beside the truth."""
    from mendel.commands.run import run

    began = time.monotonic()
    truth = scratch / "truth.json"
    try:
        organism(job.cause, job.seed, scratch / "organism", truth=truth, strength=job.strength)
    except MendelError as error:
        if error.exit_code == 2:
            raise
        return _not_made(job, time.monotonic() - began, error)
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
    verdict = verdicts["traits"][planted["trait"]]
    supported = _supported(verdict)
    elsewhere = _supported_elsewhere(job, planted["trait"], verdicts["traits"])
    grade = grade_verdict(job.cause, verdict["cause"], supported, elsewhere)
    by_grid = _by_grid(scratch, planted["trait"]) if job.grid else (None, None)
    return BenchRecord(
        cause=job.cause,
        seed=job.seed,
        strength=str(planted.get("strength", "")),
        recipe=str(planted.get("recipe", "")),
        redraws=int(planted.get("redraws", 0)),
        grade=grade,
        said=verdict["cause"],
        carrier=verdict["carrier"],
        supported=supported,
        elsewhere=elsewhere,
        students=verdicts["students_trained"],
        make_seconds=round(made - began, 1),
        diagnose_seconds=round(ended - made, 1),
        why="" if grade == "right" else _why(verdict, verdicts["warnings"]),
        grid_students=by_grid[0],
        grid_supported=by_grid[1],
    )


def _not_made(job: VerdictJob, seconds: float, error: MendelError) -> BenchRecord:
    """Return the record of an organism that could not be made."""
    return BenchRecord(
        cause=job.cause,
        seed=job.seed,
        strength=job.strength or "",
        recipe="",
        redraws=0,
        grade="not made",
        said="-",
        carrier="-",
        supported=(),
        elsewhere=(),
        students=0,
        make_seconds=seconds,
        diagnose_seconds=0.0,
        why=error.message,
    )


def _supported_elsewhere(
    job: VerdictJob, planted: str, verdicts: Mapping[str, Mapping[str, Any]]
) -> tuple[str, ...]:
    """Return what is supported for traits other than the planted one, as `trait: hypothesis`."""
    return tuple(
        f"{trait}: {name}"
        for trait, verdict in verdicts.items()
        if trait != planted
        for name in _supported(verdict)
        # A planted persona brings several traits in: the hypothesis is right for all of them.
        if not (name == "persona_selection" and "persona_selection" in job.cause)
    )


def _by_grid(scratch: Path, trait: str) -> tuple[int, tuple[str, ...]]:
    """Diagnose the organism by the fixed grid; return its number of students and supported hypotheses."""
    from mendel.commands.run import run
    from mendel.study import load_study

    study = load_study(scratch / "organism" / "study.yaml")
    study = replace(study, config=study.config.model_copy(update={"design": "grid"}))
    verdicts = run(study, scratch / "grid", store=scratch / "store", executor=InlineExecutor()).verdicts
    students = verdicts["students_trained"] + verdicts["students_reused"]
    return students, _supported(verdicts["traits"][trait])


def grade_verdict(cause: str, said: str, supported: Sequence[str], elsewhere: Sequence[str]) -> Grade:
    """Return the grade of a verdict.

    `right`: exactly the planted causes are supported. `wrong`: a cause that was not planted is supported, for
    any trait. `missed`: the planted trait was called absent. `undecided`: everything else.
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
    tested = [
        f"{name} {hypothesis['status']}: {hypothesis['why']}"
        for name, hypothesis in verdict["hypotheses"].items()
        if hypothesis["status"] != "untested"
    ]
    return " | ".join([verdict["carrier_why"], *tested, *warnings])


def summarize(records: Sequence[BenchRecord]) -> dict[str, Any]:
    """Return the confusion matrix, accuracy (95 % Wilson interval), students, seconds, and every record."""
    made = [record for record in records if record.grade != "not made"]
    matrix: dict[str, dict[str, int]] = {}
    for record in made:
        row = matrix.setdefault(record.cause, {})
        as_planted = set(record.supported) == set(record.cause.split("+"))
        verdict = record.cause if as_planted else "+".join(sorted(record.supported)) or record.said
        row[verdict] = row.get(verdict, 0) + 1
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
    """Return a share with its 95 % Wilson interval."""
    if of == 0:
        return {"count": count, "of": of, "estimate": None, "low": None, "high": None}
    from scipy.stats import binomtest

    interval = binomtest(count, of).proportion_ci(method="wilson")
    return {
        "count": count,
        "of": of,
        "estimate": count / of,
        "low": float(interval.low),
        "high": float(interval.high),
    }


def describe(found: Mapping[str, Any]) -> str:
    """Return the matrix as text: a line for each cause, the shares, and each record that is not right."""
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
                f"{name:10} {share['count']} of {share['of']}: {share['estimate']:.1%} "
                f"[{share['low']:.1%}, {share['high']:.1%}]"
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
        if record["grade"] != "right":
            lines.append(
                f"  {record['cause']} {record['seed']} ({record['strength']}): {record['grade']}, "
                f"said {record['said']}"
            )
    return "\n".join(lines)
