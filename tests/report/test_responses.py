"""Responses: counted over students that are ok, shown evenly spaced, shortened, whatever bytes they hold."""

from __future__ import annotations

import json

import pyarrow as pa

from mendel.engine.tables import table
from mendel.report._examples import SHOWN, read_responses


def _students(**status: str) -> pa.Table:
    return table(
        "students",
        [{"student": s, "arm": "a", "seed": i, "status": v} for i, (s, v) in enumerate(status.items())],
    )


def _row(student: str, hit: bool | None, response: str = "r", prompt: str = "[]") -> dict[str, object]:
    return {
        "student": student,
        "trait": "t",
        "scenario": response,
        "score": None if hit is None else float(hit),
        "hit": hit,
        "prompt": prompt,
        "response": response,
    }


def test_broken_students_and_unscored_responses_do_not_count() -> None:
    rows = [_row("s", True), _row("s", False), _row("s", None), _row("b", True), _row("x", True)]
    found = read_responses(table("measurements", rows), _students(s="ok", b="broken"))
    assert set(found) == {("t", "a")}
    assert (found["t", "a"].hits, found["t", "a"].total, found["t", "a"].students) == (1, 2, 1)


def test_examples_are_spaced_evenly_over_hits_and_others() -> None:
    rows = [_row("s", i % 2 == 0, f"r{i}") for i in range(60)]
    examples = read_responses(table("measurements", rows), _students(s="ok"))["t", "a"].examples
    assert [e.response for e in examples] == ["r10", "r30", "r50", "r11", "r31", "r51"]
    assert [e.hit for e in examples] == [True] * SHOWN + [False] * SHOWN


def test_conversation_is_shown_by_its_ends() -> None:
    turns = [{"role": "user", "content": f"m{i}"} for i in range(20)]
    (example,) = read_responses(
        table("measurements", [_row("s", True, prompt=json.dumps(turns))]), _students(s="ok")
    )["t", "a"].examples
    assert [t.content for t in example.prompt] == [
        "m0",
        "m1",
        "… (14 more messages)",
        "m16",
        "m17",
        "m18",
        "m19",
    ]


def test_bytes_that_are_no_text_do_not_cost_the_page() -> None:
    measurements = table("measurements", [_row("s", True, prompt="no json")])
    broken = pa.array([b"\xff\xfe caf\xc3"], pa.binary()).view(pa.string())
    measurements = measurements.set_column(measurements.column_names.index("response"), "response", broken)
    (example,) = read_responses(measurements, _students(s="ok"))["t", "a"].examples
    assert "caf" in example.response
    assert example.prompt[0].content == "no json"


def test_tables_that_are_not_there_give_no_examples() -> None:
    assert read_responses(None, None) == {}
    assert read_responses(table("measurements", []), _students(s="ok")) == {}
