"""Traces: the spans of every process of a run, in a file that Perfetto, chrome://tracing and speedscope
open."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mendel.engine.store import write_atomic

FOLDER = "MENDEL_TRACE"
"""Environment variable: the folder where processes write their spans. Workers inherit it."""


@contextlib.contextmanager
def span(name: str, **about: object) -> Iterator[None]:
    """Context manager: record how long the block takes, if the run is traced.

    Args:
        name: The span's name.
        **about: Details that the trace shows beside the span, as texts.
    """
    folder = os.environ.get(FOLDER)
    if not folder:
        yield
        return
    began = time.time_ns()
    try:
        yield
    finally:
        event = {
            "name": name,
            "ph": "X",
            "pid": os.getpid(),
            "tid": threading.get_native_id(),
            "ts": began / 1000,
            "dur": (time.time_ns() - began) / 1000,
            "args": {key: str(value) for key, value in about.items()},
        }
        # Appended line by line, so that a worker that is killed loses none of its finished spans.
        with Path(folder, f"{os.getpid()}.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(event) + "\n")


@contextlib.contextmanager
def traced(file: Path | None) -> Iterator[None]:
    """Context manager: trace the block and all processes that it starts.

    Args:
        file: The file to write at the end of the block (Trace Event Format, JSON). None: nothing is traced.

    Raises:
        InputError: The file cannot be written.
        RunError: The disk is full.
    """
    if file is None:
        yield
        return
    # A file that cannot be written is an error before the block begins.
    write_atomic(file, json.dumps({"traceEvents": []}))
    with tempfile.TemporaryDirectory(prefix="mendel-trace-") as folder:
        before = os.environ.get(FOLDER)
        os.environ[FOLDER] = folder
        try:
            with span("run"):
                yield
        finally:
            if before is None:
                del os.environ[FOLDER]
            else:
                os.environ[FOLDER] = before
            write_atomic(file, json.dumps({"traceEvents": read_spans(Path(folder))}))


def read_spans(folder: Path) -> list[dict[str, Any]]:
    """Return the spans that processes left in a folder, in the order in which they began."""
    events = []
    for file in sorted(folder.glob("*.jsonl")):
        for line in file.read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(ValueError):  # The last line of a process that was killed.
                events.append(json.loads(line))
    return sorted(events, key=lambda event: event["ts"])


def own_seconds(events: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return the seconds of spans by name, without the seconds of the spans within them, so that no second
    counts twice."""
    total: dict[str, float] = defaultdict(float)
    open_: dict[tuple[int, int], list[dict[str, Any]]] = defaultdict(list)
    for event in sorted(events, key=lambda event: (event["ts"], -event["dur"])):
        within = open_[event["pid"], event["tid"]]
        while within and within[-1]["ts"] + within[-1]["dur"] <= event["ts"]:
            within.pop()
        if within:
            total[within[-1]["name"]] -= event["dur"] / 1e6
        total[event["name"]] += event["dur"] / 1e6
        within.append(event)
    return dict(total)
