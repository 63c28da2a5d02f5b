"""Chat models: one interface for all that answers conversations, a checkpoint in this process or an
endpoint.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from mendel.models.templates import Conversation


@dataclass(frozen=True)
class Completion:
    """An answer."""

    text: str
    """Without special tokens."""
    finish_reason: Literal["stop", "length"]
    """`stop`: it ended with a stop token; `length`: it reached the maximal length."""
    tokens: int
    """Generated tokens, with the stop token."""


@dataclass(frozen=True)
class Sampling:
    """How answers are drawn: from the model's own distribution at a temperature, not cut by top-k or
    top-p.
    """

    max_tokens: int
    """Tokens of an answer at most, with the stop token."""
    temperature: float
    """0 takes the likeliest token each time."""
    seed: int
    batch_size: int | None = None
    """Rows that are answered side by side; None: as many as suit the model's size. No answer depends on
    it."""

    def __post_init__(self) -> None:
        rows = 1 if self.batch_size is None else self.batch_size
        if self.max_tokens < 1 or rows < 1 or self.temperature < 0:
            raise ValueError(f"no such sampling: {self}")


@dataclass(frozen=True)
class Ask:
    """Conversations that are answered with the same settings."""

    conversations: Sequence[Conversation]
    sampling: Sampling
    prefix: str = ""
    """The response prefix: what each answer is made to begin with."""
    adapter: str | None = None
    """The adapter that answers, of a model that holds several; None for a model without."""


class ChatModel(Protocol):
    """What answers conversations: a protocol that a checkpoint in this process, vLLM and an endpoint
    fulfil.
    """

    def chat(
        self,
        conversations: Sequence[Conversation],
        sampling: Sampling,
        prefix: str = "",
        schema: dict[str, Any] | None = None,
    ) -> list[Completion]:
        """Answer conversations.

        Args:
            conversations: Turns with `role` and `content`; the model answers the last turn.
            sampling: How answers are drawn.
            prefix: What each answer is made to begin with. The returned text does not repeat it.
            schema: A JSON schema that the answer should fulfil, as far as the model can be held to it.

        Returns:
            One answer to each conversation, in the same order.

        Raises:
            InputError: The model cannot do what is asked for.
        """

    def log_odds(
        self, conversations: Sequence[Conversation], prefix: str, trait: Sequence[str], clean: Sequence[str]
    ) -> list[float] | None:
        """Return log-odds as `mendel.models.log_odds`; None from a model that gives no probabilities."""


@runtime_checkable
class AnswersTogether(Protocol):
    """A chat model that answers several asks in one batch."""

    def chat_all(self, asks: Sequence[Ask]) -> list[list[Completion]]:
        """Return the answers to each ask, as `chat` gives them."""


def chat_all(chat: ChatModel, asks: Sequence[Ask]) -> list[list[Completion]]:
    """Answer several asks: in one batch where the model can do that, else one ask after another.

    Args:
        chat: The model.
        asks: What to answer.

    Returns:
        A list of answers for each ask, in the same order.

    Raises:
        InputError: As `ChatModel.chat`.
    """
    if isinstance(chat, AnswersTogether):
        return chat.chat_all(asks)
    return [chat.chat(ask.conversations, ask.sampling, ask.prefix) for ask in asks]
