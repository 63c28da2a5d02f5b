"""The state of a run, read from its folder: the state file, or, without one, verdicts and students."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mendel.engine.errors import InputError
from mendel.engine.interval import as_float
from mendel.engine.progress.board import NAME, REASON
from mendel.engine.progress.events import TraitSoFar
from mendel.engine.progress.state import HEARTBEAT, STATE
from mendel.engine.text import one_line
from mendel.results.records import as_dict, as_list, as_text

LARGEST = 8_000_000
"""Bytes of a file that are read: a state file is a few kilobytes."""
LOST_AFTER = 6 * HEARTBEAT
"""Seconds without a write after which a run is taken to be dead."""
TRAITS_SHOWN, FAILURES_SHOWN, STAGES_SHOWN = 200, 100, 50
ENDED = ("finished", "interrupted", "stopped by its budget", "waiting", "failed")


def require_run(folder: Path) -> None:
    """Check that a folder holds something that a run wrote.

    Args:
        folder: The folder.

    Raises:
        InputError: The folder is missing, or holds nothing of a run.
    """
    if not folder.is_dir():
        raise InputError("no such folder", where=str(folder), fix="Give the folder of a run.")
    if not any((folder / name).is_file() for name in ("manifest.json", STATE, "verdicts.json")):
        raise InputError("no run in this folder", where=str(folder), fix="Give the folder of a run.")


def read_state(folder: Path, now: float | None = None) -> dict[str, Any]:
    """Return the state of a run.

    Args:
        folder: The run's folder.
        now: The time of the state, in seconds since 1970; None: now.

    Returns:
        The state, checked and made inert. It has the same keys whatever is in the files; a file that cannot
        be read counts as missing.
    """
    content = _json(folder / STATE)
    state = _from_file(content, time.time() if now is None else now) if content else _from_results(folder)
    return {
        **state,
        "report": (folder / "report.html").is_file(),
        "searchable": all((folder / f"{name}.parquet").is_file() for name in ("measurements", "students")),
    }


def _from_file(content: Mapping[str, Any], now: float) -> dict[str, Any]:
    status = as_text(content.get("status"))
    age = max(0.0, now - (as_float(content.get("written")) or 0.0))
    running = status not in ENDED
    gone = running and _is_gone(content)
    lost = gone or (running and age > LOST_AFTER)
    reason = one_line(as_text(content.get("why")), REASON)
    passed = age if running and not lost else 0.0
    elapsed, left = as_float(content.get("elapsed")) or 0.0, as_float(content.get("left"))
    students = as_dict(content.get("students"))
    return {
        "study": _name(content.get("study")),
        "status": "lost" if lost else "running" if running else status,
        "why": reason
        if not lost
        else "its process has ended"
        if gone
        else "it was killed or suspended, or cannot write",
        "age": round(age, 1),
        "stage": _name(content.get("stage")),
        "label": _name(content.get("label")),
        "done": _share(content.get("done")),
        "elapsed": round(max(0.0, elapsed) + passed, 1),
        "left": None if left is None or not running or lost or left < passed else round(left - passed, 1),
        "stages": [
            {"name": _name(as_dict(stage).get("name")), "done": _share(as_dict(stage).get("done"))}
            for stage in as_list(content.get("stages"))[:STAGES_SHOWN]
        ],
        "students": {
            **{key: _count(students.get(key)) for key in ("total", "done", "waiting", "failed")},
            "running": [] if lost else _students(students.get("running")),
            "failures": _students(students.get("failures")),
        },
        "effects": _effects(content.get("effects")),
    }


def _from_results(folder: Path) -> dict[str, Any]:
    """Return the state of a run without a state file: one that has just begun, or one of an older version."""
    verdicts, manifest = _json(folder / "verdicts.json"), _json(folder / "manifest.json")
    done = manifest.get("complete") is True
    rows = _student_rows(folder / "students.parquet") if verdicts else []
    failures = [row for row in rows if row.get("status") != "ok"]
    return {
        "study": _name(verdicts.get("study")),
        "status": "finished" if done and verdicts else "stopped" if verdicts else "not begun",
        "why": "",
        "age": 0.0,
        "stage": "",
        "label": "",
        "done": 1.0 if done else 0.0,
        "elapsed": max(0.0, as_float(verdicts.get("wall_seconds")) or 0.0),
        "left": None,
        "stages": [],
        "students": {
            "total": len(rows),
            "done": len(rows) - len(failures),
            "waiting": 0,
            "failed": len(failures),
            "running": [],
            "failures": _students(failures),
        },
        "effects": _effects(verdicts.get("traits")),
    }


def _student_rows(file: Path) -> list[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file) as opened:
            table = opened.read(["student", "arm", "seed", "status", "reason", "n_examples"])
    except (OSError, pa.ArrowException):
        return []
    rows: list[dict[str, Any]] = table.filter(pc.greater(table["n_examples"], 0)).to_pylist()
    return rows


def _students(rows: object) -> list[dict[str, Any]]:
    return [
        {
            "student": _name(row.get("student")),
            "arm": _name(row.get("arm")),
            "seed": _count(row.get("seed")),
            "status": _name(row.get("status")),
            "reason": one_line(as_text(row.get("reason")), REASON),
        }
        for row in map(as_dict, as_list(rows)[:FAILURES_SHOWN])
    ]


def _effects(traits: object) -> list[dict[str, Any]]:
    """Return a list, since a page must not depend on what the keys of an object are called."""
    shown = list(as_dict(traits).items())[:TRAITS_SHOWN]
    read = [TraitSoFar.read(_name(name), verdict) for name, verdict in shown]
    return [
        {"trait": trait.trait, **trait.json(), "carrier": _name(trait.carrier), "state": _name(trait.state)}
        for trait in read
    ]


def _is_gone(content: Mapping[str, Any]) -> bool:
    """Return whether the process is known to have ended: it was one of this machine, and is not there."""
    pid = content.get("pid")
    if content.get("host") != socket.gethostname() or not isinstance(pid, int) or not 0 < pid < 2**31:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        pass
    return False


def _json(file: Path) -> Mapping[str, Any]:
    try:
        with file.open("rb") as opened:
            text = opened.read(LARGEST + 1)
        return as_dict(json.loads(text)) if len(text) <= LARGEST else {}
    except (OSError, ValueError, RecursionError):
        return {}


def _name(value: object) -> str:
    return one_line(as_text(value), NAME)


def _share(value: object) -> float:
    return min(max(as_float(value) or 0.0, 0.0), 1.0)


def _count(value: object) -> int:
    return min(max(int(as_float(value) or 0), 0), 10**9)
