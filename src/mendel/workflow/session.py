"""A session: the store, executor, endpoints, judges and progress of one command."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from types import TracebackType

from mendel.engine.budget import Spent
from mendel.engine.errors import BudgetSpent
from mendel.engine.executors import Executor, default_workers, open_executor
from mendel.engine.progress import NullProgress, Progress
from mendel.engine.store import Store, default_store
from mendel.study import Study
from mendel.study.schema import BudgetConfig
from mendel.workflow.batches import Batch, open_endpoints
from mendel.workflow.judging import Judging


class Session:
    """The store, executor, endpoints, judges and progress of one command; a context manager.

    Every command takes the same keywords and passes them to a session. So all commands behave alike when a
    budget is spent, when they are interrupted, and when they wait for a provider's answers.

    Args:
        study: Gives the number of workers, the `engine` and the budget; None: one local worker, no limits.
        store: Folder of the store; None: the default store.
        executor: Runs the jobs; None: the session opens an executor and closes it.
        budget: Limits of students, hours, dollars, tokens and requests; one that is None stays the study's.
        batch: Batch files for endpoints; None: requests are sent to the endpoints.
        progress: Receives progress events; None: progress is not shown.
    """

    def __init__(
        self,
        study: Study | None = None,
        *,
        store: str | Path | None = None,
        executor: Executor | None = None,
        budget: BudgetConfig | None = None,
        batch: Batch | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.store = Store(Path(store) if store is not None else default_store())
        self.progress: Progress = progress or NullProgress()
        self.budget = limits(study, budget)
        self.began = time.monotonic()
        self.new_students: set[str] = set()
        """Digests of the students that this session trained."""
        self._study, self._executor, self._batch = study, executor, batch or Batch()
        self.own_executor = executor is not None
        """Whether the caller gave the executor, so that the study's `engine` is not used."""
        self._stack = ExitStack()

    def __enter__(self) -> Session:
        self.store.prepare()
        with ExitStack() as stack:
            self.executor: Executor
            if self._executor is None:
                self.executor = stack.enter_context(_open_executor(self._study))
            else:
                self.executor = self._executor
            self.endpoints = stack.enter_context(open_endpoints(self.store, self.budget, self._batch))
            self.judging = Judging(self.store, self.executor, self.endpoints)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            # Do not wait for running jobs: their results are not in the store, and the next command repeats
            # them.
            self.executor.stop()
        self._stack.__exit__(kind, error, trace)

    @property
    def spent(self) -> Spent:
        """What the endpoints have cost until now."""
        return self.endpoints.budget.spent

    @property
    def students_left(self) -> int | None:
        """Number of students that may still be trained; None: no limit."""
        limit = self.budget.students
        return None if limit is None else max(0, limit - len(self.new_students))

    def hours_spent(self) -> bool:
        """Return whether the budget of hours is spent."""
        hours = self.budget.hours
        return hours is not None and time.monotonic() - self.began > hours * 3600


def limits(study: Study | None, budget: BudgetConfig | None) -> BudgetConfig:
    """Return the limits of a command: those of `budget`, and the study's where `budget` names none."""
    named = budget.model_dump(exclude_none=True) if budget else {}
    return (study.config.budget if study else BudgetConfig()).model_copy(update=named)


def students_spent(what: str, key: str, done: int, wanted: int) -> BudgetSpent:
    """Return the error of a budget that ended before all students were trained.

    Args:
        what: The limit in words, such as `40 students`.
        key: The limit's key under the study's `budget`.
        done: Number of finished students.
        wanted: Number of students that were asked for.
    """
    return BudgetSpent(
        f"the budget of {what} is spent: {done} of {wanted} students are done, and what is done is kept",
        fix=f"Run the same command to spend as much again, or raise budget.{key}.",
    )


def workers(study: Study | None) -> int:
    """Return the number of worker processes: the study's, or what suits the machine; 1 without a study."""
    if study is None:
        return 1
    return study.config.workers or default_workers()


def _open_executor(study: Study | None) -> AbstractContextManager[Executor]:
    """Return the executor that a study names by `engine`, as a context manager."""
    if study is None:
        return open_executor("local", 1)
    return open_executor(study.config.engine, workers(study), study.lines.where("engine"))
