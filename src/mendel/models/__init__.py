"""Models: checkpoints found and loaded, chat templates, generation, teacher-forced scores. Nothing here loads torch on import."""

from mendel.models.chat import ChatModel, LocalChat, chat_all
from mendel.models.checkpoints import (
    Checkpoint,
    attach_adapter,
    count_adapters,
    device,
    load_model,
    load_tokenizer,
    resolve_checkpoint,
)
from mendel.models.generation import Ask, Completion, Sampling, generate
from mendel.models.opening import ModelSource, open_chat, resolve_model
from mendel.models.scoring import log_odds, mean_nll
from mendel.models.templates import (
    Conversation,
    Example,
    encode_example,
    encode_examples,
    encode_prompt,
    stop_tokens,
    template_digest,
)
from mendel.models.together import side_by_side

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
