"""Where the time goes: spans of every process of a run, as a trace that Perfetto, chrome://tracing and speedscope open."""

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
"""The environment variable with the folder in which processes leave their spans: workers have it from who started them."""


@contextlib.contextmanager
def span(name: str, **about: object) -> Iterator[None]:
    """Notes how long the block took, under `name`, where somebody traces; else it costs next to nothing."""
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
        # Appended line by line: a worker that is ended loses none of what it did.
        with Path(folder, f"{os.getpid()}.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(event) + "\n")


@contextlib.contextmanager
def traced(file: Path | None) -> Iterator[None]:
    """Traces the block and all processes that it starts, and writes `file` (Trace Event Format, JSON) at its end; None: does not."""
    if file is None:
        yield
        return
    write_atomic(
        file, json.dumps({"traceEvents": []})
    )  # where that is not possible, it is said before anything is done
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
    """What the processes left there, in the order in which the spans began."""
    events = []
    for file in sorted(folder.glob("*.jsonl")):
        for line in file.read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(ValueError):  # the last one of a process that was killed
                events.append(json.loads(line))
    return sorted(events, key=lambda event: event["ts"])


def own_seconds(events: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Seconds by name, without what lies in spans within: what is summed here is counted once."""
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
