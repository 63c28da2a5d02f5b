"""Models: checkpoints found and loaded, chat templates, generation, teacher-forced scores, endpoints.
Importing this package loads no torch.
"""

from mendel.models.chat import Ask, ChatModel, Completion, Sampling, chat_all
from mendel.models.checkpoints import Checkpoint, resolve_checkpoint
from mendel.models.local.chat import LocalChat
from mendel.models.local.generation import generate
from mendel.models.local.loading import attach_adapter, count_adapters, device, load_model, load_tokenizer
from mendel.models.local.scoring import log_odds, mean_nll
from mendel.models.local.together import side_by_side
from mendel.models.resolve import open_chat, resolve_model
from mendel.models.source import ModelSource
from mendel.models.templates import (
    Conversation,
    Example,
    encode_example,
    encode_examples,
    encode_prompt,
    stop_tokens,
    template_digest,
)

__all__ = [
    "Ask",
    "ChatModel",
    "Checkpoint",
    "Completion",
    "Conversation",
    "Example",
    "LocalChat",
    "ModelSource",
    "Sampling",
    "attach_adapter",
    "chat_all",
    "count_adapters",
    "device",
    "encode_example",
    "encode_examples",
    "encode_prompt",
    "generate",
    "load_model",
    "load_tokenizer",
    "log_odds",
    "mean_nll",
    "open_chat",
    "resolve_checkpoint",
    "resolve_model",
    "side_by_side",
    "stop_tokens",
    "template_digest",
]
