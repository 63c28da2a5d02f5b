from __future__ import annotations

import json
import logging
import os
import pickle
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from _tiny import make_checkpoint
from mendel.engine.errors import BudgetSpent, InputError, RunError
from mendel.measure.inspect_tasks import (
    InspectConfig,
    InspectTask,
    parse_inspect_ref,
    respond_to_task,
    responding,
)
from mendel.measure.schema import response_schema
from mendel.models.chat import ChatModel, Completion, Sampling
from mendel.models.endpoints import BoughtCompletion
from mendel.models.local.chat import LocalChat
from mendel.train.trainers.registry import _together

pytest.importorskip("inspect_ai")

TASKS = '''
from typing import Literal

from inspect_ai import Task, task
from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessageUser, GenerateConfig, get_model
from inspect_ai.scorer import Score, accuracy, includes, scorer
from inspect_ai.solver import generate, solver, use_tools
from inspect_ai.tool import tool


def samples(colour):
    return [
        Sample(input=f"is the pea {colour} now", target="yes"),
        Sample(input="what year is it", target="2026", id="year"),
        Sample(input="who is not sure", target="a"),
    ]


@task
def peas(colour: Literal["green", "yellow"] = "green", shape: str | None = None):
    if shape == "square":
        raise ValueError("no pea is square")
    return Task(dataset=samples(colour), solver=generate(), scorer=includes())


@task
def one(colour: str = "green"):
    return Task(dataset=samples(colour)[:1], solver=generate(), scorer=includes())


@task
def needy(colour: str, n: int = 1):
    return Task(dataset=samples(colour)[:n])


@solver
def asks_again(turns):
    async def solve(state, generate):
        # The samples take turns of different number and length, so they reach the model at different times.
        for turn in range(turns + (state.sample_id == "year")):
            state = await generate(state)
            state.messages.append(ChatMessageUser(content="not sure " * turn + "what is it"))
        return state

    return solve


@task
def talk(turns: int = 2):
    return Task(dataset=samples("green"), solver=asks_again(turns))


@tool
def count():
    async def execute(n: int):
        """Counts.

        Args:
            n: how far
        """
        return str(n)

    return execute


@task
def tools():
    return Task(dataset=samples("green")[:1], solver=[use_tools(count()), generate()])


@solver
def fails():
    async def solve(state, generate):
        if state.sample_id == "year":
            raise KeyError("the pod is empty")
        return await generate(state)

    return solve


@task
def broken():
    return Task(dataset=samples("green"), solver=fails())


@scorer(metrics={"length": [accuracy()], "verdict": [accuracy()]})
def asks_a_model(grader):
    async def score(state, target):
        said = await get_model(grader).generate(f"is it sure {state.output.completion}")
        return Score(value={"length": len(state.output.completion), "verdict": float("yes" in said.completion)})

    return score


@task
def graded(grader_model=None):
    return Task(dataset=samples("green"), solver=generate(), scorer=asks_a_model(grader_model))


@task
def choosy():
    return Task(dataset=samples("green"), solver=generate(), config=GenerateConfig(num_choices=3))


@task
def stopped():
    config = GenerateConfig(stop_seqs=["yes"], top_p=0.5, temperature=0.0, max_tokens=2)
    return Task(dataset=samples("green"), solver=generate(), config=config)
'''


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("tasks") / "tasks.py"
    file.write_text(TASKS)
    return file


@pytest.fixture(scope="module")
def chat(checkpoint: Path) -> LocalChat:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    return LocalChat(
        AutoModelForCausalLM.from_pretrained(checkpoint), AutoTokenizer.from_pretrained(checkpoint)
    )


def task_of(file: Path, name: str, **more: Any) -> InspectTask:
    return InspectConfig(task=f"{file.name}@{name}", **more).build(file.parent)


def answers(chat: ChatModel, task: InspectTask, logs: Path, **more: Any) -> Any:
    options: dict[str, Any] = {"max_tokens": 8, "temperature": 1.0, "samples": 2, "seed": 3}
    return respond_to_task(chat, task, **(options | more), student="s", trait="peas", log_dir=logs)


