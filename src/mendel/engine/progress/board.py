"""The board: a run's state, collected from its progress. The live display and the state file show it."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mendel.engine.progress.events import StudentEvent, TraitSoFar
from mendel.engine.progress.protocol import NullProgress
from mendel.engine.text import one_line

FAILED_SHOWN = 100
"""Limit of failed students that are named. All are counted."""
NAME, REASON = 200, 500
"""Characters of a name and of a reason that are kept: the study's author chose them."""


@dataclass
class Stage:
    """One stage: its cost, how much of the cost is done, and its times."""

    name: str
    cost: float
    began: float
    done: float = 0.0
    label: str = ""
    stepped: float | None = None
    """When the stage's last step ended."""
    ended: float | None = None

    @property
    def share(self) -> float:
        """The share of the stage that is done, 0 to 1."""
        if self.ended is not None:
            return 1.0
        return min(self.done / self.cost, 1.0) if self.cost > 0 else 0.0

    def left(self, now: float) -> float | None:
        """Return the seconds left at the speed so far; None before the first step, and when the estimate has
        run out."""
        if self.ended is not None:
            return 0.0
        if self.stepped is None or self.done <= 0:
            return None
        still = (self.stepped - self.began) * max(self.cost - self.done, 0) / self.done
        left = still - (now - self.stepped)
        # The division overflows while hardly anything is done: then the time is unknown.
        return left if 0 < left < math.inf else None


class Board(NullProgress):
    """Collects a run's progress. Another thread may read it at any time."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.RLock()
        self._began = now()
        self._stages: list[Stage] = []
        self._students: dict[str, StudentEvent] = {}
        self._effects: tuple[TraitSoFar, ...] = ()

    def stage(self, name: str, cost: float) -> None:
        """Begin a stage. The stage before it has ended."""
        with self._lock:
            self._end_stage()
            self._stages.append(Stage(one_line(name, NAME), cost, self._now()))
        self._changed()

    def step(self, cost: float, label: str = "") -> None:
        """Add a step's cost to the current stage."""
        with self._lock:
            if self._stages:
                stage, now = self._stages[-1], self._now()
                stage.done, stage.label, stage.stepped = stage.done + cost, one_line(label, NAME), now
                if stage.done >= stage.cost * (1 - 1e-9):
                    stage.ended = stage.ended or now
        self._changed()

    def student(self, event: StudentEvent) -> None:
        """Keep a student's latest state."""
        arm, reason = one_line(event.arm, NAME), one_line(event.reason, REASON)
        with self._lock:
            self._students[event.student] = StudentEvent(event.student, arm, event.seed, event.status, reason)
        self._changed()

    def effects(self, traits: Sequence[TraitSoFar]) -> None:
        """Keep the latest effects."""
        with self._lock:
            self._effects = tuple(traits)
        self._changed()

    def snapshot(self) -> dict[str, Any]:
        """Return the run's state as a JSON object; `docs/watch.md` describes its keys."""
        with self._lock:
            now = self._now()
            stage = self._stages[-1] if self._stages else None
            left = stage.left(now) if stage else None
            return {
                "stage": stage.name if stage else "",
                "label": stage.label if stage else "",
                "done": round(stage.share, 4) if stage else 0.0,
                "total": 1.0,
                "elapsed": round(now - self._began, 1),
                "left": None if left is None else round(left, 1),
                "stages": [
                    {
                        "name": begun.name,
                        "done": round(begun.share, 4),
                        "seconds": round((now if begun.ended is None else begun.ended) - begun.began, 1),
                    }
                    for begun in self._stages
                ],
                "students": self._counted(),
                "effects": {one_line(effect.trait, NAME): effect.json() for effect in self._effects},
            }

    def _counted(self) -> dict[str, Any]:
        by_status: dict[str, list[StudentEvent]] = {}
        for event in self._students.values():
            by_status.setdefault(event.status, []).append(event)
        failed = [*by_status.get("broken", ()), *by_status.get("failed", ())]
        return {
            "total": len(self._students),
            "done": len(by_status.get("ok", ())),
            "waiting": len(by_status.get("waiting", ())),
            "running": [event.json() for event in by_status.get("running", ())][:FAILED_SHOWN],
            "failed": len(failed),
            "failures": [event.json() for event in failed[:FAILED_SHOWN]],
        }

    def _end_stage(self) -> None:
        if self._stages and self._stages[-1].ended is None:
            self._stages[-1].ended = self._now()

    def _nothing_runs(self) -> None:
        """Set running students to waiting, at the end of a run that was stopped."""
        with self._lock:
            for name, event in self._students.items():
                if event.status == "running":
                    self._students[name] = StudentEvent(name, event.arm, event.seed, "waiting")

    def _changed(self) -> None:
        """Do nothing; subclasses show the change. Called after every change, outside the lock."""
