"""An executor: where jobs run. The study key `engine` names one."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

from mendel.engine.registry import Registry, callable_with

Job = TypeVar("Job")
Result = TypeVar("Result")


class Executor(Protocol):
    """Where jobs run.

    An executor may have an attribute `workers`: how many jobs it runs at the same time (1 without it). An
    executor that is a context manager is entered before its first job and left at the end of the command.
    """

    @property
    def threads(self) -> int:
        """CPU threads that one job may use."""

    def map(self, function: Callable[[Job], Result], jobs: Sequence[Job]) -> Iterator[tuple[Job, Result]]:
        """Run a function on every job and yield each job with its result, in the order in which jobs end.

        Function, jobs and results can be pickled. A job reads its inputs from the store's folder and writes
        its results there, so that a worker needs the same folder. Jobs do not send requests to endpoints.

        Args:
            function: A function of one job.
            jobs: The jobs, in the order in which they should start.

        Raises:
            Exception: What a job raises. Jobs that have not begun are then not started.
        """

    def stop(self) -> None:
        """End the jobs that are running, at once. The store keeps finished work; unfinished work is done
        again."""


ExecutorFactory = Callable[[int], Executor]
"""A function from the number of workers (the study's `workers`, or what suits this machine) to an
executor."""

executors: Registry[ExecutorFactory] = Registry("executor", check=callable_with("workers"))
executor = executors.register
"""Decorator: `@executor("name")` registers a function (or class) that makes an executor of a number of
workers."""


@contextlib.contextmanager
def open_executor(name: str, workers: int, where: str | None = None) -> Iterator[Executor]:
    """Context manager: the executor of that name, which is stopped where the block raises.

    Args:
        name: The name of a registered executor, as in the study key `engine`.
        workers: Number of jobs to run at the same time.
        where: The place in the user's input that names the executor, for messages.

    Raises:
        InputError: There is no such executor, or what is registered makes no executor.
    """
    made = executors.call(name, workers, where=where, needs=("threads", "map", "stop"))
    if isinstance(made, contextlib.AbstractContextManager):
        with made as entered:
            yield entered
        return
    try:
        yield made
    except BaseException:
        made.stop()
        raise


def at_once(executor: Executor) -> int:
    """Return how many jobs the executor runs at the same time; it starts jobs in the order in which they are
    given."""
    return max(1, int(getattr(executor, "workers", 1)))
