"""`mendel bench verdicts`: diagnose organisms of every cause, and compare the verdicts with the truth."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from mendel._version import __version__
from mendel.commands.bench.grading import (
    Truth,
    grade_location,
    grade_state,
    grade_verdict,
    refuted_truth,
    said_state,
)
from mendel.commands.bench.harness import BenchResult, once, run_jobs, source_digest
from mendel.commands.bench.rules import VERDICT_RULES, read_evidence, study_trait
from mendel.commands.bench.verdict_tables import BenchRecord, describe, summarize
from mendel.engine.digest import digest
from mendel.engine.errors import MendelError
from mendel.engine.executors import Executor, InlineExecutor
from mendel.engine.progress import Progress
from mendel.engine.store import Store, default_store
from mendel.organisms import CAUSES, FOLK_CAUSES, organism
from mendel.organisms.folk.organism import check_folk_cause
from mendel.organisms.make import check_generator
from mendel.organisms.planted.causes import parse_cause
from mendel.results.run import Run


@dataclass(frozen=True)
class VerdictJob:
    """One organism to make and diagnose."""

    cause: str
    seed: int
    strength: str | None
    grid: bool
    store: Path
    generator: str = "planted"
    transformations: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The key of its record in the store; it depends on the version and the source."""
        asked = [self.cause, self.seed, self.strength, self.grid, self.generator, [*self.transformations]]
        return digest("bench", [*asked, __version__, source_digest()])

    def make(self, out: Path, truth: Path) -> None:
        """Make the organism."""
        # Only what was asked for is passed on: not every generator knows every argument.
        more: dict[str, Any] = {}
        if self.transformations:
            more["transformations"] = self.transformations
        organism(
            self.cause,
            self.seed,
            out,
            truth=truth,
            strength=self.strength,
            generator=self.generator,
            **more,
        )


