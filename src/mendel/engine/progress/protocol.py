"""Who is told how a command stands: the protocol, nobody, and several listeners at once."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Protocol

from mendel.engine.progress.events import StudentEvent, TraitSoFar


class Progress(Protocol):
    """Told of stages and of steps in them; `cost` is any unit that is proportional to the time a step takes."""

    def stage(self, name: str, cost: float) -> None:
        """A stage of so much cost begins."""

    def step(self, cost: float, label: str = "") -> None:
        """Something of that cost is done."""

    def student(self, event: StudentEvent) -> None:
        """A student waits, is being trained, or is done."""

    def effects(self, traits: Sequence[TraitSoFar]) -> None:
        """What is known of all traits now; told after each round of students, and now and then within one."""

    def close(self) -> None:
        """Nothing more comes."""


class NullProgress:
    """Progress for nobody: the default of the Python API."""

    def stage(self, name: str, cost: float) -> None:
        """Ignores it."""

    def step(self, cost: float, label: str = "") -> None:
        """Ignores it."""

    def student(self, event: StudentEvent) -> None:
        """Ignores it."""

    def effects(self, traits: Sequence[TraitSoFar]) -> None:
        """Ignores it."""

    def close(self) -> None:
        """Ignores it."""

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
    """Tells several of the same; who is told last closes last."""

    def __init__(self, *told: Progress) -> None:
        self._told = told

    def stage(self, name: str, cost: float) -> None:
        """Passes it on."""
        for one in self._told:
            one.stage(name, cost)

    def step(self, cost: float, label: str = "") -> None:
        """Passes it on."""
        for one in self._told:
            one.step(cost, label)

    def student(self, event: StudentEvent) -> None:
        """Passes it on."""
        for one in self._told:
            one.student(event)

    def effects(self, traits: Sequence[TraitSoFar]) -> None:
        """Passes it on."""
        for one in self._told:
            one.effects(traits)

    def close(self) -> None:
        """Passes it on."""
        for one in self._told:
            one.close()
