"""The students of arms: what each is trained from, and the one loop that trains, checks, measures and judges them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mendel.data.rollouts import Rollout
from mendel.design.catalogue import Arm
from mendel.engine.errors import BudgetSpent, Stopped, Waiting
from mendel.workflow.fleets import train_fleets
from mendel.workflow.inputs import Inputs
from mendel.workflow.jobs import Probes, StudentJob
from mendel.workflow.session import Session, students_spent
from mendel.workflow.tables import PlacedStudent

if TYPE_CHECKING:
    from mendel.train import StudentSpec

log = logging.getLogger(__name__)
REUSED = 0.02
"""Share of a student's time that one takes which the store has: it would else spoil the guess of the time left."""


@dataclass(frozen=True)
class TrainedArms:
    """What came of training some arms."""

    students: list[PlacedStudent] = field(default_factory=list)
    """By arm and seed, in the arms' order; a student that two arms share is there twice."""
    stopped: Stopped | None = None
    """What ended the training before all students were done and judged; None: they all are."""


def student_specs(
    inputs: Inputs, arms: Sequence[Arm], rollouts: Mapping[tuple[str, str], Rollout]
) -> list[tuple[Arm, int, StudentSpec]]:
    """Return every student of the arms with its arm and seed; seed by seed, so that a short budget leaves whole arms."""
    from mendel.train import StudentSpec, TrainingRow

    rows = {key: TrainingRow(*key, r.messages, r.completion) for key, r in rollouts.items()}
    specs = []
    for position in range(max(len(arm.seeds) for arm in arms)):
        for arm in arms:
            if position >= len(arm.seeds):
                continue
            pairs = arm.assignments[position].pairs
            taught = tuple(rows[prompt, teacher] for prompt, teacher in pairs if teacher is not None)
            recipe, seed = arm.recipe or inputs.study.config.recipe, arm.seeds[position]
            specs.append((arm, seed, StudentSpec(inputs.bases[arm.base], taught, recipe, seed)))
    return specs


def train_arms(
    session: Session,
    inputs: Inputs,
    arms: Sequence[Arm],
    rollouts: Mapping[tuple[str, str], Rollout],
    probes: Probes,
    base_right: Mapping[str, float],
    *,
    done: Collection[tuple[str, int]] = (),
    look: Callable[[list[PlacedStudent]], None] | None = None,
) -> TrainedArms:
    """Train, check, measure and judge the students of arms; what the store has is not done again.

    A budget that is spent, or a provider's batch that has to be awaited, ends the training after whole
    fleets: what is done by then is returned. Students that fail a check are returned, too, and are judged on
    nothing.

    Args:
        session: Store, executor, judges, budget and progress.
        inputs: The study's bases and recipe.
        arms: What is trained.
        rollouts: By prompt and teacher; all that the arms' assignments name.
        probes: What students are measured on.
        base_right: By base, the share of plain questions that it answers rightly.
        done: Arms and seeds that are there already and are left out.
        look: Is given the students so far after each fleet but the last.

    Raises:
        RunError: a worker was killed, or a student fits into no memory.
    """
    places, jobs = _jobs(session, inputs, arms, rollouts, probes, base_right, done)
    wanted = len(jobs)
    jobs, stopped = _within_budget(session, jobs)
    cost = {name: _cost(session, job) for name, job in jobs.items()}
    session.progress.stage("students", sum(cost.values()))
    students: list[PlacedStudent] = []
    broke = False
    first = {name: places[name][0] for name in jobs}
    trained = train_fleets(jobs, first, session.executor, session.progress)
    for count, (job, result, last_of_fleet) in enumerate(trained, 1):
        name = job.spec.digest
        students += [PlacedStudent(arm, seed, job.spec.base.ref, result) for arm, seed in places[name]]
        if result.new:
            session.new_students.add(name)
        if result.status == "ok":
            ended = _judge(session, job)
            stopped = ended or stopped
            broke = broke or isinstance(ended, BudgetSpent)
        else:
            arm, seed = first[name]
            log.warning(
                "student %s (%s, seed %d) is %s: %s", name[:12], arm.name, seed, result.status, result.reason
            )
        session.progress.step(cost[name], f"{count} of {len(jobs)}")
        if not last_of_fleet:
            continue
        if not broke and count < len(jobs) and look is not None:
            look(students)
        if not broke and count < len(jobs) and session.hours_spent():
            stopped = students_spent(f"{session.budget.hours:g} hours", "hours", count, wanted)
            broke = True
        if broke:
            session.executor.stop()
            break
    order = {arm.name: number for number, arm in enumerate(arms)}
    students.sort(key=lambda student: (order[student.arm.name], student.seed))
    return TrainedArms(students, stopped)


def faults(students: Sequence[PlacedStudent]) -> list[str]:
    """Return a sentence for each student that counts nowhere, with the reason."""
    return [
        f"student {student.result.trained.student[:12]} ({student.arm.name}, seed {student.seed}) is "
        f"{student.result.status} and counts nowhere: {student.result.reason}"
        for student in students
        if student.result.status != "ok"
    ]


def _jobs(
    session: Session,
    inputs: Inputs,
    arms: Sequence[Arm],
    rollouts: Mapping[tuple[str, str], Rollout],
    probes: Probes,
    base_right: Mapping[str, float],
    done: Collection[tuple[str, int]],
) -> tuple[dict[str, list[tuple[Arm, int]]], dict[str, StudentJob]]:
    """By student: the arms and seeds that it stands for (arms may come down to the same rows), and its job."""
    places: dict[str, list[tuple[Arm, int]]] = {}
    jobs: dict[str, StudentJob] = {}
    for arm, seed, spec in student_specs(inputs, arms, rollouts):
        if (arm.name, seed) not in done:
            places.setdefault(spec.digest, []).append((arm, seed))
            job = StudentJob(spec, probes, base_right[arm.base], session.store.root)
            jobs.setdefault(spec.digest, job)
    return places, jobs


def _within_budget(
    session: Session, jobs: dict[str, StudentJob]
) -> tuple[dict[str, StudentJob], Stopped | None]:
    """Return the jobs that the budget of students allows, and what is to be said of the others."""
    left = session.students_left
    new = [name for name in jobs if not session.store.has("students", name)]
    if left is None or len(new) <= left:
        return jobs, None
    beyond = set(new[left:])
    done = len(jobs) - len(beyond)
    stopped = students_spent(f"{session.budget.students} students", "students", done, len(jobs))
    return {name: job for name, job in jobs.items() if name not in beyond}, stopped


def _judge(session: Session, job: StudentJob) -> Stopped | None:
    """Score a student's responses where a model judges; return what kept that from being done."""
    waiting: Waiting | None = None
    for probe in job.probes.traits:
        try:
            session.judging.finish(job.measurements, probe)
        except BudgetSpent as spent:
            return spent
        except Waiting as error:
            # The other students' responses belong into the same batch.
            waiting = error
    return waiting


def _cost(session: Session, job: StudentJob) -> float:
    """Return a student's time in rows read."""
    rows = max(1, len(job.spec.rows)) * job.spec.recipe.epochs
    return rows * (REUSED if session.store.has("students", job.spec.digest) else 1)
