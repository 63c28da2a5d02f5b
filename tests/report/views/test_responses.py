"""Responses: counted over students that are ok, packed within a budget, evenly over scenarios, whatever
bytes they hold."""

from __future__ import annotations

import base64
import gzip
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mendel.engine.text import clean
from mendel.report.views import transcripts as transcripts
from mendel.report.views.reading import read_page_folder
from mendel.report.views.responses import count_responses
from mendel.report.views.sampling import order_of_need
from mendel.results.tables import table, write_table


def _students(**status: str) -> pa.Table:
    return table(
        "students",
        [{"student": s, "arm": "a", "seed": i, "status": v} for i, (s, v) in enumerate(status.items())],
    )


def _row(student: str, hit: bool | None, response: str = "r", **more: Any) -> dict[str, Any]:
    return {
        "student": student,
        "trait": "t",
        "scenario": response,
        "score": None if hit is None else float(hit),
        "hit": hit,
        "prompt": "[]",
        "response": response,
        **more,
    }


def _packed(folder: Path, measurements: pa.Table, students: pa.Table) -> tuple[dict[str, Any], Any]:
    write_table(folder / "measurements.parquet", measurements)
    write_table(folder / "students.parquet", students)
    run = read_page_folder(folder)
    found = transcripts.pack_transcripts(
        run, count_responses(run.tables["measurements"], run.tables["students"])
    )
    return (json.loads(gzip.decompress(base64.b64decode(found.packed))) if found.packed else {}), found


def test_broken_students_and_unscored_responses_do_not_count(tmp_path: Path) -> None:
    rows = [_row("s", True), _row("s", False), _row("s", None), _row("b", True), _row("x", True)]
    students = _students(s="ok", b="broken")
    found = count_responses(table("measurements", rows), students).by_key
    assert set(found) == {("t", "a")}
    assert (found["t", "a"].hits, found["t", "a"].total, found["t", "a"].students) == (1, 2, 1)
    content, packed = _packed(tmp_path, table("measurements", rows), students)
    assert content["groups"] == [[0, 0, 1, 2, 1]]
    assert (packed.held, packed.total) == (2, 2)


def _wide(arms: Sequence[str], scenarios: int, samples: int) -> tuple[pa.Table, pa.Table]:
    """Responses that do not compress, a tenth of them hits, on the same scenarios for each arm."""
    rng = np.random.default_rng(3)
    rows = [
        _row(
            arm, bool(rng.random() < 0.1), rng.bytes(120).hex(), scenario=f"c{i}", sample=k, judge="j", turn=1
        )
        for arm in arms
        for i in range(scenarios)
        for k in range(samples)
    ]
    students = [{"student": arm, "arm": arm, "seed": 0, "status": "ok"} for arm in arms]
    return table("measurements", rows), table("students", students)


def test_a_sample_keeps_the_budget_and_something_of_each_arm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcripts, "BUDGET", 60_000)
    arms = ["cube/OOO", "cube/AAA", "drop/t", "base/original", "teacher/original", "drop/other"]
    measurements, students = _wide(arms, scenarios=50, samples=4)
    content, packed = _packed(tmp_path, measurements, students)
    assert len(packed.packed) <= 60_000
    assert packed.held == len(content["rows"]["group"]) < packed.total == 1200
    held = Counter(content["arms"][content["groups"][g][1]][0] for g in content["rows"]["group"])
    assert set(held) == set(arms)
    # The cube and the trait's own edit are what the verdict rests on; the drop of another trait is not.
    assert min(held[arm] for arm in arms[:3]) > 2 * max(held[arm] for arm in arms[3:])
    # Counts are of all rows, hits are more frequent in the sample than in the run.
    assert sum(group[3] for group in content["groups"]) == 1200
    assert np.mean(content["rows"]["hit"]) > sum(group[2] for group in content["groups"]) / 1200


def test_arms_of_a_sample_share_their_scenarios() -> None:
    measurements, students = _wide(["cube/OOO", "cube/AAA"], scenarios=200, samples=2)
    counted = count_responses(measurements, students)
    scenario = np.array([int(name[1:]) for name in measurements["scenario"].to_pylist()])
    first = order_of_need(counted, scenario[counted.row], [1, 1])[:160]
    sides = [set(scenario[counted.row][first][counted.group[first] == g].tolist()) for g in (0, 1)]
    assert len(sides[0] & sides[1]) > 25
    # No scenario comes a second time before each has come once, among hits and among others.
    others = first[~counted.hit[first]]
    pairs = list(zip(counted.group[others].tolist(), scenario[counted.row][others].tolist(), strict=True))
    assert len(pairs) == len(set(pairs))
    assert np.ptp(sorted(sides[0])) > 190


