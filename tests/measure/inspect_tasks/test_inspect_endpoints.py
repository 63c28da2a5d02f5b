from __future__ import annotations

from pathlib import Path

import pytest

from _inspect_tasks import TASKS, Endpoint, Scripted, answers, task_of
from mendel.engine.errors import InputError
from mendel.measure.inspect_tasks.messages import model_output

pytest.importorskip("inspect_ai")


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
    call = {"id": "c", "type": "function", "function": {"name": "count", "arguments": arguments}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    output = model_output({"choices": [{"message": message, "finish_reason": "tool_calls"}]}, "m")
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
