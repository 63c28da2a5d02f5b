"""A run: from a study to its folder of tables, verdicts and report. Each step is done once, and found again later."""

from __future__ import annotations

import contextlib
import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from mendel._version import versions
from mendel.commands.rejudge import Remembered, write_basis
from mendel.data.prompts import Message
from mendel.data.rollouts import Rollout, common_opener
from mendel.data.selectors import Flagged
from mendel.data.teachers import GeneratedChunk, RolloutChunk
from mendel.diagnose import Catalogue, Design, TraitFacts, arm_levels, diagnose
from mendel.engine.budget import Spent
from mendel.engine.errors import InputError, Waiting
from mendel.engine.executors import Executor, LocalExecutor, default_workers
from mendel.engine.progress import NullProgress, Progress, Tee
from mendel.engine.progress.events import TraitSoFar
from mendel.engine.progress.state import StateFile
from mendel.engine.store import Store, default_store, write_atomic
from mendel.models import Checkpoint, ModelSource, open_chat
from mendel.models.endpoints import Endpoints
from mendel.report import write_report
from mendel.results import tables
from mendel.results.manifest import is_finished, write_manifest
from mendel.results.run import Run
from mendel.study import Study, StudyConfig, load_study
from mendel.workflow import tables as gather
from mendel.workflow.flagging import build_catalogue, flag_prompts
from mendel.workflow.inputs import SIDES, Inputs, load_inputs
from mendel.workflow.jobs import ModelJob, Probes, RolloutJob, copy_logs, roll_out
from mendel.workflow.judging import Judging, RolloutScores
from mendel.workflow.rounds import (
    MEASURING_SEED,
    Outcome,
    Rounds,
    ladder_leaks,
    looks,
    measured_tables,
    mix_shares,
    trait_facts,
)
from mendel.workflow.untrained import measured, open_endpoints

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger(__name__)


def run(
    study: Study | str | Path | None = None,
    out: str | Path | None = None,
    *,
    store: str | Path | None = None,
    progress: Progress | None = None,
    executor: Executor | None = None,
    batch_in: str | Path | None = None,
    batch_out: str | Path | None = None,
) -> Run:
    """Diagnoses a study and returns the run; what the store or the folder has already is not done again.

    `study` is a study file, a built-in study's name or a loaded `Study` (None: `peas`); `out` is the run's folder
    (default `runs/<name>`); `executor` says where jobs run (None: worker processes of its own). `batch_out` is a file for
    the requests to endpoints, which are then not sent; `batch_in` one with a provider's answers to them. Raises
    InputError for wrong input, BudgetSpent (after writing partial results), Waiting (after writing `batch_out`), RunError.
    """
    began = time.monotonic()
    loaded = study if isinstance(study, Study) else load_study(study)
    folder = Path(out) if out is not None else Path("runs") / loaded.name
    shelf = Store(Path(store) if store is not None else default_store())
    inputs = load_inputs(loaded)
    if is_finished(folder, inputs.fingerprint):
        return Run(folder, reused=True)
    _claim(folder, inputs)
    shelf.prepare()
    with StateFile(folder, loaded.name) as state:
        _carry_out(
            folder,
            inputs,
            shelf,
            executor,
            (batch_in, batch_out),
            Tee(progress or NullProgress(), state),
            began,
        )
    return Run(folder)


