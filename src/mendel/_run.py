"""A run: from a study to its folder of tables, verdicts and report. Each step is done once, and found again later."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from mendel import _tables as gather
from mendel._inputs import SIDES, Inputs, load_inputs
from mendel._jobs import ModelJob, Probes, RolloutJob, StudentJob, make_student, measure_model, roll_out
from mendel._results import Run, is_finished, write_manifest
from mendel._version import versions
from mendel.data.prompts import Message
from mendel.data.rollouts import Rollout
from mendel.data.selectors import Flagged, SelectorInput, flag, select
from mendel.diagnose import TraitFacts, diagnose
from mendel.diagnose.design import Arm, Design, build_design
from mendel.engine import tables
from mendel.engine.errors import BudgetSpent, InputError
from mendel.engine.pool import LocalPool, default_workers
from mendel.engine.progress import Progress, Silent
from mendel.engine.store import Store, default_store, write_atomic
from mendel.report import write_report
from mendel.study import Study, load_study

if TYPE_CHECKING:
    from mendel.train import StudentSpec

log = logging.getLogger(__name__)
MEASURING_SEED = 0


@dataclass
class _Outcome:
    """What a run has so far: enough for its tables and verdicts, also when the budget ends it early."""

    models: list[gather.MeasuredModel] = field(default_factory=list)
    students: list[gather.PlacedStudent] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    spent: BudgetSpent | None = None


def run(
    study: Study | str | Path | None = None,
    out: str | Path | None = None,
    *,
    store: str | Path | None = None,
    progress: Progress | None = None,
) -> Run:
    """Diagnoses a study and returns the run; what the store or the folder has already is not done again.

    `study` is a study file, a built-in study's name or a loaded `Study` (None: `peas`); `out` is the run's folder
    (default `runs/<name>`). Raises InputError for wrong input, BudgetSpent (after writing partial results) and
    RunError.
    """
    began = time.monotonic()
    loaded = study if isinstance(study, Study) else load_study(study)
    folder = Path(out) if out is not None else Path("runs") / loaded.name
    shelf = Store(Path(store) if store is not None else default_store())
    told = progress or Silent()
    inputs = load_inputs(loaded)
    if is_finished(folder, inputs.fingerprint):
        return Run(folder, reused=True)
    _claim(folder, inputs)
    shelf.prepare()
    with LocalPool(workers(loaded)) as pool:
        rollouts = _rollouts(inputs, shelf, pool, told)
        flagged, warnings = flag_prompts(inputs, rollouts)
        ids = {trait: flags.prompt_ids for trait, flags in flagged.items()}
        design = build_design(loaded.config, inputs.prompts, ids, inputs.shared)
        outcome = _Outcome(warnings=[*inputs.warnings, *warnings])
        _measure_models(inputs, shelf, pool, told, outcome)
        _make_students(inputs, design, rollouts, shelf, pool, told, outcome, began)
    told.stage("verdicts", 1)
    _write(folder, inputs, design, flagged, rollouts, outcome, shelf, began)
    told.step(1)
    if outcome.spent is not None:
        raise outcome.spent
    write_manifest(folder, inputs.fingerprint, complete=True)
    return Run(folder)


def workers(study: Study) -> int:
    """Worker processes: the study's number, else what suits the machine."""
    return study.config.workers or default_workers()


def flag_prompts(
    inputs: Inputs, rollouts: Mapping[tuple[str, str], Rollout]
) -> tuple[dict[str, Flagged], list[str]]:
    """The original prompts that the selector flags for each trait, and a warning for each trait without any."""
    config = inputs.study.config
    prompts = inputs.prompts["original"]
    answers = [rollouts[prompt.prompt_id, config.original.teacher] for prompt in prompts]
    flagged: dict[str, Flagged] = {}
    warnings: list[str] = []
    for number, trait in enumerate(inputs.traits):
        cut = config.traits[number].select or config.select
        location = ("traits", number, "select") if config.traits[number].select else ("select",)
        where = inputs.study.lines.where(*location)
        scores = select(SelectorInput(prompts, answers, trait.score_rollout, cut), where=where)
        try:
            flagged[trait.name] = flag(scores, cut, where=where)
        except InputError as error:
            # A pattern that matches nothing is a slip of the pen; a judge that finds nothing is a finding, and the
            # cube still says which part carries the trait.
            if cut.by != "judge":
                raise
            warnings.append(f"{trait.name}: no drop, swap or random control: {error.what}")
    return flagged, warnings


