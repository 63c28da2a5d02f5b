"""The inline executor: jobs one after another in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from mendel.engine.executors.registry import Job, Result, executor


class InlineExecutor:
    """Runs jobs one after another in this process: for tests, and for a worker that runs whole studies
    itself."""

    threads = 1

    def map(self, function: Callable[[Job], Result], jobs: Sequence[Job]) -> Iterator[tuple[Job, Result]]:
        """Run a function on every job and yield each job with its result, in the given order."""
        return ((job, function(job)) for job in jobs)

    def stop(self) -> None:
        """Do nothing: no job runs while another function of this process is called."""


@executor("inline")
def inline(workers: int) -> InlineExecutor:
    """Return an executor that runs one job at a time, whatever the number of workers."""
    return InlineExecutor()
