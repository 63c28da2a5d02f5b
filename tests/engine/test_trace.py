"""Traces hold what every process did, and sums count a second once."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mendel.engine.errors import MendelError
from mendel.engine.executors import LocalExecutor
from mendel.engine.trace import FOLDER, own_seconds, read_spans, span, traced


def nap(seconds: float) -> int:
    with span("nap", of=seconds):
        time.sleep(seconds)
    return os.getpid()


def test_a_trace_holds_the_spans_of_all_processes_in_the_format_that_viewers_read(tmp_path: Path) -> None:
    with traced(tmp_path / "trace.json"), span("outside", kind="a"), LocalExecutor(2) as executor:
        workers = {pid for _, pid in executor.map(nap, [0.05, 0.05, 0.05])}
    assert FOLDER not in os.environ
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    assert {event["name"] for event in events} == {"run", "outside", "nap"}
    assert {event["pid"] for event in events if event["name"] == "nap"} == workers
    for event in events:
        assert event["ph"] == "X"
        assert event["dur"] > 0
        assert event.keys() == {"name", "ph", "pid", "tid", "ts", "dur", "args"}
    naps = [event for event in events if event["name"] == "nap"]
    assert len(naps) == 3
    assert all(event["dur"] >= 0.05e6 for event in naps)
    whole = next(event for event in events if event["name"] == "run")
    assert all(
        whole["ts"] <= event["ts"] + event["dur"] <= whole["ts"] + whole["dur"] + 1e3 for event in naps
    )


def test_without_a_trace_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FOLDER, raising=False)
    with traced(None), span("unseen"):
        assert FOLDER not in os.environ
    assert list(tmp_path.iterdir()) == []


def test_what_fails_is_traced_too(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), traced(tmp_path / "t.json"), span("failing"):
        raise RuntimeError
    names = [event["name"] for event in json.loads((tmp_path / "t.json").read_text())["traceEvents"]]
    assert sorted(names) == ["failing", "run"]


def test_a_line_that_a_killed_process_left_half_written_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "1.jsonl").write_text('{"name": "a", "ts": 2, "dur": 1}\n{"name": "b", "ts": 3, "d')
    assert [event["name"] for event in read_spans(tmp_path)] == ["a"]


def test_a_place_that_cannot_be_written_is_said_before_anything_is_done(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MendelError), traced(tmp_path / "file" / "trace.json"):
        pytest.fail("it was begun")


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 5)), min_size=1, max_size=20))
def test_seconds_within_are_not_counted_twice(parts: list[tuple[int, int]]) -> None:
    """One span over all of them, and each of them with one inside."""
    events, at = [], 0
    for length, inside in parts:
        inside = min(inside, length)
        events.append({"name": "part", "pid": 1, "tid": 1, "ts": at, "dur": length})
        if inside:
            events.append({"name": "inner", "pid": 1, "tid": 1, "ts": at, "dur": inside})
        at += length
    events.append({"name": "all", "pid": 1, "tid": 1, "ts": 0, "dur": at + 7})
    seconds = own_seconds(events)
    assert seconds["all"] == pytest.approx(7e-6)
    assert sum(seconds.values()) == pytest.approx((at + 7) * 1e-6)
    assert seconds.get("inner", 0.0) == pytest.approx(sum(min(i, n) for n, i in parts) * 1e-6)
