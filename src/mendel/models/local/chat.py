"""A chat model in this process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from mendel.models.chat import Ask, ChatModel, Completion, Sampling
from mendel.models.checkpoints import Checkpoint
from mendel.models.local.generation import generate, generate_all
from mendel.models.local.loading import load_model, load_tokenizer
from mendel.models.local.scoring import log_odds
from mendel.models.templates import Conversation

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


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


@lru_cache(maxsize=1)
def opened(checkpoint: Checkpoint) -> ChatModel:
    """Open a checkpoint; the one opened last is kept, since a worker does one model's work piece after piece."""
    return LocalChat(load_model(checkpoint), load_tokenizer(checkpoint))


def release() -> None:
    """Free the memory of the checkpoint that is kept open."""
    opened.cache_clear()
