from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mendel.data.records import read_records
from mendel.engine.errors import InputError

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
ROW = st.fixed_dictionaries(
    {
        "prompt_id": TEXT,
        "messages": st.lists(st.fixed_dictionaries({"role": TEXT, "content": TEXT}), min_size=1),
    }
)


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refusal(ref: str, root: Path) -> str:
    with pytest.raises(InputError) as caught:
        list(read_records(ref, root))
    return str(caught.value).replace(str(root), "ROOT")


@settings(max_examples=30, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=8))
def test_the_same_rows_come_from_jsonl_and_parquet(rows: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        write(root / "a.jsonl", "\n".join(json.dumps(row) for row in rows))
        pq.write_table(pa.Table.from_pylist(rows), root / "a.parquet")
        from_lines, from_parquet = (
            list(read_records(f"file:a.{kind}", root)) for kind in ("jsonl", "parquet")
        )
    assert [r.row for r in from_lines] == [r.row for r in from_parquet] == rows
    assert [r.where for r in from_lines] == [f"{root}/a.jsonl:{n}" for n in range(1, len(rows) + 1)]
    assert [r.where for r in from_parquet] == [f"{root}/a.parquet row {n}" for n in range(1, len(rows) + 1)]


def test_blank_lines_count_but_are_no_rows_and_a_byte_order_mark_is_none(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", b'\xef\xbb\xbf{"a": 1}\n\n  \r\n{"a": 2}\r\n')
    assert [(r.row, r.where[-2:]) for r in read_records("file:a.jsonl", tmp_path)] == [
        ({"a": 1}, ":1"),
        ({"a": 2}, ":4"),
    ]


def test_a_file_is_streamed_so_a_bad_last_line_does_not_hide_the_first(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", '{"a": 1}\n{"a": 2}\nnonsense\n')
    assert [r.row["a"] for r in islice(read_records("file:a.jsonl", tmp_path), 2)] == [1, 2]


def test_an_absolute_path_is_not_taken_below_the_root(tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", '{"a": 1}')
    assert next(read_records(f"file:{file}", Path("elsewhere"))).row == {"a": 1}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            '{"a": 1}\n{"a": 1,}\n',
            "ROOT/a.jsonl:2: no valid JSON: Illegal trailing comma before end of object, at column 8. "
            "Write one whole JSON object a line.",
        ),
        ("[1, 2]\n", "ROOT/a.jsonl:1: an array, not an object. Write one JSON object a line."),
        ("7\n", "ROOT/a.jsonl:1: a number, not an object. Write one JSON object a line."),
        (
            b'{"a": 1}\n{"a": "caf\xe9"}\n',
            "ROOT/a.jsonl:2: no valid UTF-8 at byte 11 of the line (0xe9). Save the file as UTF-8.",
        ),
        ('{"a": "\\ud83d"}\n', "ROOT/a.jsonl:1: the text holds half of a surrogate pair (\\ud…). Remove it."),
        ("", "ROOT/a.jsonl: no rows in it. It needs one row at least."),
        (" \n\n", "ROOT/a.jsonl: no rows in it. It needs one row at least."),
        ("[" * 100_000, "ROOT/a.jsonl:1: the JSON is nested too deeply. Write a flat object."),
    ],
)
def test_a_bad_line_is_refused_with_file_and_line(tmp_path: Path, content: str | bytes, message: str) -> None:
    write(tmp_path / "a.jsonl", content)
    said = refusal("file:a.jsonl", tmp_path)
    if "trailing comma" in message and sys.version_info < (3, 13):
        message = message.replace(
            "Illegal trailing comma before end of object, at column 8",
            "Expecting property name enclosed in double quotes, at column 9",
        )
    assert said == message


def test_a_whole_emoji_written_as_a_surrogate_pair_is_read(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", '{"a": "\\ud83d\\ude00"}')
    assert next(read_records("file:a.jsonl", tmp_path)).row == {"a": "😀"}


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        (
            "fil:a.jsonl",
            "unknown scheme 'fil' (got 'fil:a.jsonl'; allowed: file:PATH, dataset:NAME). Did you mean "
            "'file'?",
        ),
        (
            "prompts.jsonl",
            "no scheme in the reference (got 'prompts.jsonl'; allowed: file:PATH, dataset:NAME). "
            "Write file:prompts.jsonl.",
        ),
        ("file:prompt.jsonl", "ROOT/prompt.jsonl: no such file. Did you mean 'prompts.jsonl'?"),
        (
            "file:none/a.jsonl",
            "ROOT/none/a.jsonl: no such file. There is no folder ROOT/none either; paths start at the "
            "study's folder.",
        ),
        ("file:sub", "ROOT/sub: a folder, not a file. Name a file in it, such as file:sub/inner.jsonl."),
        (
            "file:a.csv",
            "ROOT/a.csv: unknown kind of file (got '.csv'; allowed: .jsonl, .parquet). "
            "Write one JSON object a line, and name the file .jsonl.",
        ),
    ],
)
def test_a_bad_reference_says_what_to_write_instead(tmp_path: Path, ref: str, message: str) -> None:
    write(tmp_path / "prompts.jsonl", "{}")
    write(tmp_path / "a.csv", "a,b")
    (tmp_path / "sub").mkdir()
    write(tmp_path / "sub" / "inner.jsonl", "{}")
    assert refusal(ref, tmp_path) == message


