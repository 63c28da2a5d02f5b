"""Progress: what is done, of how much, and how long it will still take; a display on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import IO, TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.progress import Progress as RichDisplay
    from rich.progress import TaskID


class Progress(Protocol):
    """Told of stages and of steps in them; `cost` is any unit that is proportional to the time a step takes."""

    def stage(self, name: str, cost: float) -> None:
        """A stage of so much cost begins."""

    def step(self, cost: float, label: str = "") -> None:
        """Something of that cost is done."""

    def close(self) -> None:
        """Nothing more comes."""


class Silent:
    """Progress for nobody: the default of the Python API."""

    def stage(self, name: str, cost: float) -> None:
        """Ignores it."""

    def step(self, cost: float, label: str = "") -> None:
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

    def stage(self, name: str, cost: float) -> None:
        """Says that a stage begins."""
        self._name, self._cost, self._done, self._steps = name, cost, 0.0, 0
        self._began = self._said = time.monotonic()
        print(f"{name} …", file=self._stream, flush=True)

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
        text = f"{self._name}: {label + ', ' if label else ''}{share:.0f} %, {clock(elapsed)} elapsed, {tail}"
        print(text, file=self._stream, flush=True)


class Display(Silent):
    """A live display on a terminal."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        self._display: RichDisplay = Progress(
            TextColumn("{task.description:<12}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[label]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            speed_estimate_period=600,
        )
        self._task: TaskID | None = None
        self._display.start()

    def stage(self, name: str, cost: float) -> None:
        """A bar of its own."""
        self._task = self._display.add_task(name, total=cost, label="")

    def step(self, cost: float, label: str = "") -> None:
        """Moves the bar."""
        if self._task is not None:
            self._display.update(self._task, advance=cost, label=label)

    def close(self) -> None:
        """Leaves the bars as they are."""
        self._display.stop()


def for_stream(stream: IO[str] | None = None) -> Silent:
    """A live display where the stream is a terminal, plain lines where it is not."""
    chosen = stream or sys.stderr
    return Display() if chosen.isatty() else Lines(chosen)


def clock(seconds: float) -> str:
    """`m:ss`, or `h:mm:ss` from an hour on."""
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, seconds_left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{seconds_left:02}" if hours else f"{minutes}:{seconds_left:02}"