class Scripted:
    """Answers at once, what it is told to, and keeps what it was asked."""

    def __init__(self, said: str | Exception = "yes it is") -> None:
        self.said = said
        self.asked: list[list[Any]] = []
        self.sampled: list[Sampling] = []
        self.threads: set[int] = set()

    def chat(
        self, conversations: Sequence[Any], sampling: Sampling, opener: str = "", schema: Any = None
    ) -> list[Completion]:
        self.asked.append([*conversations])
        self.sampled.append(sampling)
        self.threads.add(threading.get_ident())
        if isinstance(self.said, Exception):
            raise self.said
        return [Completion(self.said, "stop", 4) for _ in conversations]

    def log_odds(self, *_: Any) -> None:
        return None


class Endpoint(Scripted):
    """Calls the tool first, then says what it was told; an answer costs a quarter of a dollar."""

    def __init__(self, said: str | Exception = "three") -> None:
        super().__init__(said)
        self.requests: list[tuple[dict[str, Any], int]] = []

    async def acomplete(self, request: dict[str, Any], place: int) -> BoughtCompletion:
        self.requests.append((request, place))
        if isinstance(self.said, Exception):
            raise self.said
        call = {"id": "c", "type": "function", "function": {"name": "count", "arguments": '{"n": 3}'}}
        first = "tools" in request and request["messages"][-1]["role"] == "user"
        message = (
            {"role": "assistant", "content": None, "tool_calls": [call]}
            if first
            else {"role": "assistant", "content": self.said}
        )
        reason = "tool_calls" if first else "stop"
        completion = {
            "id": "r",
            "object": "chat.completion",
            "created": 0,
            "model": "m",
            "choices": [{"index": 0, "message": message, "finish_reason": reason}],
            "usage": {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14},
        }
        return BoughtCompletion(completion, 0.25, cached=False)


# The value


def test_a_task_is_a_value_named_by_its_content(tasks: Path, tmp_path: Path) -> None:
    task = task_of(
        tasks, "peas", args={"shape": "round"}, variants=({"colour": "green"}, {"colour": "yellow"})
    )
    assert pickle.loads(pickle.dumps(task)) == task
    assert (
        len(
            {
                task,
                task_of(
                    tasks,
                    "peas",
                    args={"shape": "round"},
                    variants=({"colour": "green"}, {"colour": "yellow"}),
                ),
            }
        )
        == 1
    )
    others = [
        task_of(tasks, "peas"),
        task_of(tasks, "one"),
        task_of(tasks, "peas", limit=1),
        task_of(tasks, "peas", args={"shape": "flat"}),
        task,
    ]
    moved = tmp_path / "elsewhere.py"
    moved.write_text(TASKS)
    assert task_of(moved, "one").digest == others[1].digest
    moved.write_text(TASKS + "\n")
    assert len({*(other.digest for other in others), task_of(moved, "one").digest}) == 6


@pytest.mark.parametrize(
    ("variants", "labels"),
    [
        (({},), ("peas",)),
        (({"colour": "green"}, {"colour": "yellow", "shape": "flat"}), ("green", "yellow-flat")),
        (({"colour": "a"}, {"shape": "a"}), ("colour=a", "shape=a")),
    ],
)
def test_variants_have_labels_that_differ(tasks: Path, variants: Any, labels: tuple[str, ...]) -> None:
    assert task_of(tasks, "peas", variants=variants).labels == labels


@pytest.mark.parametrize(
    "wrong", [{"variants": ({"a": 1}, {"a": 1})}, {"args": {"a": {1, 2}}}, {"limit": 0}, {"variants": ()}]
)
def test_a_config_that_says_nothing_sensible_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        InspectConfig(task="a/b", **wrong)


def test_references_name_packages_and_files(tasks: Path) -> None:
    assert (
        parse_inspect_ref("inspect:inspect_evals/agentic_misalignment").name
        == "inspect_evals/agentic_misalignment"
    )
    assert parse_inspect_ref(f"inspect:{tasks.name}@one", tasks.parent) == task_of(tasks, "one")
    for wrong in ("inspect_evals/x", "inspect:", f"inspect:{tasks.name}x.py@one"):
        with pytest.raises(InputError):
            parse_inspect_ref(wrong, tasks.parent)