def _carry_out(
    folder: Path,
    inputs: Inputs,
    shelf: Store,
    executor: Executor | None,
    batch: tuple[str | Path | None, str | Path | None],
    told: Progress,
    began: float,
) -> None:
    """All steps of a run whose folder is claimed; raises what `run` does."""
    loaded = inputs.study
    with contextlib.ExitStack() as stack:
        executor = executor or stack.enter_context(LocalExecutor(workers(loaded)))
        endpoints = stack.enter_context(open_endpoints(shelf, loaded.config.budget, *batch))
        judging = Judging(shelf, executor, endpoints)
        rollouts = _rollouts(inputs.chunks, shelf, executor, endpoints, told)
        rollouts |= _rollouts(inputs.rewriting(rollouts), shelf, executor, endpoints, told)
        scores = _score_rollouts(inputs, rollouts, judging)
        flagged, warnings = flag_prompts(inputs, rollouts, scores, shelf)
        catalogue = build_catalogue(inputs, flagged, rollouts, scores)
        outcome = Outcome(warnings=[*inputs.warnings, *warnings])
        _measure_models(inputs, openers(inputs, rollouts), shelf, executor, judging, told, outcome)
        design = Rounds(inputs, catalogue, rollouts, shelf, executor, judging, told, outcome, began).run()
        spent = endpoints.budget.spent
    told.stage("verdicts", 1)
    made = _Made(inputs, catalogue, design, flagged, rollouts, scores, outcome, spent)
    found = _write(folder, made, shelf, began)
    told.effects([TraitSoFar.read(name, verdict) for name, verdict in found.items()])
    told.step(1)
    if outcome.spent is not None:
        raise outcome.spent
    write_manifest(folder, inputs.fingerprint, loaded.path, complete=True)


def workers(study: Study) -> int:
    """Worker processes: the study's number, else what suits the machine."""
    return study.config.workers or default_workers()


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
    write_manifest(folder, inputs.fingerprint, inputs.study.path, complete=False)


def _rollouts(
    chunks: Sequence[RolloutChunk], store: Store, executor: Executor, endpoints: Endpoints, told: Progress
) -> dict[tuple[str, str], Rollout]:
    jobs = [RolloutJob(chunk, store.root) for chunk in chunks]
    missing = [job for job in jobs if not store.has("rollouts", job.chunk.digest)]
    if missing:
        told.stage("rollouts", sum(len(job.chunk.prompts) for job in missing))
        for job, _ in executor.map(roll_out, [job for job in missing if _remote(job) is None]):
            told.step(len(job.chunk.prompts), job.chunk.teacher)
        _roll_out_remotely(missing, endpoints, told)
    return read_rollouts(jobs, store)


def _roll_out_remotely(jobs: Sequence[RolloutJob], endpoints: Endpoints, told: Progress) -> None:
    """Lets endpoints answer; raises Waiting after all requests are in the batch, where they are not sent."""
    waiting: Waiting | None = None
    for job in jobs:
        source = _remote(job)
        if source is None:
            continue
        try:
            roll_out(job, open_chat(source, endpoints))
        except Waiting as other:
            waiting = other
        told.step(len(job.chunk.prompts), job.chunk.teacher)
    if waiting is not None:
        raise waiting


def _remote(job: RolloutJob) -> ModelSource | None:
    """The endpoint that a chunk asks, which only this process can; None for other chunks."""
    chunk = job.chunk
    return chunk.source if isinstance(chunk, GeneratedChunk) and chunk.source.remote else None


def _score_rollouts(
    inputs: Inputs, rollouts: Mapping[tuple[str, str], Rollout], judging: Judging
) -> dict[str, RolloutScores]:
    """What each trait's judge says of the two teachers' answers to the original prompts."""
    answers = judged_rollouts(inputs, rollouts)
    return {trait.name: judging.score_rollouts(trait, answers) for trait in inputs.traits}


def judged_rollouts(inputs: Inputs, rollouts: Mapping[tuple[str, str], Rollout]) -> list[Rollout]:
    """The two teachers' answers to the original prompts: what is judged before any student is trained."""
    config, prompts = inputs.study.config, inputs.prompts["original"]
    teachers = dict.fromkeys((config.original.teacher, config.alternate.teacher))
    return [rollouts[p.prompt_id, teacher] for teacher in teachers for p in prompts]


