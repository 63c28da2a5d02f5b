"""The state file `progress.json`: a run's state, readable in its folder while it runs and afterwards."""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from mendel.engine.errors import BudgetSpent, MendelError, Waiting
from mendel.engine.progress.board import NAME, REASON, Board
from mendel.engine.store import write_atomic
from mendel.engine.text import one_line

log = logging.getLogger(__name__)
STATE = "progress.json"
EVERY = 1.0
"""Least number of seconds between two writes."""
HEARTBEAT = 10.0
"""Greatest number of seconds between two writes. An older file belongs to a run that was killed."""


class StateFile(Board):
    """Writes the board into a run's folder from a separate thread, so that a slow disk does not slow the run.

    A write that fails never ends the run: there is one warning, and the next write tries again.

    Args:
        folder: The run's folder.
        study: The study's name.
        every: Least number of seconds between two writes.
        heartbeat: Greatest number of seconds between two writes.
    """

    def __init__(self, folder: Path, study: str, every: float = EVERY, heartbeat: float = HEARTBEAT) -> None:
        super().__init__()
        self._path, self._study = folder / STATE, one_line(study, NAME)
        self._every, self._heartbeat = every, heartbeat
        self._status, self._why = "running", ""
        self._started = time.time()
        self._dirty, self._over = threading.Event(), threading.Event()
        self._warned = False
        self._thread = threading.Thread(target=self._follow, name="mendel-state", daemon=True)

    def __enter__(self) -> StateFile:
        self._write()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._dirty.set()
        self._thread.join()
        self._status, self._why = _ending(kind, error)
        with self._lock:
            if kind is None:
                self._end_stage()
        self._nothing_runs()
        self._write()

    def _changed(self) -> None:
        self._dirty.set()

    def _follow(self) -> None:
        while not self._over.is_set():
            self._dirty.wait(self._heartbeat)
            self._dirty.clear()
            if self._over.is_set():
                return
            self._write()
            self._over.wait(self._every)

    def _write(self) -> None:
        try:
            text = json.dumps(self._content(), ensure_ascii=False, allow_nan=False)
            write_atomic(self._path, text + "\n", durable=False)
        except (MendelError, OSError, ValueError, TypeError) as error:
            if not self._warned:
                log.warning("%s cannot be written, so nobody can watch this run: %s", self._path, error)
            self._warned = True

    def _content(self) -> dict[str, Any]:
        return {
            "schema": 1,
            "study": self._study,
            "status": self._status,
            "why": self._why,
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "began": round(self._started, 3),
            "written": round(time.time(), 3),
            **self.snapshot(),
        }


def _ending(kind: type[BaseException] | None, error: BaseException | None) -> tuple[str, str]:
    """Return how the run ended, and the reason."""
    if kind is None:
        return "finished", ""
    why = one_line(str(error), REASON)
    if issubclass(kind, BudgetSpent):
        return "stopped by its budget", why
    if issubclass(kind, Waiting):
        return "waiting", why
    if issubclass(kind, MendelError):
        return "failed", why
    if issubclass(kind, Exception):
        return "failed", one_line(f"{kind.__name__}: {why}", REASON)
    return "interrupted", ""
