"""Rounds of students: train what the design asks for, look at the verdicts, ask again, until no student can change one."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mendel import _tables as gather
from mendel._inputs import Inputs
from mendel._jobs import Probes, StudentJob, make_student
from mendel.data.rollouts import Rollout
from mendel.diagnose import (
    Arm,
    Catalogue,
    Design,
    Effects,
    Levels,
    Request,
    TraitFacts,
    all_hypotheses,
    estimate_trait,
    first_request,
    next_request,
    reach_verdict,
)
from mendel.diagnose.adaptive import FIXED
from mendel.engine.errors import BudgetSpent
from mendel.engine.pool import Pool
from mendel.engine.progress import Progress
from mendel.engine.store import Store

if TYPE_CHECKING:
    import pyarrow as pa

    from mendel.train import StudentSpec

log = logging.getLogger(__name__)
MEASURING_SEED = 0


@dataclass
class Outcome:
    """What a run has so far: enough for its tables and verdicts, also when the budget ends it early."""

    models: list[gather.MeasuredModel] = field(default_factory=list)
    students: list[gather.PlacedStudent] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    spent: BudgetSpent | None = None


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
    for position in range(max(len(arm.seeds) for arm in design)):
        for arm in design:
            if position >= len(arm.seeds):
                continue
            pairs = arm.assignments[position].pairs
            rows = tuple(made[prompt, teacher] for prompt, teacher in pairs if teacher is not None)
            recipe = arm.recipe or inputs.study.config.recipe
            specs.append(
                (
                    arm,
                    arm.seeds[position],
                    StudentSpec(inputs.bases[arm.base], rows, recipe, arm.seeds[position]),
                )
            )
    return specs


def train_rounds(
    inputs: Inputs,
    catalogue: Catalogue,
    rollouts: Mapping[tuple[str, str], Rollout],
    store: Store,
    pool: Pool,
    told: Progress,
    outcome: Outcome,
    began: float,
) -> Design:
    """Trains what the design asks for, looks at the verdicts, and asks again, until no student can change one."""
    request: Request | None = first_request(catalogue)
    trained: dict[str, int] = {}
    while request is not None:
        trained |= request.arms
        design = catalogue.design(trained)
        _make_students(inputs, design, rollouts, store, pool, told, outcome, began)
        if outcome.spent is not None:
            break
        verdicts = {
            facts.name: reach_verdict(effects, looks(inputs), catalogue.lacking)
            for facts, effects in _effects(inputs, design, store, outcome)
        }
        request = next_request(catalogue, trained, verdicts)
        if request is not None:
            log.info("%d students so far; next: %s", design.students, request.why)
    return catalogue.design(trained)


def looks(inputs: Inputs) -> Levels:
    """How sure each test has to be, given how often the study may look again."""
    config = inputs.study.config
    more = (config.max_seeds or config.seeds) - config.seeds if config.design not in FIXED else 0
    return Levels(1 + more, len(all_hypotheses()))


def _effects(
    inputs: Inputs, design: Design, store: Store, outcome: Outcome
) -> list[tuple[TraitFacts, Effects]]:
    students, measurements = measured_tables(inputs, store, outcome)
    return [
        (facts, estimate_trait(students, measurements, facts, design.cube, mix_shares(design)))
        for facts in trait_facts(inputs)
    ]


def measured_tables(inputs: Inputs, store: Store, outcome: Outcome) -> tuple[pa.Table, pa.Table]:
    named = gather.name_students(outcome.models, outcome.students)
    probes = (*inputs.traits, inputs.assistant)
    return gather.students_table(named), gather.measurements_table(store, named, probes, MEASURING_SEED)


def trait_facts(inputs: Inputs) -> list[TraitFacts]:
    return [
        TraitFacts(trait.name, trait.scale, trait.metric, trait.judge_id, score_range=trait.score_range)
        for trait in inputs.traits
    ]


def mix_shares(design: Design) -> dict[str, float]:
    return {arm.name: arm.share for arm in design if arm.share is not None}


def _make_students(
    inputs: Inputs,
    design: Design,
    rollouts: Mapping[tuple[str, str], Rollout],
    store: Store,
    pool: Pool,
    told: Progress,
    outcome: Outcome,
    began: float,
) -> None:
    probes = Probes(inputs.traits, inputs.assistant, MEASURING_SEED)
    right = {model.arm: model.health.right for model in outcome.models}
    there = {(student.arm.name, student.seed) for student in outcome.students}
    placed: dict[str, list[tuple[Arm, int]]] = {}
    jobs: dict[str, StudentJob] = {}
    for arm, seed, spec in student_specs(inputs, design, rollouts):
        if (arm.name, seed) in there:
            continue
        placed.setdefault(spec.digest, []).append((arm, seed))
        jobs.setdefault(spec.digest, StudentJob(spec, probes, right[f"base/{arm.base}"], store.root))
    jobs = _within_budget(inputs, jobs, store, outcome)
    cost = {name: _cost(job) for name, job in jobs.items()}
    told.stage("students", sum(cost.values()))
    hours = inputs.study.config.budget.hours
    for done, (job, result) in enumerate(pool.map(make_student, list(jobs.values())), 1):
        name = job.spec.digest
        # An arm that comes down to the rows of another finds its student in the store, and it is new only once.
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
    order = {arm.name: number for number, arm in enumerate(design)}
    outcome.students.sort(key=lambda student: (order[student.arm.name], student.seed))


def _within_budget(
    inputs: Inputs, jobs: dict[str, StudentJob], store: Store, outcome: Outcome
) -> dict[str, StudentJob]:
    most = inputs.study.config.budget.students
    if most is None:
        return jobs
    new = [name for name in jobs if not store.has("students", name)]
    most -= len({s.result.trained.student for s in outcome.students if s.result.new})
    if len(new) <= most:
        return jobs
    limit = inputs.study.config.budget.students
    outcome.spent = _spent(f"{limit} students", "students", len(jobs) - len(new) + most, len(jobs))
    beyond = set(new[most:])
    return {name: job for name, job in jobs.items() if name not in beyond}


def _spent(what: str, key: str, done: int, wanted: int) -> BudgetSpent:
    return BudgetSpent(
        f"the budget of {what} is spent: {done} of {wanted} students are done, and partial results are written",
        fix=f"Run the same command to spend as much again, or raise budget.{key}.",
    )


def _cost(job: StudentJob) -> float:
    return max(1, len(job.spec.rows)) * job.spec.recipe.epochs
