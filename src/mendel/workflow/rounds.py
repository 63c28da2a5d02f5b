"""Rounds of students: train what the design asks for, look at the verdicts, ask again, until no student can change one."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mendel.data.rollouts import Rollout
from mendel.diagnose import (
    PARTS,
    Arm,
    Catalogue,
    Design,
    Estimate,
    Levels,
    Request,
    TraitFacts,
    Verdict,
    all_hypotheses,
    estimate_trait,
    find_leaks,
    first_request,
    next_request,
    reach_verdict,
)
from mendel.diagnose.adaptive import FIXED
from mendel.engine.errors import BudgetSpent, Waiting
from mendel.engine.executors import Executor
from mendel.engine.interval import Interval
from mendel.engine.progress import Progress
from mendel.engine.progress.events import TraitSoFar
from mendel.engine.store import Store
from mendel.measure import Trait
from mendel.workflow import tables as gather
from mendel.workflow.inputs import Inputs
from mendel.workflow.jobs import Probes, StudentJob
from mendel.workflow.judging import Judging
from mendel.workflow.students import train_students_of

if TYPE_CHECKING:
    import pyarrow as pa

    from mendel.train import StudentSpec

log = logging.getLogger(__name__)
MEASURING_SEED = 0
REUSED = 0.02
"""The share of a student's time that one takes which the store has: it would else spoil the guess of the time left."""
LOOK_EVERY = 15.0
"""Seconds between two looks at the effects within a round, at least."""
LOOK_SHARE = 0.02
"""The share of a run's time that such looks may take: they are for who watches it, and decide nothing."""


@dataclass
class Outcome:
    """What a run has so far: enough for its tables and verdicts, also when the budget ends it early."""

    models: list[gather.MeasuredModel] = field(default_factory=list)
    students: list[gather.PlacedStudent] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    spent: BudgetSpent | Waiting | None = None
    """What ended the run early."""


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
            recipe, seed = arm.recipe or inputs.study.config.recipe, arm.seeds[position]
            specs.append((arm, seed, StudentSpec(inputs.bases[arm.base], rows, recipe, seed)))
    return specs


@dataclass
class Rounds:
    """Trains what the design asks for, looks at the verdicts, and asks again, until no student can change one."""

    inputs: Inputs
    catalogue: Catalogue
    rollouts: Mapping[tuple[str, str], Rollout]
    store: Store
    executor: Executor
    judging: Judging
    told: Progress
    outcome: Outcome
    """Holds the measured models; the students are added to it."""
    began: float
    """`time.monotonic()` when the run began."""
    _next_look: float = field(default=0.0, init=False)

    def run(self) -> Design:
        """All rounds; the design that was trained, short of what a spent budget left out."""
        request: Request | None = first_request(self.catalogue)
        trained: dict[str, int] = {}
        while request is not None:
            trained |= request.arms
            design = self.catalogue.design(trained)
            self._train(design)
            if self.outcome.spent is not None:
                break
            request = next_request(self.catalogue, trained, self._look(design))
            if request is not None:
                log.info("%d students so far; next: %s", design.students, request.why)
        return self.catalogue.design(trained)

    def _look(self, design: Design) -> dict[str, Verdict]:
        """The verdicts on what there is; who watches the run is told of them."""
        began = time.monotonic()
        verdicts = self._verdicts(design)
        self.told.effects([so_far(name, verdict) for name, verdict in verdicts.items()])
        now = time.monotonic()
        self._next_look = now + max(LOOK_EVERY, (now - began) / LOOK_SHARE)
        return verdicts

    def _verdicts(self, design: Design) -> dict[str, Verdict]:
        students, measurements = measured_tables(self.inputs, self.store, self.outcome)
        return {
            facts.name: reach_verdict(
                estimate_trait(students, measurements, facts, design.cube, mix_shares(design)),
                looks(self.inputs),
                self.catalogue.lacking,
            )
            for facts in trait_facts(self.inputs.traits)
        }

    def _train(self, design: Design) -> None:
        """Trains and measures the design's students that are not there yet."""
        outcome = self.outcome
        placed, jobs = self._jobs(design)
        jobs = self._within_budget(jobs)
        cost = {
            name: _cost(job) * (REUSED if self.store.has("students", name) else 1)
            for name, job in jobs.items()
        }
        self.told.stage("students", sum(cost.values()))
        self._next_look = max(self._next_look, time.monotonic() + LOOK_EVERY)
        hours = self.inputs.study.config.budget.hours
        places = {name: placed[name][0] for name in jobs}
        broke = False
        for done, (job, result, last) in enumerate(
            train_students_of(jobs, places, self.executor, self.told), 1
        ):
            name = job.spec.digest
            outcome.students += [
                gather.PlacedStudent(arm, seed, job.spec.base.ref, result) for arm, seed in placed[name]
            ]
            if result.status != "ok":
                arm, seed = placed[name][0]
                said = (name[:12], arm.name, seed, result.status, result.reason)
                log.warning("student %s (%s, seed %d) is %s: %s", *said)
            self.told.step(cost[name], f"{done} of {len(jobs)}")
            broke = broke or (result.status == "ok" and not self._judge(name))
            if not last:
                continue
            if broke:
                self.executor.stop()
                break
            if done < len(jobs) and time.monotonic() > self._next_look:
                self._look(design)
            if hours is not None and time.monotonic() - self.began > hours * 3600 and done < len(jobs):
                outcome.spent = _spent(f"{hours:g} hours", "hours", done, len(jobs))
                self.executor.stop()
                break
        self._in_order(design)

    def _judge(self, name: str) -> bool:
        """Has a student's responses scored where a model judges; False where the budget is spent."""
        for probe in self.inputs.probes:
            try:
                self.judging.finish(name, probe, probe, MEASURING_SEED)
            except BudgetSpent as spent:
                self.outcome.spent = spent
                return False
            except Waiting as waiting:
                # The other students' responses belong into the same batch.
                self.outcome.spent = waiting
        return True

    def _in_order(self, design: Design) -> None:
        # Students end in any order; the tables have one.
        order = {arm.name: number for number, arm in enumerate(design)}
        self.outcome.students.sort(key=lambda student: (order[student.arm.name], student.seed))

    def _jobs(self, design: Design) -> tuple[dict[str, list[tuple[Arm, int]]], dict[str, StudentJob]]:
        """By student: the arms and seeds that it stands for (arms may come down to the same rows), and its job."""
        probes = Probes(self.inputs.probes, self.inputs.assistant, MEASURING_SEED)
        right = {model.arm: model.health.right for model in self.outcome.models}
        there = {(student.arm.name, student.seed) for student in self.outcome.students}
        placed: dict[str, list[tuple[Arm, int]]] = {}
        jobs: dict[str, StudentJob] = {}
        for arm, seed, spec in student_specs(self.inputs, design, self.rollouts):
            if (arm.name, seed) not in there:
                placed.setdefault(spec.digest, []).append((arm, seed))
                job = StudentJob(spec, probes, right[f"base/{arm.base}"], self.store.root)
                jobs.setdefault(spec.digest, job)
        return placed, jobs

    def _within_budget(self, jobs: dict[str, StudentJob]) -> dict[str, StudentJob]:
        budget = self.inputs.study.config.budget.students
        if budget is None:
            return jobs
        new = [name for name in jobs if not self.store.has("students", name)]
        spent = {s.result.trained.student for s in self.outcome.students if s.result.new}
        left = budget - len(spent)
        if len(new) <= left:
            return jobs
        done = len(jobs) - len(new) + left
        self.outcome.spent = _spent(f"{budget} students", "students", done, len(jobs))
        beyond = set(new[left:])
        return {name: job for name, job in jobs.items() if name not in beyond}


