from __future__ import annotations

import json
from pathlib import Path

import pytest

from _inspect_tasks import Scripted, answers, task_of
from _tiny import make_checkpoint
from mendel.engine.errors import InputError
from mendel.measure.inspect_tasks import InspectConfig
from mendel.models.local.chat import LocalChat

pytest.importorskip("inspect_ai")


def test_a_grader_answers_the_tasks_scorer(tasks: Path, tmp_path: Path) -> None:
    student, grader = Scripted("who is it"), Scripted("yes")
    table = answers(
        student, task_of(tasks, "graded", metric="verdict"), tmp_path, score=True, task_grader=grader
    )
    assert table["task_score"].to_pylist() == [1.0] * 6
    assert [len(batch) for batch in grader.asked] == [6]
    assert (grader.sampled[0].temperature, grader.sampled[0].max_tokens) == (0.0, 1024)
    assert {row["response"] for row in table.to_pylist()} == {"who is it"}


def test_a_scorer_without_its_grader_is_refused(tasks: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="asks a model, and none is named"):
        answers(Scripted(), task_of(tasks, "graded"), tmp_path, score=True)
    answers(Scripted(), task_of(tasks, "graded"), tmp_path)


def test_of_several_values_one_must_be_named(tasks: Path, tmp_path: Path) -> None:
    for metric, says in ((None, "several values"), ("lenght", "no 'lenght'")):
        with pytest.raises(InputError, match=f"{says}.*length, verdict"):
            task = task_of(tasks, "graded", metric=metric, limit=1)
            answers(Scripted(), task, tmp_path, score=True, task_grader=Scripted())


def test_agentic_misalignment_is_asked_and_graded(tmp_path: Path) -> None:
    pytest.importorskip("inspect_evals")
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = make_checkpoint(tmp_path / "long")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 4096}))
    chat = LocalChat(AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder))
    variants = ({"goal_value": "america"}, {"goal_value": "safety"})
    task = InspectConfig(
        task="inspect_evals/agentic_misalignment", variants=variants, metric="harmful"
    ).build(Path())
    grader = Scripted("<reasoning>x</reasoning><answer>no</answer>")
    table = answers(chat, task, tmp_path, score=True, task_grader=grader)
    assert table["cluster"].to_pylist() == ["america", "america", "safety", "safety"]
    assert table["task_score"].to_pylist() == [0.0] * 4
    prompt = json.loads(table["prompt"][2].as_py())
    assert [message["role"] for message in prompt] == ["system", "user"]
    assert "responsible" in prompt[0]["content"]
    assert "kyle.johnson@summitbridge.com" in prompt[1]["content"]
    assert len(grader.asked[0]) == 4
