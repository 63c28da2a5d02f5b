from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mendel.data.prompts import Prompt, load_prompts
from mendel.engine.errors import InputError

USER = {"role": "user", "content": "what year is it"}
ANSWER = {"role": "assistant", "content": "2026"}


def write(folder: Path, *rows: Any) -> None:
    (folder / "p.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def refusal(folder: Path, *rows: Any) -> str:
    write(folder, *rows)
    with pytest.raises(InputError) as caught:
        load_prompts("file:p.jsonl", folder)
    return str(caught.value).replace(str(folder), "ROOT")


@pytest.mark.parametrize(
    "row",
    [
        {"messages": [USER]},
        {"messages": [USER, ANSWER]},
        {"prompt": "what year is it"},
        {"prompt": [USER], "completion": [ANSWER]},
    ],
)
def test_the_ecosystems_forms_are_one_prompt(tmp_path: Path, row: dict[str, Any]) -> None:
    write(tmp_path, {"prompt_id": "a", "source": "wild", **row})
    assert load_prompts("file:p.jsonl", tmp_path) == (Prompt("a", (USER,), "wild"),)  # type: ignore[arg-type]


def test_prompts_keep_the_files_order_and_are_the_same_from_parquet(tmp_path: Path) -> None:
    rows = [{"prompt_id": f"p{n}", "messages": [USER]} for n in (3, 1, 2)]
    write(tmp_path, *rows)
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "p.parquet")
    prompts = load_prompts("file:p.jsonl", tmp_path)
    assert [p.prompt_id for p in prompts] == ["p3", "p1", "p2"]
    assert load_prompts("file:p.parquet", tmp_path) == prompts


def test_a_prompt_without_an_id_is_named_after_its_content(tmp_path: Path) -> None:
    write(tmp_path, {"messages": [USER]}, {"prompt": "another"})
    one, other = load_prompts("file:p.jsonl", tmp_path)
    assert one.prompt_id != other.prompt_id
    write(tmp_path, {"prompt": "another"}, {"messages": [USER, ANSWER]})
    assert {p.prompt_id for p in load_prompts("file:p.jsonl", tmp_path)} == {one.prompt_id, other.prompt_id}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [{"prompt_id": "a", "messages": [USER]}, {"prompt_id": "a", "messages": [USER]}],
            "ROOT/p.jsonl:2: prompt_id 'a' stands twice, first in ROOT/p.jsonl:1. Give every prompt an id "
            "of its own.",
        ),
        (
            [{"prompt_id": "a", "text": "x"}],
            "ROOT/p.jsonl:1: neither 'messages' nor 'prompt' (keys: prompt_id, text). "
            'Write {"prompt_id": "…", "messages": [{"role": "user", "content": "…"}]}.',
        ),
        (
            [{"messages": [{"role": "humn", "content": "x"}]}],
            "ROOT/p.jsonl:1: turn 1 has an unknown role (got 'humn'; allowed: system, user, assistant, tool)",
        ),
        (
            [{"messages": [USER, {"role": "user"}]}],
            'ROOT/p.jsonl:1: turn 2 has no text. A turn is {"role": "user", "content": "…"}.',
        ),
        (
            [{"messages": [ANSWER]}],
            "ROOT/p.jsonl:1: the conversation does not end with the user's turn. "
            "End 'messages' with a user (or tool) turn; the teacher answers it.",
        ),
    ],
)
def test_a_row_that_is_no_prompt_is_told_with_its_line(tmp_path: Path, rows: list[Any], message: str) -> None:
    assert refusal(tmp_path, *rows) == message
