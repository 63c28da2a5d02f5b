"""A session opens what a command works with, and closes it whatever happens."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import mendel
from mendel.engine.executors import InlineExecutor
from mendel.engine.progress import NullProgress
from mendel.study import load_study
from mendel.study.schema import BudgetConfig
from mendel.workflow.batches import Batch
from mendel.workflow.session import Session


class Watched(InlineExecutor):
    """An executor of a user's own that counts how often it was stopped."""

    stopped = 0

    def stop(self) -> None:
        self.stopped += 1


def test_a_users_executor_is_stopped_by_an_error_and_left_alone_without_one(tmp_path: Path) -> None:
    executor = Watched()
    with Session(store=tmp_path, executor=executor) as session:
        assert session.executor is executor
    assert executor.stopped == 0
    with pytest.raises(KeyboardInterrupt), Session(store=tmp_path, executor=executor):
        raise KeyboardInterrupt
    assert executor.stopped == 1


def test_workers_of_its_own_end_with_an_error(tmp_path: Path) -> None:
    session = Session(store=tmp_path)
    with pytest.raises(RuntimeError, match="mine"), session:
        processes = [pid for _, pid in session.executor.map(_process, [0])]
        raise RuntimeError("mine")
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in processes) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(Path(f"/proc/{pid}").exists() for pid in processes)


def _process(_: int) -> int:
    import os

    return os.getpid()


def test_a_store_that_cannot_be_written_is_said_before_anything_is_opened(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    opened: list[str] = []

    class Never(InlineExecutor):
        def map(self, function: Callable[[Any], Any], jobs: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
            opened.append("map")
            return super().map(function, jobs)

    with pytest.raises(mendel.InputError, match="Name another folder with --store"):
        Session(store=tmp_path / "file", executor=Never()).__enter__()
    assert opened == []


def test_answers_of_a_batch_that_are_not_there_leave_nothing_open(tmp_path: Path) -> None:
    with pytest.raises(mendel.InputError, match=r"answers\.jsonl"):
        Session(store=tmp_path, batch=Batch(read=tmp_path / "answers.jsonl")).__enter__()


def test_a_named_budget_holds_in_place_of_the_studys() -> None:
    study = load_study("peas")
    assert Session(study).budget == study.config.budget
    named = BudgetConfig(students=3, hours=1.0)
    session = Session(study, budget=named)
    assert session.budget == named
    assert session.students_left == 3
    session.new_students.update({"a", "b"})
    assert session.students_left == 1
    session.new_students.update({"c", "d"})
    assert session.students_left == 0
    assert not session.hours_spent()
    session.began -= 3601
    assert session.hours_spent()


def test_a_limit_that_is_not_named_stays_the_studys() -> None:
    study = load_study("peas")
    config = study.config.model_copy(update={"budget": BudgetConfig(requests=7, dollars=2.0)})
    session = Session(replace(study, config=config), budget=BudgetConfig(dollars=1.0))
    assert (session.budget.requests, session.budget.dollars) == (7, 1.0)


def test_nothing_is_limited_where_nobody_names_a_limit() -> None:
    session = Session()
    assert session.students_left is None
    assert not session.hours_spent()
    assert isinstance(session.progress, NullProgress)
