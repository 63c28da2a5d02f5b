"""Inspect's model of a task: it passes requests on to a mendel chat model and keeps the student's answers."""

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
from mendel.measure.inspect_tasks.batching import RequestBatcher, WaitingConversation, as_run_error
from mendel.measure.inspect_tasks.messages import (
    message_text,
    model_output,
    plain_message,
    request_message,
    request_tools,
)
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
"""Sampling settings of a task that are ignored, with a warning: all students are sampled alike."""
REFUSED = ("num_choices", "best_of", "logprobs", "prompt_logprobs", "response_schema", "modalities")
"""Settings that a task needs and that chat models do not have."""
GRADER_TOKENS = 1024
"""Tokens of a grader's answer where its task sets no limit."""


@dataclass(frozen=True)
class StudentAnswer:
    """One answer of the student."""

    conversation: tuple[dict[str, object], ...]
    """The messages that the student saw."""
    text: str
    finish_reason: str
    tokens: int
    prompt_tokens: int | None = None
    """As an endpoint counted them; None for a local model."""
    dollars: float | None = None
    """Price of the answer at an endpoint; None where it is not known."""


@dataclass
class TaskRun:
    """State that the models of one run share."""

    batcher: RequestBatcher
    places: Mapping[tuple[int, str, int], int]
    """Each sample's place among all, by variant, sample id and epoch (from 1)."""
    answers: dict[int, list[StudentAnswer]] = field(default_factory=dict)
    """The student's answers by place, in order."""
    warned: set[str] = field(default_factory=set)
    """Names of the ignored settings that were warned of."""


@dataclass(frozen=True)
class ModelRole:
    """A chat model in its role: the student or the grader of one variant's samples."""

    run: TaskRun
    chat: ChatModel
    role: Literal["student", "grader"]
    variant: int
    max_tokens: int | None
    """None: the task's limit, as for a grader."""
    temperature: float
    system: str | None = None
    """A system prompt that precedes the task's own."""


def inspect_model(role: ModelRole, name: str) -> Any:
    """Return Inspect's `Model` of a role.

    All samples may ask it at once, since they are answered in batches.
    """
    from inspect_ai.model import GenerateConfig, Model

    shown = name if role.role == "student" else role.role
    return Model(_api()(shown, role), GenerateConfig(max_connections=len(role.run.places)))


@lru_cache(maxsize=1)
def _api() -> Any:
    from inspect_ai.model import ModelAPI, modelapi
    from inspect_ai.solver._task_state import sample_state  # no public function names a request's sample

    @modelapi("mendel")
    class MendelModel(ModelAPI):  # type: ignore[misc]  # inspect_ai is imported lazily
        """Asks the chat model of a role."""

        def __init__(self, model_name: str, role: ModelRole) -> None:
            # A unique address: Inspect's cache knows models by name and address, and students share names.
            super().__init__(model_name, base_url=f"mendel:{uuid.uuid4().hex}")
            self.role = role

        def connection_key(self) -> str:
            return f"{self.role.role}-{self.role.variant}"

        async def generate(self, input: Any, tools: Any, tool_choice: Any, config: Any) -> Any:
            state, run = sample_state(), self.role.run
            try:
                if state is None:
                    raise RunError("the task asks its model outside a sample")
                place = run.places[self.role.variant, str(state.sample_id), state.epoch]
                _check_config(run, config)
                ask = _ask_endpoint if hasattr(self.role.chat, "acomplete") else _ask_in_batch
                output, answer = await ask(
                    self.role, self.model_name, place, input, tools, tool_choice, config
                )
            except Exception as error:
                # Inspect would wrap the error: it is kept, so that it can be raised as it is.
                raise run.batcher.give_up(as_run_error(error, "a request of the task failed")) from error
            # A scorer may ask the student to grade itself: that answer is no part of the sample's response.
            if self.role.role == "student" and not state.completed:
                run.answers.setdefault(place, []).append(answer)
            return output

    return MendelModel