def so_far(trait: str, verdict: Verdict) -> TraitSoFar:
    """What a round's verdict says of a trait, for those who watch the run."""
    effects, nothing = verdict.effects, Estimate(None)
    original, alternate = (effects.levels.get(effects.cube[corner], nothing) for corner in ("OOO", "AAA"))
    return TraitSoFar(
        trait,
        Interval.read(original.json()),
        Interval.read(alternate.json()),
        {part: Interval.read(effects.estimates[part].json()) for part in PARTS},
        effects.unit,
        verdict.carrier.carrier,
    )


def looks(inputs: Inputs) -> Levels:
    """How sure each test has to be, given how often the study may look again."""
    config = inputs.study.config
    more = (config.max_seeds or config.seeds) - config.seeds if config.design not in FIXED else 0
    return Levels(1 + more, len(all_hypotheses()))


def measured_tables(inputs: Inputs, store: Store, outcome: Outcome) -> tuple[pa.Table, pa.Table]:
    """The tables `students` and `measurements` of what there is so far."""
    named = gather.name_students(outcome.models, outcome.students)
    probes = (*inputs.probes, inputs.assistant)
    return gather.students_table(named), gather.measurements_table(store, named, probes, MEASURING_SEED)


def trait_facts(traits: Iterable[Trait]) -> list[TraitFacts]:
    """What the statistics need to know of each trait."""
    return [TraitFacts(t.name, t.scale, t.metric, t.judge_id, score_range=t.score_range) for t in traits]


def ladder_leaks(
    trait: Trait,
    rungs: Mapping[str, Trait],
    students: pa.Table,
    measurements: pa.Table,
    cube: Mapping[str, str],
) -> dict[str, Any]:
    """The key `leaks` of a trait's verdict: what the edits leave near to and far from the filter; nothing without rungs."""
    if not rungs:
        return {}
    own, *theirs = trait_facts((trait, *rungs.values()))
    by_rung = dict(zip(rungs, theirs, strict=True))
    return {"leaks": find_leaks(students, measurements, own, by_rung, cube).json()}


def mix_shares(design: Design) -> dict[str, float]:
    """The original teacher's share by `mix` arm."""
    return {arm.name: arm.share for arm in design if arm.share is not None}


def _spent(what: str, key: str, done: int, wanted: int) -> BudgetSpent:
    return BudgetSpent(
        f"the budget of {what} is spent: {done} of {wanted} students are done, and partial results are written",
        fix=f"Run the same command to spend as much again, or raise budget.{key}.",
    )


def _cost(job: StudentJob) -> float:
    return max(1, len(job.spec.rows)) * job.spec.recipe.epochs
