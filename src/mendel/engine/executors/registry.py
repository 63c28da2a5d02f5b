"""What an executor is: where jobs run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")


class Executor(Protocol):
    """Where jobs run."""

    @property
    def threads(self) -> int:
        """Threads of one job."""

    def map(self, function: Callable[[Job], Result], jobs: Sequence[Job]) -> Iterator[tuple[Job, Result]]:
        """Each job with its result, as they end."""

    def stop(self) -> None:
        """Ends what is under way."""


def at_once(pool: Executor) -> int:
    """How many jobs the pool works at side by side; it takes them in the order in which it is given them."""
    return max(1, int(getattr(pool, "workers", 1)))
