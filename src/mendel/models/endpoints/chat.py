"""A chat model behind an endpoint, with the interface of one in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, cast

from mendel.engine.errors import InputError
from mendel.models.chat import Completion, Sampling
from mendel.models.endpoints._asking import ask_all
from mendel.models.endpoints._connection import BoughtCompletion, Connection
from mendel.models.endpoints._requests import chat_request
from mendel.models.endpoints.batch import BatchFile
from mendel.models.endpoints.spec import EndpointSpec
from mendel.models.templates import Conversation

Submit = Callable[[Coroutine[Any, Any, list[BoughtCompletion]]], "Future[list[BoughtCompletion]]"]


@dataclass(frozen=True)
class EndpointCompletion(Completion):
    """An answer of an endpoint.

    `finish_reason` is whatever the endpoint says ('unknown' if it says nothing), `tokens` is None where it does not count.
    """

    prompt_tokens: int | None = None
    """As the endpoint counts them."""
    dollars: float | None = None
    """What it cost when it was bought; None where the price, or what was used, is not known."""
    cached: bool = False
    """Whether it was there already."""


class EndpointChat:
    """Answers conversations through an endpoint; fulfils `ChatModel`. Made by `Endpoints.chat_model`, and shut with it."""

    def __init__(
        self, connection: Connection, submit: Submit, batch: BatchFile | None = None, where: str | None = None
    ) -> None:
        self._connection, self._submit, self._batch, self._where = connection, submit, batch, where

    def __repr__(self) -> str:
        return f"EndpointChat({self.spec.base_url}#{self.spec.model})"

    @property
    def spec(self) -> EndpointSpec:
        """The address and the model's name there."""
        return self._connection.spec

    @property
    def digest(self) -> str:
        """The model's name as content: its address and its name there."""
        return self.spec.digest

    def chat(
        self,
        conversations: Sequence[Conversation],
        sampling: Sampling,
        opener: str = "",
        schema: dict[str, Any] | None = None,
    ) -> list[Completion]:
        """One answer to each conversation, in the given order; those that were bought before are not bought again.

        Raises InputError for an `opener` and for what the endpoint refuses, BudgetSpent, Waiting in batch mode, RunError when
        the endpoint cannot be reached; whatever has arrived by then is kept.
        """
        if opener:
            raise InputError(
                "an endpoint's answers cannot be made to begin with given words",
                where=self._where or repr(self),
                fix="Take a checkpoint (hf:…) where answers are opened, or leave the opener out.",
            )
        requests = [
            chat_request(self.spec, conversation, sampling, row, schema)
            for row, conversation in enumerate(conversations)
        ]
        return [_completion(answer) for answer in _wait(self._ask(requests, range(len(requests))))]

    def log_odds(
        self, conversations: Sequence[Conversation], opener: str, trait: Sequence[str], clean: Sequence[str]
    ) -> list[float] | None:
        """None: an endpoint scores no given text."""
        return None

    def complete(self, request: dict[str, Any], place: int = 0) -> BoughtCompletion:
        """A chat completion and what it cost, through cache, limits and budget; raises as `chat`.

        `request` is the body of one, tools and all; its model is this one. `place` tells samples of one request apart.
        """
        return _wait(self._ask([self._named(request)], [place]))[0]

    async def acomplete(self, request: dict[str, Any], place: int = 0) -> BoughtCompletion:
        """`complete` for a caller that runs in an event loop."""
        answers = await asyncio.wrap_future(self._ask([self._named(request)], [place]))
        return answers[0]

    def _named(self, request: dict[str, Any]) -> dict[str, Any]:
        return {**request, "model": self.spec.model}

    def _ask(
        self, requests: Sequence[dict[str, Any]], places: Sequence[int]
    ) -> Future[list[BoughtCompletion]]:
        return self._submit(ask_all(self._connection, requests, places, self._batch, self._where))


def _wait(future: Future[list[BoughtCompletion]]) -> list[BoughtCompletion]:
    try:
        return future.result()
    except BaseException:
        # Ctrl-C: nothing more is sent.
        future.cancel()
        raise


def _completion(answer: BoughtCompletion) -> EndpointCompletion:
    choice = answer.completion["choices"][0]
    used = answer.tokens
    return EndpointCompletion(
        _text(choice["message"]),
        cast("Any", choice.get("finish_reason") or "unknown"),
        cast("Any", used.answer if used else None),
        used.prompt if used else None,
        answer.dollars,
        answer.cached,
    )


def _text(message: dict[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        # Some servers give the text in parts.
        content = "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    text = str(content or message.get("refusal") or "")
    # A server's JSON may hold half a surrogate pair, which no table and no tokenizer takes.
    return text.encode("utf-8", "replace").decode("utf-8")