async def _ask_in_batch(
    role: ModelRole, name: str, place: int, messages: Any, tools: Any, tool_choice: Any, config: Any
) -> tuple[Any, StudentAnswer]:
    """Return a local model's answer, generated in a batch with the other samples' requests."""
    from inspect_ai.model import ChatCompletionChoice, ChatMessageAssistant, ModelOutput, ModelUsage

    if tools:
        raise InputError(
            "this task gives the model tools, which a checkpoint in this process cannot use",
            value=[tool.name for tool in tools],
            fix="Measure it with an endpoint that knows tools (openai:…), or choose a task without tools.",
        )
    conversation = _conversation(role, messages)
    limit = role.max_tokens or config.max_tokens or GRADER_TOKENS
    request = WaitingConversation(role.role, place, conversation, limit, role.temperature)
    completion = await asyncio.wrap_future(role.run.batcher.ask(request))
    text, stopped = _until_stop(completion.text, config.stop_seqs or [])
    finish = "stop" if stopped else completion.finish_reason
    choice = ChatCompletionChoice(
        message=ChatMessageAssistant(content=text, model=name, source="generate"),
        stop_reason="stop" if finish == "stop" else "max_tokens",
    )
    # Without usage Inspect would count tokens with a tokenizer that it downloads.
    usage = ModelUsage(output_tokens=completion.tokens, total_tokens=completion.tokens)
    output = ModelOutput(model=name, choices=[choice], usage=usage)
    return output, StudentAnswer(conversation, text, finish, completion.tokens)


async def _ask_endpoint(
    role: ModelRole, name: str, place: int, messages: Any, tools: Any, tool_choice: Any, config: Any
) -> tuple[Any, StudentAnswer]:
    """Return an endpoint's answer, which may call tools.

    The endpoint keeps to its own limits, budget and cache.
    """
    conversation = _conversation(role, messages)
    rows: Any = [request_message(message) for message in messages]
    request: dict[str, Any] = {
        "messages": [dict(message) for message in with_system(rows, role.system)],
        "max_tokens": role.max_tokens or config.max_tokens or GRADER_TOKENS,
        "temperature": role.temperature,
        **({"stop": list(config.stop_seqs)} if config.stop_seqs else {}),
        **request_tools(tools, tool_choice),
    }
    # A sample that repeats a request wants another answer, not the endpoint's cached one.
    repeats = sum(answer.conversation == conversation for answer in role.run.answers.get(place, ()))
    place += repeats * len(role.run.places)
    chat: Any = role.chat
    bought = await chat.acomplete(request, place)
    role.run.batcher.touch()
    output = model_output(bought.completion, name)
    finish = "length" if output.stop_reason == "max_tokens" else str(output.stop_reason)
    usage = output.usage
    return output, StudentAnswer(
        conversation,
        message_text(output.message),
        finish,
        usage.output_tokens,
        usage.input_tokens or None,
        bought.dollars,
    )


def _conversation(role: ModelRole, messages: Any) -> tuple[dict[str, object], ...]:
    """Return the messages as the model sees them, under its system prompt."""
    rows: Any = [plain_message(message) for message in messages]
    return tuple(dict(message) for message in with_system(rows, role.system))


def _until_stop(text: str, stops: list[str]) -> tuple[str, bool]:
    """Return the text before the first stop sequence, and whether there was one."""
    ends = [text.find(stop) for stop in stops if stop and stop in text]
    return (text[: min(ends)], True) if ends else (text, False)


def _check_config(run: TaskRun, config: Any) -> None:
    for name in REFUSED:
        value = getattr(config, name, None)
        # A single choice is what every model gives.
        if value not in (None, False, 1):
            raise InputError(
                f"this task needs {name!r} of its model, which no chat model has",
                value=str(value),
                fix="Choose a task that does without.",
            )
    for name in IGNORED:
        if getattr(config, name, None) is not None and name not in run.warned:
            run.warned.add(name)
            log.warning("the task's %s is ignored: answers are drawn from the model's own distribution", name)
