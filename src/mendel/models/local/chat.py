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
    """A `ChatModel` of a model in this process."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase

    def chat(
        self,
        conversations: Sequence[Conversation],
        sampling: Sampling,
        prefix: str = "",
        schema: dict[str, Any] | None = None,
    ) -> list[Completion]:
        """Answer conversations, as `ChatModel.chat`. Nothing holds the model to a schema but its
        instructions.
        """
        return generate(self.model, self.tokenizer, conversations, sampling, prefix)

    def chat_all(self, asks: Sequence[Ask]) -> list[list[Completion]]:
        """Answer several asks in one batch."""
        return generate_all(self.model, self.tokenizer, asks)

    def log_odds(
        self, conversations: Sequence[Conversation], prefix: str, trait: Sequence[str], clean: Sequence[str]
    ) -> list[float] | None:
        """Return log-odds as `mendel.models.log_odds`."""
        return log_odds(self.model, self.tokenizer, conversations, prefix, trait, clean)


@lru_cache(maxsize=1)
def open_local(checkpoint: Checkpoint) -> ChatModel:
    """Open a checkpoint. The one opened last is kept: a worker does one model's work piece after piece."""
    return LocalChat(load_model(checkpoint), load_tokenizer(checkpoint))


def release() -> None:
    """Free the memory of the checkpoint that is kept open."""
    open_local.cache_clear()
