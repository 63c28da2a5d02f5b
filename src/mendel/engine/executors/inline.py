"""Jobs one after another in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from mendel.engine.executors.registry import Job, Result


class InlineExecutor:
    """Jobs one after another in this process: for a worker that runs whole studies itself."""

    threads = 1

    def map(self, function: Callable[[Job], Result], jobs: Sequence[Job]) -> Iterator[tuple[Job, Result]]:
        """Each job with its result, in order."""
        return ((job, function(job)) for job in jobs)

    def stop(self) -> None:
        """Nothing is under way between two jobs."""