def bench_verdicts(
    per_cause: int,
    seeds_from: int,
    *,
    causes: Sequence[str] | None = None,
    strength: str | None = None,
    grid: bool = False,
    generator: str = "planted",
    transformations: Sequence[str] = (),
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
        causes: Names of causes; two planted together are `A+B`. None: all that the generator can plant.
        strength: Strength of the planted trait; None: drawn by the seed.
        grid: Whether to diagnose each organism by the fixed grid of all arms, too, for comparison.
        generator: The generator of the organisms: `planted` or `folk`.
        transformations: Changes of each organism, as `mendel organism --with` takes them.
        workers: Number of local worker processes; None: as many as suit the machine.
        store: Folder of the store; None: the default store.
        executor: Runs the jobs; None: local worker processes.
        progress: Receives progress events; None: progress is not shown.

    Returns:
        The confusion matrix; shares with intervals for cause, location, state and refuted truths; the rules
        that train no student; students, seconds, and every record.

    Raises:
        InputError: A cause, the strength, the generator or a transformation is unknown.
        RunError: A worker process was killed.
    """
    check_generator(generator)
    known = {"planted": CAUSES, "folk": tuple(FOLK_CAUSES)}[generator]
    for cause in causes or known:
        (check_folk_cause if generator == "folk" else parse_cause)(cause)
    root = Store(Path(store) if store is not None else default_store()).prepare().root
    jobs = [
        VerdictJob(cause, seeds_from + i, strength, grid, root, generator, tuple(transformations))
        for i in range(per_cause)
        for cause in causes or known
    ]

    def label(job: VerdictJob, record: BenchRecord) -> str:
        seconds = f"{record.make_seconds:.0f} s to make, {record.diagnose_seconds:.0f} s to diagnose"
        return f"{job.cause} {job.seed} {record.grade}, location {record.location_grade} ({seconds})"

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
    tuples = ("supported", "elsewhere", "grid_supported", "transformations", "location_truth")
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
    truth_file = scratch / "truth.json"
    try:
        job.make(scratch / "organism", truth_file)
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
    content = json.loads(truth_file.read_text())
    truth = Truth.read(content)
    record = _graded(job, truth, result.verdicts)
    rules = _said_by_rules(job, truth, result, scratch / "organism" / "study.yaml")
    by_grid = _by_grid(scratch, truth.trait) if job.grid else (None, None)
    return replace(
        record,
        strength=str(content.get("strength", "")),
        recipe=str(content.get("recipe", "")),
        redraws=int(content.get("redraws", 0)),
        make_seconds=round(made - began, 1),
        diagnose_seconds=round(ended - made, 1),
        grid_students=by_grid[0],
        grid_supported=by_grid[1],
        rules=rules,
        rules_right={name: _as_planted(truth, said) for name, said in rules.items()},
    )


def _graded(job: VerdictJob, truth: Truth, verdicts: Mapping[str, Any]) -> BenchRecord:
    """Return the record of a verdict beside the truth, without what the organism and the rules add."""
    verdict = verdicts["traits"][truth.trait]
    supported, refuted = (_with_status(verdict, status) for status in ("supported", "refuted"))
    elsewhere = _supported_elsewhere(truth, verdicts["traits"])
    grade = grade_verdict(truth, verdict["cause"], supported, elsewhere)
    state = said_state(verdict)
    location = verdict.get("location")
    return replace(
        _blank(job),
        grade=grade,
        said=verdict["cause"],
        carrier=verdict["carrier"],
        supported=supported,
        elsewhere=elsewhere,
        students=verdicts["students_trained"],
        why="" if grade == "right" else _why(verdict, verdicts["warnings"]),
        planted=truth.cause,
        state=state,
        state_grade=grade_state(truth, state),
        location={part: str(found.get("decision", "undecided")) for part, found in (location or {}).items()},
        location_truth=truth.location,
        location_grade=grade_location(truth, location),
        refuted_truth=refuted_truth(truth, refuted),
    )


def _said_by_rules(job: VerdictJob, truth: Truth, result: Run, study_file: Path) -> dict[str, str]:
    """Return the cause that each rule names that trains no student."""
    from mendel.study import load_study

    study = load_study(study_file)
    key = f"{job.cause} {job.seed}"
    evidence = read_evidence(study, result, study_trait(study, truth.trait), key)
    return {name: rule(evidence) for name, rule in VERDICT_RULES.items()}


def _as_planted(truth: Truth, said: str) -> bool:
    """Return whether a rule's cause is exactly what was planted. A cause outside the list is nobody's."""
    return truth.cause == said


def _blank(job: VerdictJob) -> BenchRecord:
    return BenchRecord(
        cause=job.cause,
        seed=job.seed,
        strength=job.strength or "",
        recipe="",
        redraws=0,
        grade="undecided",
        said="-",
        carrier="-",
        supported=(),
        elsewhere=(),
        students=0,
        make_seconds=0.0,
        diagnose_seconds=0.0,
        why="",
        generator=job.generator,
        transformations=job.transformations,
    )


def _not_made(job: VerdictJob, seconds: float, error: MendelError) -> BenchRecord:
    """Return the record of an organism that could not be made."""
    return replace(_blank(job), grade="not made", make_seconds=round(seconds, 1), why=error.message)


def _supported_elsewhere(truth: Truth, verdicts: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    """Return what is supported for traits other than the planted one, as `trait: hypothesis`."""
    return tuple(
        f"{trait}: {name}"
        for trait, verdict in verdicts.items()
        if trait != truth.trait
        for name in _with_status(verdict, "supported")
        # A planted persona brings several traits in: the hypothesis is right for all of them.
        if not (name == "persona_selection" and name in truth.causes)
    )


def _by_grid(scratch: Path, trait: str) -> tuple[int, tuple[str, ...]]:
    """Diagnose the organism by the fixed grid; return its number of students and supported hypotheses."""
    from mendel.commands.run import run
    from mendel.study import load_study

    study = load_study(scratch / "organism" / "study.yaml")
    study = replace(study, config=study.config.model_copy(update={"design": "grid"}))
    verdicts = run(study, scratch / "grid", store=scratch / "store", executor=InlineExecutor()).verdicts
    students = verdicts["students_trained"] + verdicts["students_reused"]
    return students, _with_status(verdicts["traits"][trait], "supported")


def _with_status(verdict: Mapping[str, Any], status: str) -> tuple[str, ...]:
    return tuple(name for name, h in verdict["hypotheses"].items() if h["status"] == status)


def _why(verdict: Mapping[str, Any], warnings: Iterable[str]) -> str:
    tested = [
        f"{name} {hypothesis['status']}: {hypothesis['why']}"
        for name, hypothesis in verdict["hypotheses"].items()
        if hypothesis["status"] != "untested"
    ]
    return " | ".join([verdict["carrier_why"], *tested, *warnings])
