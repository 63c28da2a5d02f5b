"""The search against a plain filter in Python and Arrow, and what DuckDB must not be able to do."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from _made_run import HOSTILE
from hypothesis import given
from hypothesis import strategies as st

from mendel.engine.text import clean
from mendel.report.live import ResponseFiles, ResponseQuery, SearchError
from mendel.report.live.search import TEXT
from mendel.results.tables import read_table, table, write_table

INJECTIONS = (
    "' or 1=1 --",
    "'; drop table m; --",
    "\\' union select * from read_csv('/etc/passwd') --",
    "$query",
    "$1",
    "?",
    "); copy (select 1) to '/tmp/x'; --",
    "{query}",
    "%s",
)
TEXTS = (
    "", " ", "100%", "100_percent", "a%b", "a_b", "aXb", "O'Brien said \"no\"", "back\\slash", "nul\x00byte", "\x00",
    "GROSS und klein", "ÄÖÜ äöü ß", "ΣΑΣ σας", "İstanbul I ı", "日本語テキスト", "🙂🙃", "e\u0301 é", "line\nbreak\ttab",
    "%", "_", "%%", "__", "*", ".*", "[a-z]", *INJECTIONS, *HOSTILE,
)  # fmt: skip
TRAITS, ARMS = ("date_confusion", "it's % odd_"), ("cube/OOO", "drop/a'b", None)


def rows() -> list[dict[str, Any]]:
    made = []
    for number, text in enumerate(TEXTS * 3):
        made.append(
            {
                "student": f"s{number % 3}",
                "trait": TRAITS[number % 2],
                "scenario": f"scenario-{number}",
                "sample": number % 4,
                "turn": 1,
                "score": [None, 0.0, 0.25, 0.5, 1.0, float("nan")][number % 6],
                "hit": [None, True, False][number % 3 if number % 5 else 1],
                "prompt": f"prompt {number}",
                "response": None if number % 41 == 40 else text,
            }
        )
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("responses")
    students = [{"student": f"s{i}", "arm": arm} for i, arm in enumerate(ARMS) if arm is not None]
    write_table(path / "measurements.parquet", table("measurements", rows()))
    write_table(path / "students.parquet", table("students", students))
    return path


@pytest.fixture(scope="module")
def responses(folder: Path) -> ResponseFiles:
    return ResponseFiles(folder)


def filtered(folder: Path, search: ResponseQuery) -> list[str]:
    """The scenarios that match, by Arrow alone."""
    measured, students = read_table(folder / "measurements.parquet"), read_table(folder / "students.parquet")
    arm_of = dict(zip(students["student"].to_pylist(), students["arm"].to_pylist(), strict=True))
    keep = pa.chunked_array([[True] * measured.num_rows])
    if search.query:
        lower = pc.utf8_lower(pa.scalar(search.query)).as_py()
        keep = pc.and_(keep, pc.match_substring(pc.utf8_lower(measured["response"]), lower))
    if search.trait:
        keep = pc.and_(keep, pc.equal(measured["trait"], search.trait))
    if search.arm:
        of = pa.chunked_array(
            [[arm_of.get(student) == search.arm for student in measured["student"].to_pylist()]]
        )
        keep = pc.and_(keep, of)
    if search.hit is not None:
        keep = pc.and_(keep, pc.equal(measured["hit"], search.hit))
    if search.min_score is not None:
        # Not a number is no score.
        keep = pc.and_(
            keep,
            pc.and_(
                pc.invert(pc.is_nan(measured["score"])), pc.greater_equal(measured["score"], search.min_score)
            ),
        )
    found: list[str] = measured.filter(pc.fill_null(keep, False))["scenario"].to_pylist()
    return found


def all_of(responses: ResponseFiles, search: ResponseQuery) -> list[str]:
    found = responses.find(search)
    assert len(found["rows"]) == min(search.limit, max(0, found["total"] - search.offset))
    return [row["scenario"] for row in found["rows"]]


@pytest.mark.parametrize("text", [*TEXTS, "gross", "KLEIN", "äÖ", "σασ", "SCRIPT", "o'brien", "no such text"])
def test_a_search_finds_what_a_plain_filter_finds(responses: ResponseFiles, folder: Path, text: str) -> None:
    search = ResponseQuery(query=text, limit=200)
    found = all_of(responses, search)
    assert found == filtered(folder, search)
    if text in TEXTS:
        assert found


@given(
    st.builds(
        ResponseQuery,
        query=st.sampled_from(["", "a", "%", "_", "'", "\x00", "ä", "script"]) | st.text(max_size=3).filter(lambda t: not any("\ud800" <= c <= "\udfff" for c in t)),
        trait=st.sampled_from(["", *TRAITS, "none such", INJECTIONS[0]]),
        arm=st.sampled_from(["", "cube/OOO", "drop/a'b", INJECTIONS[0]]),
        hit=st.sampled_from([None, True, False]),
        min_score=st.sampled_from([None, 0.0, 0.25, 0.3, 2.0]),
        limit=st.just(200),
    )
)  # fmt: skip
def test_filters_together_find_what_a_plain_filter_finds(
    responses: ResponseFiles, folder: Path, search: ResponseQuery
) -> None:
    assert all_of(responses, search) == filtered(folder, search)


def test_pages_are_the_whole_in_the_order_of_the_file(responses: ResponseFiles, folder: Path) -> None:
    whole = filtered(folder, ResponseQuery())
    paged = [
        s
        for offset in range(0, len(whole), 7)
        for s in all_of(responses, ResponseQuery(offset=offset, limit=7))
    ]
    assert paged == whole
    beyond = responses.find(ResponseQuery(offset=10_000))
    assert (beyond["total"], beyond["rows"]) == (len(whole), [])


def test_traits_and_arms_are_named(responses: ResponseFiles) -> None:
    found = responses.find(ResponseQuery(limit=1))
    assert found["traits"] == sorted(TRAITS)
    assert found["arms"] == ["cube/OOO", "drop/a'b"]


def test_what_is_shown_is_inert(responses: ResponseFiles) -> None:
    for row in responses.find(ResponseQuery(limit=200))["rows"]:
        if row["response"] is not None:
            assert row["response"] == clean(row["response"])
        assert row["score"] is None or row["score"] == row["score"]


def long_run(folder: Path, response: str) -> ResponseFiles:
    row = {"student": "s", "trait": "t", "scenario": "x", "score": 0.0, "hit": False, "prompt": "p" * 5000}
    write_table(folder / "measurements.parquet", table("measurements", [{**row, "response": response}]))
    write_table(folder / "students.parquet", table("students", [{"student": "s", "arm": "a"}]))
    return ResponseFiles(folder)


def test_a_long_response_is_shown_around_its_match(tmp_path: Path) -> None:
    responses = long_run(tmp_path, "x" * 9000 + "Needle" + "y" * 9000)
    (row,) = responses.find(ResponseQuery(query="nEEDLE"))["rows"]
    assert "Needle" in row["response"]
    assert len(row["response"]) == TEXT
    assert row["cut_before"] + TEXT + row["cut_after"] == 18_006
    assert (len(row["prompt"]), row["prompt_cut"]) == (TEXT, 3000)
    (row,) = responses.find(ResponseQuery())["rows"]
    assert (row["cut_before"], row["cut_after"], row["response"]) == (0, 16_006, "x" * TEXT)


def test_a_run_that_is_written_anew_is_searched_anew(tmp_path: Path) -> None:
    responses = long_run(tmp_path, "one")
    assert responses.find(ResponseQuery(query="one"))["total"] == 1
    long_run(tmp_path, "another")
    assert responses.find(ResponseQuery(query="one"))["total"] == 0
    assert responses.find(ResponseQuery(query="another"))["total"] == 1


def test_no_tables_and_broken_tables_are_said(tmp_path: Path) -> None:
    with pytest.raises(SearchError, match="when the run has written its tables"):
        ResponseFiles(tmp_path).find(ResponseQuery())
    for name in ("measurements", "students"):
        (tmp_path / f"{name}.parquet").write_bytes(b"PAR1 no Parquet at all")
    with pytest.raises(SearchError, match="cannot be read"):
        ResponseFiles(tmp_path).find(ResponseQuery())


@pytest.mark.parametrize("name", ["it's", "a[1]", "ü {x} ?", "semi;colon", "100%"])
def test_folders_may_be_called_anything(folder: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(folder, tmp_path / name)
    assert ResponseFiles(tmp_path / name).find(ResponseQuery(limit=1))["total"] == len(rows())


@pytest.mark.parametrize(
    "statement",
    [
        "select * from read_csv('/etc/passwd')",
        "select * from read_text('/etc/passwd')",
        "select * from read_parquet('{folder}/other.parquet')",
        "select * from read_parquet('https://127.0.0.1:9/x.parquet')",
        "select * from glob('/etc/*')",
        "copy (select 1) to '{folder}/out.csv'",
        "copy (select 1) to '{folder}/students.parquet'",
        "attach '{folder}/x.db'",
        "install httpfs",
        "load httpfs",
        "set enable_external_access = true",
        "set allowed_paths = ['/etc/passwd']",
        "set threads = 64",
        "set memory_limit = '100GB'",
        "set autoload_known_extensions = true",
    ],
)
def test_the_database_reads_two_files_and_does_nothing_else(folder: Path, statement: str) -> None:
    import duckdb

    responses = ResponseFiles(folder)
    responses.find(ResponseQuery(limit=1))
    before = {file.name: file.stat().st_mtime_ns for file in folder.iterdir()}
    assert responses._opened is not None
    with pytest.raises(duckdb.Error):
        responses._opened.execute(statement.format(folder=folder))
    assert {file.name: file.stat().st_mtime_ns for file in folder.iterdir()} == before
    responses.close()
    with pytest.raises(SearchError, match="being closed"):
        responses.find(ResponseQuery())
