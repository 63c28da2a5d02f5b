"""Chat models: whatever answers conversations, a checkpoint in this process or an endpoint, behind one interface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from mendel.models.generation import Ask, Completion, Sampling, generate, generate_all
from mendel.models.scoring import log_odds
from mendel.models.templates import Conversation

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


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


@dataclass(frozen=True)
class LocalChat:
    """A model in this process."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase

    def chat(
        self,
        conversations: Sequence[Conversation],
        sampling: Sampling,
        opener: str = "",
        schema: dict[str, Any] | None = None,
    ) -> list[Completion]:
        """Generated here; nothing holds it to a schema but what it was told."""
        return generate(self.model, self.tokenizer, conversations, sampling, opener)

    def chat_all(self, asks: Sequence[Ask]) -> list[list[Completion]]:
        """Generated here, in one batch."""
        return generate_all(self.model, self.tokenizer, asks)

    def log_odds(
        self, conversations: Sequence[Conversation], opener: str, trait: Sequence[str], clean: Sequence[str]
    ) -> list[float] | None:
        """Teacher-forced here."""
        return log_odds(self.model, self.tokenizer, conversations, opener, trait, clean)
