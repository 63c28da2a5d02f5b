"""The rewriter that a run makes: the alternate teacher's model, where it can be asked; else it is said why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from _mini import PEAS, write_mini_study
from mendel.study import load_study
from mendel.workflow.inputs import Inputs, load_inputs


def inputs_of(folder: Path, **changes: Any) -> Inputs:
    return load_inputs(load_study(write_mini_study(folder, **{"rewriter": "auto", **changes})))


def teachers(alternate: dict[str, Any], **original: Any) -> dict[str, Any]:
    return {"original": {"model": f"hf:{PEAS}/teachers/original", **original}, "alternate": alternate}


ALTERNATE = {"model": f"hf:{PEAS}/teachers/alternate", "max_tokens": 20, "system": "be brief"}


def test_the_alternate_teachers_model_rewrites_under_the_built_in_instruction(tmp_path: Path) -> None:
    inputs = inputs_of(tmp_path, teachers=teachers(ALTERNATE))
    config = inputs.study.config
    assert config.rewriter == "rewriter"
    made = config.teachers["rewriter"]
    assert (made.model, made.max_tokens, made.system) == (ALTERNATE["model"], 20, None)
    assert made.rewrites == "original"
    assert [p.prompt_id for p in inputs.answered_by("rewriter")] == [
        p.prompt_id for p in inputs.prompts["original"]
    ]
    assert "rewriter" not in inputs.lacking["date_confusion"]


def test_the_study_that_is_written_down_names_the_rewriter_and_reads_the_same(tmp_path: Path) -> None:
    first = inputs_of(tmp_path / "a")
    write_mini_study(tmp_path / "b")
    (tmp_path / "b" / "study.yaml").write_text(yaml.safe_dump(first.study.config.model_dump(mode="json")))
    second = load_inputs(load_study(tmp_path / "b" / "study.yaml"))
    assert second.study.config == first.study.config
    assert second.fingerprint == first.fingerprint


def test_a_name_that_is_taken_is_left_alone(tmp_path: Path) -> None:
    own = {**teachers(ALTERNATE), "rewriter": {"model": f"hf:{PEAS}/teachers/original"}}
    config = inputs_of(tmp_path, teachers=own).study.config
    assert config.rewriter == "rewriter_"
    assert config.teachers["rewriter"].rewrites is None


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"rewriter": "none"}, "says 'none'"),
        ({"design": "effects"}, "'effects' tests no cause"),
        (
            {
                "original": {
                    "base": f"hf:{PEAS}/bases/original",
                    "prompts": "file:prompts.jsonl",
                    "teacher": "alternate",
                },
                "alternate": {
                    "base": f"hf:{PEAS}/bases/alternate",
                    "prompts": "file:prompts.jsonl",
                    "teacher": "alternate",
                },
            },
            "one teacher",
        ),
        (
            {"teachers": teachers({"model": f"hf:{PEAS}/teachers/original", "system": "be brief"})},
            "is the original teacher itself",
        ),
    ],
)
def test_where_nobody_rewrites_it_is_said_why(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    inputs = inputs_of(tmp_path, **changes)
    assert inputs.study.config.rewriter is None
    assert says in inputs.lacking["date_confusion"]["rewriter"]
    assert "rewriter" not in inputs.study.config.teachers


def test_finished_rollouts_cannot_be_asked(tmp_path: Path) -> None:
    write_mini_study(tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "prompts.jsonl").read_text().splitlines()]
    done = "\n".join(json.dumps({**row, "completion": "yes"}) for row in rows)
    (tmp_path / "done.jsonl").write_text(done)
    inputs = inputs_of(tmp_path, teachers=teachers({"model": "file:done.jsonl"}))
    assert "cannot be asked to rewrite" in inputs.lacking["date_confusion"]["rewriter"]
