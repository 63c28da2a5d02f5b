"""Chat models: whatever answers conversations, a checkpoint in this process or an endpoint, behind one interface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from mendel.models.templates import Conversation


@dataclass(frozen=True)
class Completion:
    """An answer: its text without special tokens, and how it ended."""

    text: str
    finish_reason: Literal["stop", "length"]
    tokens: int
    """Generated tokens, the stop token included."""


@dataclass(frozen=True)
class Sampling:
    """How answers are drawn: from the model's own distribution at a temperature, not cut by top-k or top-p."""

    max_tokens: int
    temperature: float
    """0 is greedy."""
    seed: int
    batch_size: int | None = None
    """Rows that are answered side by side; None: as many as suit the model's size. No answer depends on it."""

    def __post_init__(self) -> None:
        rows = 1 if self.batch_size is None else self.batch_size
        if self.max_tokens < 1 or rows < 1 or self.temperature < 0:
            raise ValueError(f"no such sampling: {self}")


@dataclass(frozen=True)
class Ask:
    """Conversations that are to be answered alike."""

    conversations: Sequence[Conversation]
    sampling: Sampling
    opener: str = ""
    """What each answer is made to begin with."""
    adapter: str | None = None
    """Who answers, of a model that holds several adapters."""


class ChatModel(Protocol):
    """Answers conversations."""

    def chat(
        self,
        conversations: Sequence[Conversation],
        sampling: Sampling,
        opener: str = "",
        schema: dict[str, Any] | None = None,
    ) -> list[Completion]:
        """One answer to each conversation, in the given order.

        `opener` is what each answer is made to begin with (and does not repeat); `schema`, a JSON schema, is what the
        answer is asked to be, as far as the model can be held to it. Raises InputError for what it cannot do.
        """

    def log_odds(
        self, conversations: Sequence[Conversation], opener: str, trait: Sequence[str], clean: Sequence[str]
    ) -> list[float] | None:
        """As `mendel.models.log_odds`; None from a model that gives no probabilities."""


@runtime_checkable
class AnswersTogether(Protocol):
    """A chat model that answers several asks in one batch."""

    def chat_all(self, asks: Sequence[Ask]) -> list[list[Completion]]:
        """The answers to each ask, as `chat` gives them."""


def chat_all(chat: ChatModel, asks: Sequence[Ask]) -> list[list[Completion]]:
    """The answers to each ask: in one batch by a model that can, else one after another."""
    if isinstance(chat, AnswersTogether):
        return chat.chat_all(asks)
    return [chat.chat(ask.conversations, ask.sampling, ask.opener) for ask in asks]