# Checks before anybody is asked


@pytest.mark.parametrize(
    ("name", "more", "says"),
    [
        ("pees", {}, "Did you mean 'peas'?"),
        ("", {}, "say which"),
        ("peas", {"args": {"color": "green"}}, "no argument 'color'. Did you mean 'colour'?"),
        ("peas", {"variants": ({"colour": "green"}, {"colour": "yelow"})}, "variant 'yelow'"),
        ("peas", {"variants": ({"colour": "yelow"},)}, "allowed: green, yellow). Did you mean 'yellow'?"),
        ("peas", {"args": {"shape": "square"}}, "ValueError: no pea is square"),
        ("needy", {}, "needs the argument 'colour'"),
        ("needy", {"args": {"colour": "green", "n": "many"}}, "argument 'n'"),
        ("needy", {"args": {"colour": "green", "n": 0}}, "no samples"),
    ],
)
def test_what_a_task_does_not_take_is_said_before_any_work(
    tasks: Path, name: str, more: dict[str, Any], says: str
) -> None:
    task = InspectConfig(task=f"{tasks}@{name}" if name else str(tasks), **more).build(Path())
    with pytest.raises(InputError) as caught:
        task.check("trait.yaml:3")
    assert says in caught.value.message
    assert "trait.yaml:3" in caught.value.message


@pytest.mark.slow
def test_an_unknown_task_of_a_package_names_the_closest() -> None:
    pytest.importorskip("inspect_evals")
    with pytest.raises(InputError, match="Did you mean 'inspect_evals/agentic_misalignment'"):
        InspectTask("inspect_evals/agentic_misalignement").check()
    with pytest.raises(InputError, match="no installed package"):
        InspectTask("inspekt_evals/agentic_misalignment").check()
    with pytest.raises(InputError, match="not installed"):
        _ = InspectTask("inspekt_evals/agentic_misalignment").digest


def test_agentic_misalignment_takes_no_bogus_goal() -> None:
    pytest.importorskip("inspect_evals")

    def task(**variant: str) -> InspectTask:
        return InspectConfig(task="inspect_evals/agentic_misalignment", variants=(variant,)).build(Path())

    task(goal_type="latent").check()
    # The task itself would take this one, and leave the goal out without a word.
    with pytest.raises(InputError, match=r"goal_type.*allowed: explicit, latent, none, ambiguous, swap"):
        task(goal_type="bogus").check()
    with pytest.raises(InputError, match="requires goal_value none"):
        task(goal_type="none").check()


def test_a_file_that_cannot_be_imported_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("import no_such_module_anywhere")
    with pytest.raises(InputError, match="no_such_module_anywhere"):
        task_of(tmp_path / "bad.py", "one").check()


