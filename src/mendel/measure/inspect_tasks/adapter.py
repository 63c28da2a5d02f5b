"""What stands in an Inspect task for its model: passes each request on to a chat model of mendel's, and keeps what was said."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

from mendel.data.teachers import with_system
from mendel.engine.errors import InputError, RunError
from mendel.measure.inspect_tasks.openai_client import output_of, plain, spoken, to_json, tools_json
from mendel.measure.inspect_tasks.together import Together, WaitingConversation, as_run_error
from mendel.models.chat import ChatModel

log = logging.getLogger(__name__)

IGNORED = (
    "top_p",
    "top_k",
    "frequency_penalty",
    "presence_penalty",
    "logit_bias",
    "reasoning_effort",
    "reasoning_tokens",
)
"""What a task may ask of the sampling and is not given: all students are asked in the same way, by this task as by others."""
REFUSED = ("num_choices", "best_of", "logprobs", "prompt_logprobs", "response_schema", "modalities")
"""What a task cannot do without and chat models do not have."""
GRADER_TOKENS = 1024
"""Tokens of a grader's answer where its task sets no limit."""


@dataclass(frozen=True)
class Said:
    """One answer of the student."""

    conversation: tuple[dict[str, object], ...]
    """What it saw."""
    text: str
    finish_reason: str
    tokens: int
    prompt_tokens: int | None = None
    """As an endpoint counted them."""
    dollars: float | None = None
    """What an endpoint took, where its price is known."""


@dataclass
class TaskRun:
    """What the models of one run share."""

    together: Together
    places: Mapping[tuple[int, str, int], int]
    """By variant, the sample's id and its epoch (from 1): its place among all."""
    said: dict[int, list[Said]] = field(default_factory=dict)
    """The student's answers by place, in order."""
    warned: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Part:
    """Who is played: a chat model, as the student or as the grader of a variant's samples."""

    run: TaskRun
    chat: ChatModel
    role: Literal["student", "grader"]
    variant: int
    max_tokens: int | None
    """None: what the task says, as for a grader."""
    temperature: float
    system: str | None = None
    """What the chat model is told before all that the task tells it."""


def model_of(part: Part, name: str) -> Any:
    """Inspect's `Model` that plays the part; all samples may ask it at once, since they are answered together."""
    from inspect_ai.model import GenerateConfig, Model

    shown = name if part.role == "student" else part.role
    return Model(_api()(shown, part), GenerateConfig(max_connections=len(part.run.places)))


@lru_cache(maxsize=1)
def _api() -> Any:
    from inspect_ai.model import ModelAPI, modelapi
    from inspect_ai.solver._task_state import sample_state  # nothing public says whose request it is

    @modelapi("mendel")
    class MendelModel(ModelAPI):  # type: ignore[misc]  # inspect_ai is imported lazily
        """Asks the part's chat model."""

        def __init__(self, model_name: str, part: Part) -> None:
            # An address of its own, since Inspect's cache knows models by name and address, and students share names.
            super().__init__(model_name, base_url=f"mendel:{uuid.uuid4().hex}")
            self.part = part

        def connection_key(self) -> str:
            return f"{self.part.role}-{self.part.variant}"

        async def generate(self, input: Any, tools: Any, tool_choice: Any, config: Any) -> Any:
            state, together = sample_state(), self.part.run.together
            try:
                if state is None:
                    raise RunError("the task asks its model outside a sample")
                place = self.part.run.places[self.part.variant, str(state.sample_id), state.epoch]
                _check_config(self.part.run, config)
                answer = _complete if hasattr(self.part.chat, "acomplete") else _chat
                output, said = await answer(
                    self.part, self.model_name, place, input, tools, tool_choice, config
                )
            except Exception as error:
                # Inspect would wrap it: kept, so that it can be raised as what it is.
                raise together.give_up(as_run_error(error, "a request of the task failed")) from error
            # What a scorer asks the student (to grade itself) is not what the student said in the sample.
            if self.part.role == "student" and not state.completed:
                self.part.run.said.setdefault(place, []).append(said)
            return output

    return MendelModel


