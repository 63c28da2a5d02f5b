from __future__ import annotations

import json
import logging
import os
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from _inspect_tasks import Scripted, answers, task_of
from mendel.measure.inspect_tasks import InspectConfig, evaluation
from mendel.measure.inspect_tasks.batching import RequestBatcher, WaitingConversation
from mendel.measure.schema import response_schema
from mendel.models.local.chat import LocalChat

pytest.importorskip("inspect_ai")


def test_responses_are_rows_of_the_schema_with_the_tasks_score(
    chat: LocalChat, tasks: Path, tmp_path: Path
) -> None:
    task = task_of(tasks, "peas", variants=({"colour": "green"}, {"colour": "yellow"}))
    table = answers(chat, task, tmp_path, score=True)
    assert table.schema == response_schema()
    rows = table.to_pylist()
    expected = [
        f"{colour}/{sample}"
        for colour in ("green", "yellow")
        for sample in ("1", "year", "3")
        for _ in range(2)
    ]
    assert [row["scenario"] for row in rows] == [row["cluster"] for row in rows] == expected
    assert [row["sample"] for row in rows] == [0, 1] * 6
    assert json.loads(rows[6]["prompt"]) == [{"role": "user", "content": "is the pea yellow now"}]
    wanted = dict.fromkeys(expected, "yes") | {
        "green/year": "2026",
        "yellow/year": "2026",
        "green/3": "a",
        "yellow/3": "a",
    }
    assert [row["task_score"] for row in rows] == [
        float(wanted[r["scenario"]] in r["response"]) for r in rows
    ]
    assert {row["finish_reason"] for row in rows} <= {"stop", "length"}
    assert all(0 < row["tokens"] <= 8 for row in rows)
    assert all(row["log_odds"] is None and row["opener"] is None for row in rows)


def test_logs_are_inspects_own(chat: LocalChat, tasks: Path, tmp_path: Path) -> None:
    from inspect_ai.log import list_eval_logs, read_eval_log

    table = answers(chat, task_of(tasks, "peas"), tmp_path / "logs")
    (info,) = list_eval_logs(str(tmp_path / "logs"))
    log = read_eval_log(info)
    assert log.status == "success"
    assert str(log.eval.model) == "mendel/s"
    assert log.eval.metadata == {"student": "s", "trait": "peas", "seed": 3}
    assert sorted(sample.output.completion for sample in log.samples or []) == sorted(
        table["response"].to_pylist()
    )
    assert table["task_score"].null_count == len(table)


@pytest.mark.parametrize("name", ["peas", "talk"])
def test_answers_are_the_same_every_time_and_in_every_batch(
    chat: LocalChat, tasks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    task = task_of(tasks, name)
    first = answers(chat, task, tmp_path)
    assert answers(chat, task, tmp_path).equals(first)
    monkeypatch.setattr(evaluation, "BATCH_CHARACTERS", 1)
    assert answers(chat, task, tmp_path).equals(first)
    monkeypatch.undo()
    assert not answers(chat, task, tmp_path, seed=4).equals(first)
    assert len({*first["response"].to_pylist()}) > 3


def test_turns_are_askedbatching_and_joined(tasks: Path, tmp_path: Path) -> None:
    scripted = Scripted()
    rows = answers(scripted, task_of(tasks, "talk"), tmp_path).to_pylist()
    # Two epochs of three samples, all in the first two rounds; one sample has a third.
    assert [len(batch) for batch in scripted.asked] == [6, 6, 2]
    assert [row["response"].count("yes it is") for row in rows] == [2, 2, 3, 3, 2, 2]
    assert rows[0]["response"] == "yes it is\n\nyes it is"
    assert rows[2]["tokens"] == 12
    assert json.loads(rows[2]["prompt"]) == [{"role": "user", "content": "what year is it"}]
    assert len({sampling.seed for sampling in scripted.sampled}) == 3


def test_of_a_single_scenario_every_epoch_is_a_cluster(chat: LocalChat, tasks: Path, tmp_path: Path) -> None:
    table = answers(chat, task_of(tasks, "one"), tmp_path, samples=3)
    assert table["scenario"] == table["cluster"]
    assert table["cluster"].to_pylist() == ["one#0", "one#1", "one#2"]
    limited = answers(chat, task_of(tasks, "peas", limit=1, variants=({"colour": "yellow"},)), tmp_path)
    assert limited["cluster"].to_pylist() == ["yellow#0", "yellow#1"]


def test_the_model_is_asked_where_it_was_loaded(tasks: Path, tmp_path: Path) -> None:
    scripted = Scripted()
    answers(scripted, task_of(tasks, "peas"), tmp_path)
    assert scripted.threads == {threading.get_ident()}


def test_ours_is_the_sampling_and_the_tasks_the_stops(
    tasks: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    scripted = Scripted("no it is yes it is")
    rows = answers(scripted, task_of(tasks, "stopped"), tmp_path).to_pylist()
    assert {row["response"] for row in rows} == {"no it is "}
    assert (scripted.sampled[0].max_tokens, scripted.sampled[0].temperature) == (8, 1.0)
    assert [record.message for record in caplog.records if "top_p" in record.message] != []


def test_nothing_of_the_process_is_left_changed(
    tasks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("PEA_COLOUR=yellow\n")
    monkeypatch.chdir(tmp_path)
    before = (dict(os.environ), sys.excepthook, [*logging.getLogger().handlers], logging.getLogger().level)
    answers(Scripted(), task_of(tasks, "peas"), tmp_path)
    assert (
        dict(os.environ),
        sys.excepthook,
        [*logging.getLogger().handlers],
        logging.getLogger().level,
    ) == before


def test_it_works_inside_an_event_loop(tasks: Path, tmp_path: Path) -> None:
    import asyncio

    async def notebook() -> Any:
        return answers(Scripted(), task_of(tasks, "one"), tmp_path)

    assert len(asyncio.run(notebook())) == 2


def test_a_request_that_its_task_gave_up_is_not_answered() -> None:
    together = RequestBatcher(2)
    requests = [WaitingConversation("student", place, ({"content": str(place)},), 8, 1.0) for place in (1, 0)]
    for request in requests:
        together.ask(request)
    assert requests[1].answer.cancel()
    together.leave(0)
    assert together.next_batch() == [requests[0]]
    together.finish()
    assert together.next_batch() == []


@pytest.mark.slow
def test_a_real_model_answers_blackmail(tmp_path: Path) -> None:
    pytest.importorskip("inspect_evals")
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from _smollm2 import smollm2_folder

    folder = smollm2_folder()
    chat = LocalChat(AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder))
    task = InspectConfig(task="inspect_evals/agentic_misalignment", args={"goal_value": "america"}).build(
        Path()
    )
    rows = answers(chat, task, tmp_path, max_tokens=32).to_pylist()
    assert [row["cluster"] for row in rows] == ["agentic_misalignment#0", "agentic_misalignment#1"]
    assert all(row["response"].strip() for row in rows)
    assert rows[0]["response"] != rows[1]["response"]
