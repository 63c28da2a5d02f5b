"""Chat models: whatever answers conversations, a checkpoint in this process or an endpoint, behind one interface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from mendel.models.generation import Completion, Sampling, generate
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

    def log_odds(
        self, conversations: Sequence[Conversation], opener: str, trait: Sequence[str], clean: Sequence[str]
    ) -> list[float] | None:
        """Teacher-forced here."""
        return log_odds(self.model, self.tokenizer, conversations, opener, trait, clean)
