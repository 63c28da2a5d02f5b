"""The students of arms: their specifications, and the loop that trains, checks, measures and judges them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mendel.data.rollouts import Rollout
from mendel.design.catalogue import Arm
from mendel.engine.errors import BudgetSpent, RunError, Stopped, Waiting
from mendel.workflow.fleets import train_fleets
from mendel.workflow.inputs import Inputs
from mendel.workflow.jobs import Probes, StudentJob, StudentResult
from mendel.workflow.session import Session, students_spent
from mendel.workflow.tables import PlacedStudent

if TYPE_CHECKING:
    from mendel.train import StudentSpec

log = logging.getLogger(__name__)
REUSED = 0.02
"""Cost of a student from the store, as a share of a new student's: for the estimate of the time left."""


@dataclass(frozen=True)
class TrainedArms:
    """The result of training arms."""

    students: list[PlacedStudent] = field(default_factory=list)
    """In the order of arms and seeds; a student that two arms share is listed twice."""
    stopped: Stopped | None = None
    """The reason why the training ended before all students were done and judged; None: all are."""


def student_specs(
    inputs: Inputs, arms: Sequence[Arm], rollouts: Mapping[tuple[str, str], Rollout]
) -> list[tuple[Arm, int, StudentSpec]]:
    """Return every student of the arms with its arm and seed.

    The first seed of every arm comes first, then the second: a small budget leaves every arm with some
    students.

    Raises:
        RunError: An arm's assignment needs a rollout that no teacher made.
    """
    from mendel.train import StudentSpec, TrainingRow

    rows = {key: TrainingRow(*key, r.messages, r.completion) for key, r in rollouts.items()}
    specs = []
    for position in range(max(len(arm.seeds) for arm in arms)):
        for arm in arms:
            if position >= len(arm.seeds):
                continue
            pairs = arm.assignments[position].pairs
            answered = [(prompt, teacher) for prompt, teacher in pairs if teacher is not None]
            missing = next((pair for pair in answered if pair not in rows), None)
            if missing is not None:
                prompt, teacher = missing
                raise RunError(
                    f"trains on the rollout of {teacher!r} for the prompt {prompt!r}, which does not exist",
                    where=f"arm {arm.name!r}",
                    fix="Correct the arm kind.",
                )
            training_rows = tuple(rows[pair] for pair in answered)
            recipe, seed = arm.recipe or inputs.study.config.recipe, arm.seeds[position]
            specs.append((arm, seed, StudentSpec(inputs.bases[arm.base], training_rows, recipe, seed)))
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
    """Train, check, measure and judge the students of arms; results that the store has are reused.

    The training ends early, after whole fleets, when a budget is spent or answers of a provider are missing.
    Students that fail a check are returned, too, but they are not judged.

    Args:
        session: Store, executor, judges, budget and progress.
        inputs: The study's bases and recipe.
        arms: The arms to train.
        rollouts: By prompt and teacher; all that the arms' assignments name.
        probes: The probes that students are measured on.
        base_right: Share of plain questions that each base answers correctly, by base.
        done: Arm and seed of students that are left out, since the caller has them.
        look: Receives the students until now after each fleet but the last; None: nothing is called.

    Returns:
        The finished students, and the reason if not all of them are finished.

    Raises:
        RunError: A worker was killed, or a student does not fit into memory.
    """
    places, jobs = _jobs(session, inputs, arms, rollouts, probes, base_right, done)
    wanted = len(jobs)
    jobs, stopped = _within_budget(session, jobs)
    cost = {name: _cost(session, job) for name, job in jobs.items()}
    session.progress.stage("students", sum(cost.values()))
    students: list[PlacedStudent] = []
    budget_spent = False
    first = {name: places[name][0] for name in jobs}
    trained = train_fleets(jobs, first, session.executor, session.progress)
    for count, (job, result, last_of_fleet) in enumerate(trained, 1):
        name = job.spec.digest
        students += [PlacedStudent(arm, seed, job.spec.base.ref, result) for arm, seed in places[name]]
        if result.new:
            session.new_students.add(name)
        if result.status == "ok":
            reason = _judge(session, job)
            stopped = reason or stopped
            budget_spent = budget_spent or isinstance(reason, BudgetSpent)
        else:
            _warn(name, *first[name], result)
        session.progress.step(cost[name], f"{count} of {len(jobs)}")
        if not last_of_fleet:
            continue
        if not budget_spent and count < len(jobs):
            if look is not None:
                look(students)
            if session.hours_spent():
                stopped = students_spent(f"{session.budget.hours:g} hours", "hours", count, wanted)
                budget_spent = True
        if budget_spent:
            session.executor.stop()
            break
    order = {arm.name: number for number, arm in enumerate(arms)}
    students.sort(key=lambda student: (order[student.arm.name], student.seed))
    return TrainedArms(students, stopped)


def _warn(name: str, arm: Arm, seed: int, result: StudentResult) -> None:
    """Log why a student is not usable."""
    log.warning("student %s (%s, seed %d) is %s: %s", name[:12], arm.name, seed, result.status, result.reason)


def faults(students: Sequence[PlacedStudent]) -> list[str]:
    """Return a sentence for each student that is left out of all results, with the reason."""
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
    """Return, by student, the arms and seeds that it stands for, and its job.

    Arms with the same rows share a student.
    """
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
    """Return the jobs that the budget of students allows, and the error if it does not allow all."""
    left = session.students_left
    new = [name for name in jobs if not session.store.has("students", name)]
    if left is None or len(new) <= left:
        return jobs, None
    beyond = set(new[left:])
    done = len(jobs) - len(beyond)
    stopped = students_spent(f"{session.budget.students} students", "students", done, len(jobs))
    return {name: job for name, job in jobs.items() if name not in beyond}, stopped


def _judge(session: Session, job: StudentJob) -> Stopped | None:
    """Score a student's responses to traits that a model judges; return the error that kept some unscored."""
    waiting: Waiting | None = None
    for probe in job.probes.traits:
        try:
            session.judging.finish(job.measurements, probe)
        except BudgetSpent as spent:
            return spent
        except Waiting as error:
            # The requests of the other traits and students are added to the same batch.
            waiting = error
    return waiting


def _cost(session: Session, job: StudentJob) -> float:
    """Return a student's cost for progress, in training rows."""
    rows = max(1, len(job.spec.rows)) * job.spec.recipe.epochs
    return rows * (REUSED if session.store.has("students", job.spec.digest) else 1)