def read_rollouts(jobs: Sequence[RolloutJob], store: Store) -> dict[tuple[str, str], Rollout]:
    """The stored rollouts of finished jobs, by prompt and teacher."""
    rollouts: dict[tuple[str, str], Rollout] = {}
    for job in jobs:
        for row in store.read_json("rollouts", job.chunk.digest):
            messages = tuple(Message(role=m["role"], content=m["content"]) for m in row["messages"])
            rollouts[row["prompt_id"], row["teacher"]] = Rollout(**{**row, "messages": messages})
    return rollouts


def openers(inputs: Inputs, rollouts: Mapping[tuple[str, str], Rollout]) -> dict[str, str]:
    """How each pipeline's teacher most often begins, by side; empty where no hypothesis asks, or both begin alike."""
    config, prompts = inputs.study.config, inputs.prompts["original"]
    if config.design == "effects" or inputs.shared["teacher"]:
        return {}
    found: dict[str, str] = {
        side: common_opener(rollouts[p.prompt_id, getattr(config, side).teacher] for p in prompts).text
        for side in SIDES
    }
    return found if len(set(found.values())) > 1 else {}


def _measure_models(
    inputs: Inputs,
    forced: Mapping[str, str],
    store: Store,
    executor: Executor,
    judging: Judging,
    told: Progress,
    outcome: Outcome,
) -> None:
    """Measures bases and teachers as they are: the bases' health is what students' is compared with.

    The original base is measured once more with each of the `forced` openers, as `prefill/<side>`.
    """
    config, probes = inputs.study.config, Probes(inputs.probes, inputs.assistant, MEASURING_SEED)
    arms: dict[str, tuple[ModelJob, str]] = {}
    for name, base in inputs.bases.items():
        arms[f"base/{name}"] = (ModelJob(_source(base, config), None, probes, store.root), base.ref)
    for side in SIDES:
        name = getattr(config, side).teacher
        source = inputs.teachers[name]
        if source is not None:
            job = ModelJob(source, config.teachers[name].system, probes, store.root)
            arms[f"teacher/{side}"] = (job, source.ref)
    base = inputs.bases["original"]
    for begun, opener in forced.items():
        arms[f"prefill/{begun}"] = (
            ModelJob(_source(base, config), None, probes, store.root, prefill=opener),
            base.ref,
        )
    told.stage("models", len(arms))
    jobs = {job.model: job for job, _ in arms.values()}
    health = {}
    for job, result in measured(list(jobs.values()), executor, judging):
        health[job.model] = result
        told.step(sum(other.model == job.model for other, _ in arms.values()))
    for arm, (job, ref) in arms.items():
        outcome.models.append(gather.MeasuredModel(arm, job.model, ref, health[job.model]))


def _source(base: Checkpoint, config: StudyConfig) -> ModelSource:
    return ModelSource(base.ref, base.digest, base, rank=config.recipe.rank)


@dataclass(frozen=True)
class _Made:
    """All that a run's folder is written from."""

    inputs: Inputs
    catalogue: Catalogue
    design: Design
    flagged: Mapping[str, Flagged]
    rollouts: Mapping[tuple[str, str], Rollout]
    scores: Mapping[str, RolloutScores]
    outcome: Outcome
    spent: Spent