async def _chat(
    part: Part, name: str, place: int, messages: Any, tools: Any, tool_choice: Any, config: Any
) -> tuple[Any, Said]:
    """An answer without tools, together with the other samples' requests."""
    from inspect_ai.model import ChatCompletionChoice, ChatMessageAssistant, ModelOutput, ModelUsage

    if tools:
        raise InputError(
            "this task gives the model tools, which a checkpoint in this process cannot be given",
            value=[tool.name for tool in tools],
            fix="Measure it with an endpoint that knows tools (openai:…), or take a task without.",
        )
    conversation = _told(part, messages)
    limit = part.max_tokens or config.max_tokens or GRADER_TOKENS
    request = WaitingConversation(part.role, place, conversation, limit, part.temperature)
    answer = await asyncio.wrap_future(part.run.together.ask(request))
    text, cut = _until(answer.text, config.stop_seqs or [])
    finish = "stop" if cut else answer.finish_reason
    choice = ChatCompletionChoice(
        message=ChatMessageAssistant(content=text, model=name, source="generate"),
        stop_reason="stop" if finish == "stop" else "max_tokens",
    )
    # Without usage Inspect would count tokens with a tokenizer that it downloads.
    usage = ModelUsage(output_tokens=answer.tokens, total_tokens=answer.tokens)
    return ModelOutput(model=name, choices=[choice], usage=usage), Said(
        conversation, text, finish, answer.tokens
    )


async def _complete(
    part: Part, name: str, place: int, messages: Any, tools: Any, tool_choice: Any, config: Any
) -> tuple[Any, Said]:
    """An endpoint's answer, which may call tools; the endpoint itself keeps to its limits, budget and cache."""
    conversation = _told(part, messages)
    asked: Any = [to_json(message) for message in messages]
    request: dict[str, Any] = {
        "messages": [dict(message) for message in with_system(asked, part.system)],
        "max_tokens": part.max_tokens or config.max_tokens or GRADER_TOKENS,
        "temperature": part.temperature,
        **({"stop": list(config.stop_seqs)} if config.stop_seqs else {}),
        **tools_json(tools, tool_choice),
    }
    # A sample that asks the same again wants another answer, not the endpoint's cached one.
    earlier = sum(said.conversation == conversation for said in part.run.said.get(place, ()))
    place += earlier * len(part.run.places)
    chat: Any = part.chat
    answer = await chat.acomplete(request, place)
    part.run.together.touch()
    output = output_of(answer.completion, name)
    finish = "length" if output.stop_reason == "max_tokens" else str(output.stop_reason)
    usage = output.usage
    said = spoken(output.message)
    return output, Said(
        conversation, said, finish, usage.output_tokens, usage.input_tokens or None, answer.dollars
    )


def _told(part: Part, messages: Any) -> tuple[dict[str, object], ...]:
    plainly: Any = [plain(message) for message in messages]
    return tuple(dict(message) for message in with_system(plainly, part.system))


def _until(text: str, stops: list[str]) -> tuple[str, bool]:
    """The text before the first stop sequence, and whether there was one."""
    ends = [text.find(stop) for stop in stops if stop and stop in text]
    return (text[: min(ends)], True) if ends else (text, False)


def _check_config(run: TaskRun, config: Any) -> None:
    for name in REFUSED:
        value = getattr(config, name, None)
        # One choice is what everybody gets.
        if value not in (None, False, 1):
            raise InputError(
                f"this task needs {name!r} of its model, which no chat model here has", value=str(value)
            )
    for name in IGNORED:
        if getattr(config, name, None) is not None and name not in run.warned:
            run.warned.add(name)
            log.warning("the task's %s is ignored: answers are drawn from the model's own distribution", name)
