"""Progress: what is done, of how much, and how long it will still take; a display on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import IO, Protocol

from mendel.engine.events import Interval, StudentEvent, TraitSoFar
from mendel.engine.text import one_line

_WIDTH = 80
"""Characters of a name or label in a line: they may come from whoever wrote the study."""


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


class Silent:
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

    def __enter__(self) -> Silent:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Lines(Silent):
    """Plain lines, at most one every `every` seconds and one at each stage's end: for pipes and CI."""

    def __init__(self, stream: IO[str] | None = None, every: float = 5.0) -> None:
        self._stream, self._every = stream or sys.stderr, every
        self._name, self._cost, self._done, self._steps = "", 0.0, 0.0, 0
        self._began = self._said = time.monotonic()
        self._known: tuple[TraitSoFar, ...] = ()

    def stage(self, name: str, cost: float) -> None:
        """Says that a stage begins."""
        self._name, self._cost, self._done, self._steps = one_line(name, _WIDTH), cost, 0.0, 0
        self._began = self._said = time.monotonic()
        print(f"{self._name} …", file=self._stream, flush=True)

    def step(self, cost: float, label: str = "") -> None:
        """Says how far the stage is, and the time left, if the last line is old enough or the stage is done."""
        self._done += cost
        self._steps += 1
        now = time.monotonic()
        finished = self._done >= self._cost * (1 - 1e-9)
        if not finished and now - self._said < self._every:
            return
        self._said = now
        elapsed = now - self._began
        left = elapsed * max(self._cost - self._done, 0) / self._done if self._done else 0.0
        share = 100 * min(self._done / self._cost, 1) if self._cost else 100
        tail = "done" if finished else f"{clock(left)} left"
        said = one_line(label, _WIDTH)
        text = f"{self._name}: {said + ', ' if said else ''}{share:.0f} %, {clock(elapsed)} elapsed, {tail}"
        print(text, file=self._stream, flush=True)

    def effects(self, traits: Sequence[TraitSoFar]) -> None:
        """A line a trait, where something is new: its level in both pipelines and what each part does."""
        known, self._known = self._known, tuple(traits)
        for one in traits if self._known != known else ():
            levels = f"original {number(one.original)}, alternate {number(one.alternate)}"
            parts = ", ".join(f"{part} {number(value, '+')}" for part, value in one.effects.items())
            print(f"so far: {one_line(one.trait, _WIDTH)}: {levels}; {parts}", file=self._stream, flush=True)


class Tee(Silent):
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


def for_stream(stream: IO[str] | None = None) -> Silent:
    """A live display where the stream is a terminal, plain lines where it is not."""
    chosen = stream or sys.stderr
    if not chosen.isatty():
        return Lines(chosen)
    from mendel.engine.display import Display

    return Display()


def clock(seconds: float) -> str:
    """`m:ss`, or `h:mm:ss` from an hour on."""
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, seconds_left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{seconds_left:02}" if hours else f"{minutes}:{seconds_left:02}"


def number(value: Interval, sign: str = "") -> str:
    """`0.93 [0.88, 0.97]`, or `?` where it is not known; with the sign `+`, of a difference."""
    if value.estimate is None:
        return "?"
    # No sign on a zero, and never a minus zero.
    texts = [
        "?" if x is None else "0.00" if round(x, 2) == 0 else format(x, f"{sign}.2f")
        for x in (value.estimate, value.low, value.high)
    ]
    return f"{texts[0]} [{texts[1]}, {texts[2]}]"
