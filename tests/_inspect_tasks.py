from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mendel.measure.inspect_tasks import InspectConfig, InspectTask, respond_to_task
from mendel.models.chat import ChatModel, Completion, Sampling
from mendel.models.endpoints import BoughtCompletion

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