def student_specs(
    inputs: Inputs, design: Design, rollouts: Mapping[tuple[str, str], Rollout]
) -> list[tuple[Arm, int, StudentSpec]]:
    """Every student of the design with its arm and seed; seed by seed, so that a short budget leaves whole arms."""
    from mendel.train import StudentSpec, TrainingRow

    def row(prompt_id: str, teacher: str) -> TrainingRow:
        rollout = rollouts[prompt_id, teacher]
        return TrainingRow(prompt_id, teacher, rollout.messages, rollout.completion)

    made = {key: row(*key) for key in rollouts}
    specs = []
    for position, seed in enumerate(design.seeds):
        for arm in design:
            pairs = arm.assignments[position].pairs
            rows = tuple(made[prompt, teacher] for prompt, teacher in pairs if teacher is not None)
            base = inputs.bases[arm.base]
            specs.append((arm, seed, StudentSpec(base, rows, inputs.study.config.recipe, seed)))
    return specs


def _claim(folder: Path, inputs: Inputs) -> None:
    """Makes the run's folder, unless it holds something else."""
    if folder.exists() and not folder.is_dir():
        raise InputError("is a file, not a folder", where=str(folder), fix="Name another folder with --out.")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "manifest.json").exists():
        raise InputError(
            "the folder is not empty and holds no run of mendel",
            where=str(folder),
            fix="Name another folder with --out.",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"the folder cannot be made: {error.strerror}",
            where=str(folder),
            fix="Name another one with --out.",
        ) from None
    write_manifest(folder, inputs.fingerprint, complete=False)


def _rollouts(
    inputs: Inputs, store: Store, pool: LocalPool, told: Progress
) -> dict[tuple[str, str], Rollout]:
    jobs = [RolloutJob(chunk, store.root) for chunk in inputs.chunks]
    missing = [job for job in jobs if not store.has("rollouts", job.chunk.digest)]
    if missing:
        told.stage("rollouts", sum(len(job.chunk.prompts) for job in missing))
        for job, _ in pool.map(roll_out, missing):
            told.step(len(job.chunk.prompts), job.chunk.teacher)
    return read_rollouts(jobs, store)


def read_rollouts(jobs: Sequence[RolloutJob], store: Store) -> dict[tuple[str, str], Rollout]:
    """The stored rollouts of finished jobs, by prompt and teacher."""
    rollouts: dict[tuple[str, str], Rollout] = {}
    for job in jobs:
        for row in store.read_json("rollouts", job.chunk.digest):
            messages = tuple(Message(role=m["role"], content=m["content"]) for m in row["messages"])
            rollouts[row["prompt_id"], row["teacher"]] = Rollout(**{**row, "messages": messages})
    return rollouts


def _measure_models(inputs: Inputs, store: Store, pool: LocalPool, told: Progress, outcome: _Outcome) -> None:
    """Measures bases and teachers as they are: the bases' health is what students' is compared with."""
    config, probes = inputs.study.config, Probes(inputs.traits, inputs.assistant, MEASURING_SEED)
    arms: dict[str, tuple[ModelJob, str]] = {}
    for side in SIDES:
        base = inputs.bases[side]
        arms[f"base/{side}"] = (ModelJob(base, None, probes, store.root), base.ref)
        name = getattr(config, side).teacher
        checkpoint = inputs.teachers[name]
        if checkpoint is not None:
            job = ModelJob(checkpoint, config.teachers[name].system, probes, store.root)
            arms[f"teacher/{side}"] = (job, checkpoint.ref)
    told.stage("models", len(arms))
    jobs = {job.model: job for job, _ in arms.values()}
    health = {}
    for job, result in pool.map(measure_model, list(jobs.values())):
        health[job.model] = result
        told.step(sum(other.model == job.model for other, _ in arms.values()))
    for arm, (job, ref) in arms.items():
        outcome.models.append(gather.MeasuredModel(arm, job.model, ref, health[job.model]))