def _write(folder: Path, made: _Made, store: Store, began: float) -> Mapping[str, Mapping[str, Any]]:
    """Writes the run's folder: tables, verdicts, report; returns the verdicts by trait."""
    inputs, catalogue, design, outcome = made.inputs, made.catalogue, made.design, made.outcome
    students, measurements = measured_tables(inputs, store, outcome)
    with_students = {student.arm.name for student in outcome.students}
    tables.write_table(folder / "students.parquet", students)
    tables.write_table(folder / "measurements.parquet", measurements)
    tables.write_table(folder / "rollouts.parquet", gather.rollouts_table(made.rollouts))
    tables.write_table(folder / "assignments.parquet", gather.assignments_table(design, with_students))
    config = inputs.study.config
    write_atomic(folder / "study.yaml", yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False))
    lacking = Remembered(catalogue.lacking)
    facts, shares, levels = trait_facts(inputs.traits), mix_shares(design), looks(inputs)
    found = diagnose(students, measurements, facts, design.cube, shares, levels, lacking)
    write_basis(folder, inputs.traits, facts, design.cube, shares, levels, lacking)
    _copy_logs(folder, made, store)
    traits = {
        name: {
            **verdict,
            "flagged": _flagged_json(name, made),
            **_control_json(name, made, students, measurements),
            **_leaks_json(name, made, students, measurements),
        }
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
        "dollars": made.spent.dollars or 0.0,
        "warnings": [*outcome.warnings, *_bought(made.spent), *_faults(outcome), *found.warnings],
        "traits": traits,
        "cube": dict(design.cube),
        "complete": outcome.spent is None,
        "endpoints": asdict(made.spent),
        "versions": versions(),
    }
    text = json.dumps(verdicts, ensure_ascii=False, indent=1, allow_nan=False)
    write_atomic(folder / "verdicts.json", text + "\n")
    write_report(folder)
    return traits


def _copy_logs(folder: Path, made: _Made, store: Store) -> None:
    """The logs of Inspect's tasks, `inspect/<student>-<trait>/`: they open in Inspect View."""
    tasks = [trait for trait in made.inputs.probes if trait.inspect is not None]
    for name, key, _ in gather.name_students(made.outcome.models, made.outcome.students):
        for trait in tasks:
            copy_logs(
                store,
                key,
                trait,
                MEASURING_SEED,
                folder / "inspect" / f"{name}-{trait.name}".replace("/", "-"),
            )


def _control_json(
    name: str, made: _Made, students: pa.Table, measurements: pa.Table
) -> dict[str, dict[str, Any]]:
    """How often the trait's controls, in which it is right, are met in the two pipelines: who never does it fails them."""
    trait = next(trait for trait in made.inputs.traits if trait.name == name)
    if trait.control is None:
        return {}
    facts = TraitFacts(trait.control.name, trait.scale, judge=trait.control.judge_id)
    levels = arm_levels(students, measurements, facts, "hit")
    ends = {"original": made.design.cube["OOO"], "alternate": made.design.cube["AAA"]}
    return {"control": {side: levels[arm].json() for side, arm in ends.items() if arm in levels}}


def _leaks_json(
    name: str, made: _Made, students: pa.Table, measurements: pa.Table
) -> dict[str, dict[str, Any]]:
    """What the edits leave near to and far from the filter, where the study measures ladders and the trait has one."""
    trait = next(trait for trait in made.inputs.traits if trait.name == name)
    rungs = trait.rungs if made.inputs.study.config.ladder else {}
    return ladder_leaks(trait, rungs, students, measurements, made.design.cube)


def _bought(spent: Spent) -> list[str]:
    if spent.dollars is not None:
        return []
    return ["dollars: an endpoint's price is not known, so what it took is not counted; write endpoint.price"]


def _flagged_json(name: str, made: _Made) -> dict[str, Any]:
    """What is flagged, and on what share of it the alternate teacher shows the trait, too (null: nothing is flagged)."""
    inputs, flags = made.inputs, made.flagged.get(name)
    count = len(flags.prompt_ids) if flags else 0
    trait = next(trait for trait in inputs.traits if trait.name == name)
    teacher = inputs.study.config.alternate.teacher
    scores = [made.scores[name].of(made.rollouts[p, teacher]) for p in flags.prompt_ids] if flags else []
    shown = sum(score is not None and score >= trait.judge.hit_at for score in scores)
    return {
        "selector": flags.description if flags else "none",
        "count": count,
        "of": len(inputs.prompts["original"]),
        "alternate_shows": shown / count if count else None,
    }


def _faults(outcome: Outcome) -> list[str]:
    return [
        f"student {s.result.trained.student[:12]} ({s.arm.name}, seed {s.seed}) is {s.result.status} and counts "
        f"nowhere: {s.result.reason}"
        for s in outcome.students
        if s.result.status != "ok"
    ]
