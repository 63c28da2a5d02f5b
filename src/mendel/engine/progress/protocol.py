"""The progress protocol, a progress that ignores everything, and one for several listeners."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Protocol

from mendel.engine.progress.events import StudentEvent, TraitSoFar


class Progress(Protocol):
    """Follows a command through its stages. A `cost` is in any unit that is proportional to time."""

    def stage(self, name: str, cost: float) -> None:
        """Begin a stage with a total cost."""

    def step(self, cost: float, label: str = "") -> None:
        """Add a finished step of that cost, with a label."""

    def student(self, event: StudentEvent) -> None:
        """Take a student's new state: waiting, running or done."""

    def effects(self, traits: Sequence[TraitSoFar]) -> None:
        """Take what is known of all traits now, after each round of students and sometimes within a round."""

    def close(self) -> None:
        """End: nothing more follows."""


class NullProgress:
    """Progress that ignores everything: the default of the Python API."""

    def stage(self, name: str, cost: float) -> None:
        """Do nothing."""

    def step(self, cost: float, label: str = "") -> None:
        """Do nothing."""

    def student(self, event: StudentEvent) -> None:
        """Do nothing."""

    def effects(self, traits: Sequence[TraitSoFar]) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""

    def __enter__(self) -> NullProgress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Tee(NullProgress):
    """Passes progress on to several listeners.

    Args:
        *listeners: The listeners, in the order in which they are called and closed.
    """

    def __init__(self, *listeners: Progress) -> None:
        self._listeners = listeners

    def stage(self, name: str, cost: float) -> None:
        """Pass it on to all listeners."""
        for listener in self._listeners:
            listener.stage(name, cost)

    def step(self, cost: float, label: str = "") -> None:
        """Pass it on to all listeners."""
        for listener in self._listeners:
            listener.step(cost, label)

    def student(self, event: StudentEvent) -> None:
        """Pass it on to all listeners."""
        for listener in self._listeners:
            listener.student(event)

    def effects(self, traits: Sequence[TraitSoFar]) -> None:
        """Pass it on to all listeners."""
        for listener in self._listeners:
            listener.effects(traits)

    def close(self) -> None:
        """Pass it on to all listeners."""
        for listener in self._listeners:
            listener.close()