def _make_students(
    inputs: Inputs,
    design: Design,
    rollouts: Mapping[tuple[str, str], Rollout],
    store: Store,
    pool: LocalPool,
    told: Progress,
    outcome: _Outcome,
    began: float,
) -> None:
    probes = Probes(inputs.traits, inputs.assistant, MEASURING_SEED)
    right = {model.arm: model.health.right for model in outcome.models}
    placed: dict[str, list[tuple[Arm, int]]] = {}
    jobs: dict[str, StudentJob] = {}
    for arm, seed, spec in student_specs(inputs, design, rollouts):
        placed.setdefault(spec.digest, []).append((arm, seed))
        jobs.setdefault(spec.digest, StudentJob(spec, probes, right[f"base/{arm.base}"], store.root))
    jobs = _within_budget(inputs, jobs, store, outcome)
    cost = {name: _cost(job) for name, job in jobs.items()}
    told.stage("students", sum(cost.values()))
    hours = inputs.study.config.budget.hours
    order = {arm.name: number for number, arm in enumerate(design)}
    for done, (job, result) in enumerate(pool.map(make_student, list(jobs.values())), 1):
        name = job.spec.digest
        for arm, seed in placed[name]:
            outcome.students.append(gather.PlacedStudent(arm, seed, job.spec.base.ref, result))
        if result.status != "ok":
            arm, seed = placed[name][0]
            log.warning(
                "student %s (%s, seed %d) is %s: %s", name[:12], arm.name, seed, result.status, result.reason
            )
        told.step(cost[name], f"{done} of {len(jobs)}")
        if hours is not None and time.monotonic() - began > hours * 3600 and done < len(jobs):
            outcome.spent = _spent(f"{hours:g} hours", "hours", done, len(jobs))
            pool.stop()
            break
    # Students end in any order; the tables have one.
    outcome.students.sort(key=lambda student: (order[student.arm.name], student.seed))


def _within_budget(
    inputs: Inputs, jobs: dict[str, StudentJob], store: Store, outcome: _Outcome
) -> dict[str, StudentJob]:
    most = inputs.study.config.budget.students
    if most is None:
        return jobs
    new = [name for name in jobs if not store.has("students", name)]
    if len(new) <= most:
        return jobs
    outcome.spent = _spent(f"{most} students", "students", len(jobs) - len(new) + most, len(jobs))
    beyond = set(new[most:])
    return {name: job for name, job in jobs.items() if name not in beyond}


def _spent(what: str, key: str, done: int, wanted: int) -> BudgetSpent:
    return BudgetSpent(
        f"the budget of {what} is spent: {done} of {wanted} students are done, and partial results are written",
        fix=f"Run the same command to spend as much again, or raise budget.{key}.",
    )


def _cost(job: StudentJob) -> float:
    return max(1, len(job.spec.rows)) * job.spec.recipe.epochs


def _write(
    folder: Path,
    inputs: Inputs,
    design: Design,
    flagged: Mapping[str, Flagged],
    rollouts: Mapping[tuple[str, str], Rollout],
    outcome: _Outcome,
    store: Store,
    began: float,
) -> None:
    """The run's folder: tables, verdicts, report."""
    named = gather.name_students(outcome.models, outcome.students)
    students = gather.students_table(named)
    probes = (*inputs.traits, inputs.assistant)
    measurements = gather.measurements_table(store, named, probes, MEASURING_SEED)
    with_students = {student.arm.name for student in outcome.students}
    tables.write_table(folder / "students.parquet", students)
    tables.write_table(folder / "measurements.parquet", measurements)
    tables.write_table(folder / "rollouts.parquet", gather.rollouts_table(rollouts))
    tables.write_table(folder / "assignments.parquet", gather.assignments_table(design, with_students))
    config = inputs.study.config
    write_atomic(folder / "study.yaml", yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False))
    facts = [
        TraitFacts(trait.name, trait.scale, trait.metric, trait.judge_id, score_range=trait.score_range)
        for trait in inputs.traits
    ]
    shares = {arm.name: arm.share for arm in design if arm.share is not None}
    found = diagnose(students, measurements, facts, design.cube, shares)
    traits = {
        name: {**verdict, "flagged": _flagged_json(flagged.get(name), inputs)}
        for name, verdict in found.traits.items()
    }
    new = {s.result.trained.student for s in outcome.students if s.result.new}
    everyone = {s.result.trained.student for s in outcome.students}
    verdicts = {
        "schema": 1,
        "study": inputs.study.name,
        "students_trained": len(new),
        "students_reused": len(everyone - new),
        "wall_seconds": round(time.monotonic() - began, 3),
        "dollars": 0.0,
        "warnings": [*outcome.warnings, *_faults(outcome), *found.warnings],
        "traits": traits,
        "cube": dict(design.cube),
        "complete": outcome.spent is None,
        "versions": versions(),
    }
    text = json.dumps(verdicts, ensure_ascii=False, indent=1, allow_nan=False)
    write_atomic(folder / "verdicts.json", text + "\n")
    write_report(folder)


def _flagged_json(flags: Flagged | None, inputs: Inputs) -> dict[str, Any]:
    count = len(flags.prompt_ids) if flags else 0
    said = flags.description if flags else "none"
    return {"selector": said, "count": count, "of": len(inputs.prompts["original"])}


def _faults(outcome: _Outcome) -> list[str]:
    return [
        f"student {s.result.trained.student[:12]} ({s.arm.name}, seed {s.seed}) is {s.result.status} and counts "
        f"nowhere: {s.result.reason}"
        for s in outcome.students
        if s.result.status != "ok"
    ]
