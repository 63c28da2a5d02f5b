"""Progress as plain lines, for pipes and CI."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import IO

from mendel.engine.progress.events import TraitSoFar
from mendel.engine.progress.format import clock, number
from mendel.engine.progress.protocol import NullProgress
from mendel.engine.text import one_line

_WIDTH = 80
"""Limit of the characters of a name or label in a line: the study's author chose them."""


class Lines(NullProgress):
    """Progress as plain lines, for pipes and CI.

    Args:
        stream: Where lines are written; None: standard error.
        every: Seconds between two lines of a stage at least. The end of a stage always has a line.
    """

    def __init__(self, stream: IO[str] | None = None, every: float = 5.0) -> None:
        self._stream, self._every = stream or sys.stderr, every
        self._name, self._cost, self._done, self._steps = "", 0.0, 0.0, 0
        self._began = self._said = time.monotonic()
        self._known: tuple[TraitSoFar, ...] = ()

    def stage(self, name: str, cost: float) -> None:
        """Print that a stage begins."""
        self._name, self._cost, self._done, self._steps = one_line(name, _WIDTH), cost, 0.0, 0
        self._began = self._said = time.monotonic()
        print(f"{self._name} …", file=self._stream, flush=True)

    def step(self, cost: float, label: str = "") -> None:
        """Print the stage's share and the time left, if the last line is old enough or the stage is done."""
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
        label = one_line(label, _WIDTH)
        text = f"{self._name}: {label + ', ' if label else ''}{share:.0f} %, {clock(elapsed)} elapsed, {tail}"
        print(text, file=self._stream, flush=True)

    def effects(self, traits: Sequence[TraitSoFar]) -> None:
        """Print each trait's levels in both pipelines and the effect of each part, if they have changed."""
        known, self._known = self._known, tuple(traits)
        for one in traits if self._known != known else ():
            levels = f"original {number(one.original)}, alternate {number(one.alternate)}"
            parts = ", ".join(f"{part} {number(value, '+')}" for part, value in one.effects.items())
            print(f"so far: {one_line(one.trait, _WIDTH)}: {levels}; {parts}", file=self._stream, flush=True)
