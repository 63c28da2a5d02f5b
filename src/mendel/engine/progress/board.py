"""The board: how a run stands, put together from what it tells; a display and the state file show it."""

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
"""Failed students that are named; all are counted."""
NAME, REASON = 200, 500
"""Characters of a name and of a reason that are kept: both may come from whoever wrote the study."""


@dataclass
class Stage:
    """One stage: how much of its cost is done, since when, and how long it took."""

    name: str
    cost: float
    began: float
    done: float = 0.0
    label: str = ""
    stepped: float | None = None
    """When its last step ended."""
    ended: float | None = None

    @property
    def share(self) -> float:
        """What is done of it, 0 to 1."""
        if self.ended is not None:
            return 1.0
        return min(self.done / self.cost, 1.0) if self.cost > 0 else 0.0

    def left(self, now: float) -> float | None:
        """Seconds that are left at the speed so far; None before the first step, and when they have passed in vain."""
        if self.ended is not None:
            return 0.0
        if self.stepped is None or self.done <= 0:
            return None
        still = (self.stepped - self.began) * max(self.cost - self.done, 0) / self.done
        left = still - (now - self.stepped)
        # What is done can be so little that the division overflows: then nothing is known yet.
        return left if 0 < left < math.inf else None


class Board(NullProgress):
    """Puts together what it is told; safe to be read from another thread."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.RLock()
        self._began = now()
        self._stages: list[Stage] = []
        self._students: dict[str, StudentEvent] = {}
        self._effects: tuple[TraitSoFar, ...] = ()

    def stage(self, name: str, cost: float) -> None:
        """A stage begins, so the one before it has ended."""
        with self._lock:
            self._end_stage()
            self._stages.append(Stage(one_line(name, NAME), cost, self._now()))
        self._changed()

    def step(self, cost: float, label: str = "") -> None:
        """Counts it."""
        with self._lock:
            if self._stages:
                stage, now = self._stages[-1], self._now()
                stage.done, stage.label, stage.stepped = stage.done + cost, one_line(label, NAME), now
                if stage.done >= stage.cost * (1 - 1e-9):
                    stage.ended = stage.ended or now
        self._changed()

    def student(self, event: StudentEvent) -> None:
        """Remembers how the student stands."""
        arm, reason = one_line(event.arm, NAME), one_line(event.reason, REASON)
        with self._lock:
            self._students[event.student] = StudentEvent(event.student, arm, event.seed, event.status, reason)
        self._changed()

    def effects(self, traits: Sequence[TraitSoFar]) -> None:
        """Remembers what is known now."""
        with self._lock:
            self._effects = tuple(traits)
        self._changed()

    def snapshot(self) -> dict[str, Any]:
        """How all of it stands, as JSON; see `docs/watch.md`."""
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
                        "name": one.name,
                        "done": round(one.share, 4),
                        "seconds": round((now if one.ended is None else one.ended) - one.began, 1),
                    }
                    for one in self._stages
                ],
                "students": self._counted(),
                "effects": {one_line(one.trait, NAME): one.json() for one in self._effects},
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
        """After a run's end: who was being trained then has to be trained another time."""
        with self._lock:
            for name, event in self._students.items():
                if event.status == "running":
                    self._students[name] = StudentEvent(name, event.arm, event.seed, "waiting")

    def _changed(self) -> None:
        """Called after every change, outside the lock."""
