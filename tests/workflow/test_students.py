"""The loop that trains, checks, measures and judges arms: budgets, batches, order, resuming."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mendel.data.assignment import Assignment
from mendel.data.prompts import Message
from mendel.data.rollouts import Rollout
from mendel.diagnose import Arm
from mendel.engine.errors import BudgetSpent, Waiting
from mendel.engine.executors import InlineExecutor
from mendel.study.schema import BudgetConfig, RecipeConfig
from mendel.workflow import students as loop
from mendel.workflow.session import Session
from mendel.workflow.students import TrainedArms, train_arms
from mendel.workflow.tables import PlacedStudent

PROMPTS = ("p", "q")


class Watched(InlineExecutor):
    """An executor that counts how often it was stopped."""

    stopped = 0

    def stop(self) -> None:
        self.stopped += 1


def arm(name: str, teacher: str = "original", seeds: tuple[int, ...] = (0, 1)) -> Arm:
    assignment = Assignment(tuple((prompt, teacher) for prompt in PROMPTS))
    return Arm(name, name, "original", "original", (assignment,) * len(seeds), seeds)


def rollouts() -> dict[tuple[str, str], Rollout]:
    messages = (Message(role="user", content="x"),)
    return {
        (prompt, teacher): Rollout(prompt, teacher, messages, f"{teacher} says", "stop", 3)
        for prompt in PROMPTS
        for teacher in ("original", "alternate")
    }


def train(
    folder: Path,
    arms: list[Arm],
    budget: BudgetConfig | None = None,
    statuses: Mapping[int, str] | None = None,
    judge: Any = None,
    late: bool = False,
    **options: Any,
) -> tuple[TrainedArms, Session, list[str]]:
    """Train arms with students that are made at once; `statuses` by place, two students a fleet."""
    statuses = statuses or {}
    yielded: list[str] = []

    def train_fleets(jobs: Any, places: Any, executor: Any, progress: Any) -> Iterator[tuple[Any, Any, bool]]:
        for place, (name, job) in enumerate(jobs.items()):
            yielded.append(name)
            trained = SimpleNamespace(student=name)
            status = statuses.get(place, "ok")
            result = SimpleNamespace(trained=trained, new=True, status=status, reason="why", health=None)
            if late:
                session.began -= 3600
            yield job, result, place % 2 == 1 or place == len(jobs) - 1

    base = SimpleNamespace(ref="hf:base", digest="base")
    study = SimpleNamespace(config=SimpleNamespace(recipe=RecipeConfig(method="lora")))
    inputs: Any = SimpleNamespace(bases={"original": base}, study=study)
    probes: Any = SimpleNamespace(traits=(SimpleNamespace(name="t"),), seed=0)
    session = Session(store=folder, executor=Watched(), budget=budget)
    with pytest.MonkeyPatch.context() as patch, session:
        patch.setattr(loop, "train_fleets", train_fleets)
        patch.setattr(session.judging, "finish", judge or (lambda *_: None))
        trained = train_arms(session, inputs, arms, rollouts(), probes, {"original": 1.0}, **options)
    return trained, session, yielded


def places(students: list[PlacedStudent]) -> list[tuple[str, int]]:
    return [(student.arm.name, student.seed) for student in students]


def test_students_come_in_the_arms_order_whatever_order_they_were_trained_in(tmp_path: Path) -> None:
    trained, session, _ = train(tmp_path, [arm("b"), arm("a", "alternate")])
    assert places(trained.students) == [("b", 0), ("b", 1), ("a", 0), ("a", 1)]
    assert trained.stopped is None
    assert len(session.new_students) == 4


def test_arms_that_come_down_to_the_same_rows_share_a_student_and_both_have_it(tmp_path: Path) -> None:
    trained, session, yielded = train(tmp_path, [arm("one"), arm("other")])
    assert places(trained.students) == [("one", 0), ("one", 1), ("other", 0), ("other", 1)]
    assert len(yielded) == len(session.new_students) == 2


@given(st.integers(0, 6))
def test_a_budget_of_students_trains_just_so_many_and_whole_seeds_first(
    tmp_path_factory: pytest.TempPathFactory, allowed: int
) -> None:
    arms = [arm("a"), arm("b", "alternate")]
    budget = BudgetConfig(students=allowed) if allowed else BudgetConfig(students=1)
    trained, session, yielded = train(tmp_path_factory.mktemp("store"), arms, budget)
    assert len(yielded) == min(4, budget.students or 0) == len(session.new_students)
    assert isinstance(trained.stopped, BudgetSpent) == (len(yielded) < 4)
    if trained.stopped is not None:
        assert f"{len(yielded)} of 4 students are done" in str(trained.stopped)
    by_seed = sorted(places(trained.students), key=lambda place: place[1])
    assert by_seed == [("a", 0), ("b", 0), ("a", 1), ("b", 1)][: len(yielded)]


def test_a_spent_budget_of_dollars_ends_after_a_whole_fleet_and_keeps_what_is_done(tmp_path: Path) -> None:
    def judge(*_: Any) -> None:
        raise BudgetSpent("no dollars")

    trained, session, yielded = train(tmp_path, [arm("a"), arm("b", "alternate")], judge=judge)
    assert len(yielded) == len(trained.students) == 2
    assert isinstance(trained.stopped, BudgetSpent)
    assert session.executor.stopped == 1  # type: ignore[attr-defined]


def test_a_batch_is_awaited_with_the_requests_of_all_students_in_it(tmp_path: Path) -> None:
    def judge(*_: Any) -> None:
        raise Waiting("requests are written")

    trained, session, yielded = train(tmp_path, [arm("a"), arm("b", "alternate")], judge=judge)
    assert len(yielded) == 4
    assert isinstance(trained.stopped, Waiting)
    assert session.executor.stopped == 0  # type: ignore[attr-defined]


def test_time_that_is_over_ends_after_a_whole_fleet(tmp_path: Path) -> None:
    arms = [arm("a"), arm("b", "alternate")]
    trained, _, yielded = train(tmp_path, arms, BudgetConfig(hours=0.5), late=True)
    assert len(yielded) == 2
    assert "the budget of 0.5 hours is spent: 2 of 4 students are done" in str(trained.stopped)


def test_a_broken_student_is_returned_and_judged_on_nothing(tmp_path: Path) -> None:
    judged: list[str] = []
    trained, _, _ = train(
        tmp_path,
        [arm("a")],
        statuses={0: "broken"},
        judge=lambda measurements, _: judged.append(measurements.model),
    )
    assert [student.result.status for student in trained.students] == ["broken", "ok"]
    assert judged == [trained.students[1].result.trained.student]
    broken = trained.students[0].result.trained.student[:12]
    assert loop.faults(trained.students) == [
        f"student {broken} (a, seed 0) is broken and counts nowhere: why"
    ]


def test_what_is_there_already_is_left_out_and_others_are_looked_at_after_each_fleet_but_the_last(
    tmp_path: Path,
) -> None:
    looks: list[int] = []
    trained, _, _ = train(
        tmp_path,
        [arm("a", seeds=(0, 1, 2)), arm("b", "alternate", seeds=(0, 1, 2))],
        done={("a", 0)},
        look=lambda students: looks.append(len(students)),
    )
    assert ("a", 0) not in places(trained.students)
    assert len(trained.students) == 5
    assert looks == [2, 4]
