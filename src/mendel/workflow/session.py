"""A session: the store, executor, endpoints, judges and progress that a command works with, opened once."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from mendel.engine.budget import Spent
from mendel.engine.errors import BudgetSpent
from mendel.engine.executors import Executor, LocalExecutor, default_workers
from mendel.engine.progress import NullProgress, Progress
from mendel.engine.store import Store, default_store
from mendel.study import Study
from mendel.study.schema import BudgetConfig
from mendel.workflow.batches import Batch, open_endpoints
from mendel.workflow.judging import Judging


class Session:
    """What a command works with. A context manager: what it opened is closed at the end, whatever happens.

    Every command that trains or asks takes the same keywords and hands them to a session, so that all of them
    behave alike when a budget is spent, when they are interrupted, and when a provider's answers are awaited.

    Args:
        study: Its workers, engine and budget hold where nothing else is named; None: one worker, no limit.
        store: The store's folder; None: the default one.
        executor: Where jobs run; None: the session opens one of its own and closes it.
        budget: Limits of students, hours, dollars, tokens and requests, in place of the study's.
        batch: Batch files for endpoints; None: requests are sent.
        progress: Who is told how the command stands; None: nobody.
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
        self.budget = budget or (study.config.budget if study else BudgetConfig())
        self.began = time.monotonic()
        self.new_students: set[str] = set()
        """Digests of the students that this session trained."""
        self._study, self._executor, self._batch = study, executor, batch or Batch()
        self._stack = ExitStack()

    def __enter__(self) -> Session:
        self.store.prepare()
        with ExitStack() as stack:
            self.executor: Executor
            if self._executor is None:
                self.executor = stack.enter_context(open_executor(self._study))
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
            # Nobody waits for what is under way: what a worker is at is not in the store, and is begun anew
            # next time.
            self.executor.stop()
        self._stack.__exit__(kind, error, trace)

    @property
    def spent(self) -> Spent:
        """What the endpoints took so far."""
        return self.endpoints.budget.spent

    @property
    def students_left(self) -> int | None:
        """How many students may still be trained; None: as many as one likes."""
        limit = self.budget.students
        return None if limit is None else max(0, limit - len(self.new_students))

    def hours_spent(self) -> bool:
        """Return whether the session's time is over."""
        hours = self.budget.hours
        return hours is not None and time.monotonic() - self.began > hours * 3600


def students_spent(what: str, key: str, done: int, wanted: int) -> BudgetSpent:
    """Return the error of a budget that ended before all students were trained.

    Args:
        what: The limit as a person would say it, such as `40 students`.
        key: The study's key under `budget`.
        done: Students that are done.
        wanted: Students that were asked for.
    """
    return BudgetSpent(
        f"the budget of {what} is spent: {done} of {wanted} students are done, and partial results are written",
        fix=f"Run the same command to spend as much again, or raise budget.{key}.",
    )


def workers(study: Study | None) -> int:
    """Return the number of worker processes: the study's, else what suits the machine; one without a study."""
    if study is None:
        return 1
    return study.config.workers or default_workers()


def open_executor(study: Study | None) -> LocalExecutor:
    """Return a new executor for a study's jobs, a context manager."""
    return LocalExecutor(workers(study))