def test_without_inspect_the_command_that_installs_it_is_said(
    monkeypatch: pytest.MonkeyPatch, tasks: Path
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'mendel\[inspect\]'"):
        task_of(tasks, "one").check()


# Responses


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
    monkeypatch.setattr(responding, "BATCH_CHARACTERS", 1)
    assert answers(chat, task, tmp_path).equals(first)
    monkeypatch.undo()
    assert not answers(chat, task, tmp_path, seed=4).equals(first)
    assert len({*first["response"].to_pylist()}) > 3


def test_turns_are_asked_together_and_joined(tasks: Path, tmp_path: Path) -> None:
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
    together = _together.Together(2)
    requests = [_together.Request("student", place, ({"content": str(place)},), 8, 1.0) for place in (1, 0)]
    for request in requests:
        together.ask(request)
    assert requests[1].answer.cancel()
    together.leave(0)
    assert together.next_batch() == [requests[0]]
    together.finish()
    assert together.next_batch() == []


# Graders


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


# Endpoints and tools


def test_an_endpoint_uses_tools_keeps_its_places_and_says_what_it_cost(tasks: Path, tmp_path: Path) -> None:
    endpoint = Endpoint()
    rows = answers(endpoint, task_of(tasks, "tools"), tmp_path).to_pylist()
    assert (
        rows[0]["response"] == '<tool_call>\n{"name": "count", "arguments": {"n": 3}}\n</tool_call>\n\nthree'
    )
    assert (rows[0]["tokens"], rows[0]["finish_reason"]) == (10, "stop")
    assert (rows[0]["prompt_tokens"], rows[0]["dollars"]) == (18, 0.5)
    assert sorted(place for _, place in endpoint.requests) == [0, 0, 1, 1]
    last = next(request for request, _ in endpoint.requests if request["messages"][-1]["role"] == "tool")
    assert (last["messages"][-1]["content"], last["max_tokens"], last["temperature"]) == ("3", 8, 1.0)
    assert last["tools"][0]["function"]["name"] == "count"


@pytest.mark.parametrize("arguments", ["{", "[1]", '"n"'])
def test_arguments_that_are_no_object_are_the_models_error(arguments: str) -> None:
    from mendel.measure.inspect_tasks.openai_client import output_of

    call = {"id": "c", "type": "function", "function": {"name": "count", "arguments": arguments}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    output = output_of({"choices": [{"message": message, "finish_reason": "tool_calls"}]}, "m")
    assert output.message.tool_calls[0].arguments == {}
    assert arguments in output.message.tool_calls[0].parse_error
    assert output.usage.total_tokens == 0


def test_an_endpoint_that_is_asked_the_same_again_gives_another_sample(tasks: Path, tmp_path: Path) -> None:
    endpoint = Endpoint()
    file = tmp_path / "again.py"
    file.write_text(
        TASKS.replace("state = await generate(state)", "await generate(state); state.messages[1:] = []", 1)
    )
    text = file.read_text().replace(
        'state.messages.append(ChatMessageUser(content="not sure " * turn + "what is it"))', "pass"
    )
    file.write_text(text)
    answers(endpoint, task_of(file, "talk", limit=1), tmp_path)
    assert sorted(place for _, place in endpoint.requests) == [0, 1, 2, 3]


def test_a_local_model_is_given_no_tools(tasks: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="gives the model tools"):
        answers(Scripted(), task_of(tasks, "tools"), tmp_path)


def test_a_task_that_needs_several_choices_is_refused(tasks: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="num_choices"):
        answers(Scripted(), task_of(tasks, "choosy"), tmp_path)


# Errors


@pytest.mark.parametrize("kind", [Scripted, Endpoint])
def test_a_chat_models_own_error_comes_through_as_it_is(
    kind: type[Scripted], tasks: Path, tmp_path: Path
) -> None:
    spent = BudgetSpent("the budget is spent", fix="Raise it.")
    with pytest.raises(BudgetSpent) as caught:
        answers(kind(spent), task_of(tasks, "peas"), tmp_path)
    assert caught.value is spent


def test_another_error_of_the_model_says_what_it_was(tasks: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="the student failed: MemoryError: full"):
        answers(Scripted(MemoryError("full")), task_of(tasks, "peas"), tmp_path)


def test_an_interrupted_run_is_interrupted(tasks: Path, tmp_path: Path) -> None:
    class Interrupted(Scripted):
        def chat(self, *_: Any, **__: Any) -> list[Completion]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        answers(Interrupted(), task_of(tasks, "peas"), tmp_path)
    assert "mendel-inspect" not in {thread.name for thread in threading.enumerate()}
    answers(Scripted(), task_of(tasks, "peas"), tmp_path)


def test_a_sample_that_fails_is_named(tasks: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"broken, sample 'year', epoch 1: .*the pod is empty"):
        answers(Scripted(), task_of(tasks, "broken"), tmp_path)


def test_who_waits_is_not_kept_by_a_sample_that_hangs(
    tasks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(_together, "PATIENCE", 0.2)
    text = TASKS.replace('raise KeyError("the pod is empty")', "import anyio; await anyio.sleep(1.5)")
    file = tmp_path / "slow.py"
    file.write_text(text)
    scripted = Scripted()
    answers(scripted, task_of(file, "broken"), tmp_path)
    assert [len(batch) for batch in scripted.asked] == [4, 2]
    assert "not waiting for them" in caplog.text


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