def test_responses_are_shortened_only_where_the_budget_asks_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [_row("s", i % 2 == 0, f"{i} " + "ab" * 4000, scenario=f"c{i}") for i in range(6)]
    content, _ = _packed(tmp_path, table("measurements", rows), _students(s="ok"))
    assert {len(text) for text in content["rows"]["response"]} == {4000}
    assert set(content["rows"]["more"]) == {4002}
    long = [
        _row("s", i % 2 == 0, np.random.default_rng(i).bytes(2000).hex(), scenario=f"c{i}") for i in range(40)
    ]
    monkeypatch.setattr(transcripts, "BUDGET", 14_000)
    content, packed = _packed(tmp_path, table("measurements", long), _students(s="ok"))
    assert len(packed.packed) <= 14_000
    assert packed.held >= 8
    lengths = {len(text) + more for text, more in zip(*_texts(content), strict=True)}
    assert lengths == {4000}
    assert max(len(text) for text in content["rows"]["response"]) < 4000


def _texts(content: dict[str, Any]) -> tuple[list[str], list[int]]:
    return content["rows"]["response"], content["rows"]["more"]


def test_conversation_is_held_by_its_ends(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": f"m{i}"} for i in range(20)]
    content, _ = _packed(
        tmp_path, table("measurements", [_row("s", True, prompt=json.dumps(turns))]), _students(s="ok")
    )
    (prompt,) = content["prompts"]
    assert [text for _, text, _ in prompt] == [
        "m0",
        "m1",
        "(14 more messages)",
        "m16",
        "m17",
        "m18",
        "m19",
    ]


def test_bytes_that_are_no_text_do_not_cost_the_page(tmp_path: Path) -> None:
    measurements = table("measurements", [_row("s", True, prompt='no json "\\ud800')])
    for column in ("response", "judge", "scenario", "quote"):
        broken = pa.array([b"\xff\xfe caf\xc3"], pa.binary()).view(pa.string())
        measurements = measurements.set_column(measurements.column_names.index(column), column, broken)
    content, _ = _packed(tmp_path, measurements, _students(s="ok"))
    assert content["rows"]["response"] == ["�� caf�"]
    assert content["prompts"][0][0][:2] == ["prompt", clean('no json "\\ud800')]


def test_rows_come_back_in_order_over_row_groups_and_batches(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    rows = [_row(f"s{i % 3}", i % 7 == 0, f"r{i}", scenario=f"c{i % 5}", sample=i) for i in range(20_000)]
    students = table(
        "students",
        [{"student": f"s{i}", "arm": f"arm{i}", "seed": 10 + i, "status": "ok"} for i in range(3)],
    )
    write_table(tmp_path / "students.parquet", students)
    pq.write_table(table("measurements", rows), tmp_path / "measurements.parquet", row_group_size=7000)
    run = read_page_folder(tmp_path)
    counted = count_responses(run.tables["measurements"], run.tables["students"])
    found = transcripts.pack_transcripts(run, counted)
    content = json.loads(gzip.decompress(base64.b64decode(found.packed)))
    held = content["rows"]
    for k in range(0, found.held, 97):
        i = held["sample"][k]
        student, seed = content["students"][held["student"][k]]
        assert held["response"][k] == f"r{i}"
        assert (student, seed) == (f"s{i % 3}", str(10 + i % 3))
        assert content["scenarios"][held["scenario"][k]] == f"c{i % 5}"
        assert held["hit"][k] == (i % 7 == 0)
        assert content["arms"][content["groups"][held["group"][k]][1]][0] == f"arm{i % 3}"


def test_columns_that_are_not_there_are_not_needed(tmp_path: Path) -> None:
    few = table("measurements", [_row("s", True)]).select(["student", "trait", "scenario", "score", "hit"])
    content, packed = _packed(tmp_path, few, _students(s="ok"))
    assert not packed.packed
    assert packed.problem
    few = table("measurements", [_row("s", True)]).select([*few.column_names, "response"])
    content, _ = _packed(tmp_path, few, _students(s="ok"))
    assert content["rows"]["response"] == ["r"]


def test_tables_that_are_not_there_give_no_responses(tmp_path: Path) -> None:
    assert count_responses(None, None).by_key == {}
    assert count_responses(table("measurements", []), _students(s="ok")).by_key == {}
