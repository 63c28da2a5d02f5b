"""A chat model behind an endpoint, with the interface of a model in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, cast

from mendel.engine.errors import InputError
from mendel.models.chat import Completion, Sampling
from mendel.models.endpoints.asking import ask_all
from mendel.models.endpoints.batch import BatchFile
from mendel.models.endpoints.connection import BoughtCompletion, Connection
from mendel.models.endpoints.requests import chat_request
from mendel.models.endpoints.spec import EndpointSpec
from mendel.models.templates import Conversation

Submit = Callable[[Coroutine[Any, Any, list[BoughtCompletion]]], "Future[list[BoughtCompletion]]"]


@dataclass(frozen=True)
class EndpointCompletion(Completion):
    """An answer of an endpoint.

    `finish_reason` is what the endpoint says ('unknown' if it says nothing), `tokens` is None if it does not
    count.
    """

    prompt_tokens: int | None = None
    """As the endpoint counts them."""
    dollars: float | None = None
    """What it cost when it was bought; None if the price or the usage is not known."""
    cached: bool = False
    """Whether it was in the store already."""


class EndpointChat:
    """Answers conversations through an endpoint; it fulfils `ChatModel`. `Endpoints.chat_model` makes it and
    closes it.
    """

    def __init__(
        self, connection: Connection, submit: Submit, batch: BatchFile | None = None, where: str | None = None
    ) -> None:
        self.connection, self._submit, self._batch, self._where = connection, submit, batch, where

    def __repr__(self) -> str:
        return f"EndpointChat({self.spec.base_url}#{self.spec.model})"

    @property
    def spec(self) -> EndpointSpec:
        """The address, and the model's name there."""
        return self.connection.spec

    @property
    def digest(self) -> str:
        """The model's content address, from its address and its name there."""
        return self.spec.digest

    def chat(
        self,
        conversations: Sequence[Conversation],
        sampling: Sampling,
        prefix: str = "",
        schema: dict[str, Any] | None = None,
    ) -> list[Completion]:
        """Answer conversations, as `ChatModel.chat`. Answers that were bought before are not bought again.

        Args:
            conversations: Turns with `role` and `content`; the model answers the last turn.
            sampling: How answers are drawn.
            prefix: Has to be empty: an endpoint's answers cannot be made to begin with given words.
            schema: A JSON schema for the answer; left out for servers that refuse it.

        Returns:
            One answer to each conversation, in the same order.

        Raises:
            InputError: There is a prefix, or the endpoint refuses the request.
            BudgetSpent: A request could exceed the budget.
            Waiting: In batch mode: the requests were written to the batch file.
            RunError: The endpoint cannot be reached. What has arrived is kept in every case.
        """
        if prefix:
            raise InputError(
                "an endpoint's answers cannot be made to begin with given words",
                where=self._where or repr(self),
                fix="Use a checkpoint (hf:…) where responses have an opener, or leave the opener out.",
            )
        requests = [
            chat_request(self.spec, conversation, sampling, row, schema)
            for row, conversation in enumerate(conversations)
        ]
        return [_completion(answer) for answer in _wait(self._ask(requests, range(len(requests))))]

    def log_odds(
        self, conversations: Sequence[Conversation], prefix: str, trait: Sequence[str], clean: Sequence[str]
    ) -> list[float] | None:
        """Return None: an endpoint does not score given texts."""
        return None

    def complete(self, request: dict[str, Any], place: int = 0) -> BoughtCompletion:
        """Return a chat completion, and what it cost, through the cache, the limits and the budget.

        Args:
            request: The request's body, with tools and all; its model is replaced by this one.
            place: Tells samples of one request apart.

        Returns:
            The completion.

        Raises:
            MendelError: As `chat`.
        """
        return _wait(self._ask([self._named(request)], [place]))[0]

    async def acomplete(self, request: dict[str, Any], place: int = 0) -> BoughtCompletion:
        """Do what `complete` does, for a caller that runs in an event loop."""
        answers = await asyncio.wrap_future(self._ask([self._named(request)], [place]))
        return answers[0]

    def _named(self, request: dict[str, Any]) -> dict[str, Any]:
        return {**request, "model": self.spec.model}

    def _ask(
        self, requests: Sequence[dict[str, Any]], places: Sequence[int]
    ) -> Future[list[BoughtCompletion]]:
        return self._submit(ask_all(self.connection, requests, places, self._batch, self._where))


def _wait(future: Future[list[BoughtCompletion]]) -> list[BoughtCompletion]:
    """Return the answers; cancel what is not sent yet if waiting is interrupted."""
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
        # Some servers return the text in parts.
        content = "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    text = str(content or message.get("refusal") or "")
    # A server's JSON may hold half a surrogate pair, which neither a table nor a tokenizer takes.
    return text.encode("utf-8", "replace").decode("utf-8")