def test_a_parquet_file_that_is_none_or_holds_no_rows_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", "no parquet")
    pq.write_table(pa.table({"a": pa.array([], pa.string())}), tmp_path / "b.parquet")
    assert refusal("file:a.parquet", tmp_path).startswith("ROOT/a.parquet: no readable Parquet file: ")
    assert refusal("file:b.parquet", tmp_path) == "ROOT/b.parquet: no rows in it. It needs one row at least."


@pytest.fixture
def data_sets(tmp_path: Path) -> Path:
    import datasets

    datasets.disable_progress_bars()
    rows = [{"prompt_id": "p", "messages": [{"role": "user", "content": "hi"}], "source": None}]
    one = datasets.Dataset.from_list(rows)
    one.save_to_disk(str(tmp_path / "saved"))
    other = datasets.Dataset.from_list([{**rows[0], "prompt_id": "q"}])
    datasets.DatasetDict({"train": one, "test": other}).save_to_disk(str(tmp_path / "splits"))
    (tmp_path / "folder").mkdir()
    write(tmp_path / "folder" / "train.jsonl", json.dumps(rows[0]))
    (tmp_path / "nothing").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("ref", "prompt_id"),
    [("saved", "p"), ("splits", "p"), ("splits:test", "q"), ("folder", "p"), ("folder:train", "p")],
)
def test_a_data_set_on_the_disk_gives_its_rows(data_sets: Path, ref: str, prompt_id: str) -> None:
    (record,) = read_records(f"dataset:{ref}", data_sets)
    assert record.row["prompt_id"] == prompt_id
    assert [dict(turn) for turn in record.row["messages"]] == [{"role": "user", "content": "hi"}]
    assert record.where == f"dataset:{ref} row 1"


def test_a_data_set_on_the_disk_that_cannot_serve_is_refused(data_sets: Path) -> None:
    assert refusal("dataset:splits:tst", data_sets) == (
        "dataset:ROOT/splits: no split 'tst' (allowed: train, test). Did you mean 'test'?"
    )
    assert refusal("dataset:saved:train", data_sets) == (
        "dataset:ROOT/saved: the data set has no splits (got 'train'). Leave the split out."
    )
    assert refusal("dataset:nothing", data_sets).startswith(
        "dataset:ROOT/nothing: the folder holds no data set that can be read: "
    )
    assert refusal("file:saved", data_sets) == (
        "ROOT/saved: a folder, not a file. It was saved by Hugging Face datasets: write dataset:saved."
    )


def test_an_unreachable_hub_says_so_and_what_to_write_instead(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from mendel.data.records import read_records\n"
        "try: read_records('dataset:someone/something', Path('here'))\n"
        "except Exception as error: print(error)"
    )
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout.strip() == (
        "dataset:someone/something: the hub cannot be reached, and there is no folder "
        "here/someone/something: "
        "Couldn't reach 'someone/something' on the Hub (OfflineModeIsEnabled). Fetch it where there is a "
        "network, with "
        "save_to_disk(FOLDER), and write dataset:FOLDER; or write file:PATH.jsonl."
    )
