"""From a reference (`hf:`, `vllm:`, `openai:`) to a model: it is found and named first, and opened where it
is used.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from mendel.engine.digest import digest
from mendel.engine.errors import InputError
from mendel.models.chat import ChatModel
from mendel.models.checkpoints import resolve_checkpoint
from mendel.models.local.chat import open_local
from mendel.models.source import ModelSource
from mendel.study.references import MODELS, forms, parse_reference
from mendel.study.schema import EndpointConfig

if TYPE_CHECKING:
    from mendel.models.endpoints import Endpoints


def resolve_model(
    ref: str, root: Path, endpoint: EndpointConfig | None = None, where: str | None = None
) -> ModelSource:
    """Find a model. Nothing is loaded or sent.

    Args:
        ref: `hf:FOLDER`, `hf:HUB_NAME`, `vllm:` in place of `hf:`, `openai:URL#MODEL` or `openai:MODEL`.
        root: The folder that relative folders start from.
        endpoint: How an endpoint is used.
        where: Where the reference stands, for messages.

    Returns:
        The model as a value.

    Raises:
        InputError: The scheme is unknown, or there is no such model.
    """
    named = parse_reference(ref)
    if not named.names_model:
        raise InputError(
            "no model",
            where=where,
            value=ref,
            allowed=forms(*MODELS),
            fix=None if named.scheme in MODELS or not ref else f"Write hf:{ref} for a checkpoint.",
        )
    if named.scheme == "openai":
        from mendel.models.endpoints import parse_endpoint

        spec = parse_endpoint(ref, where)
        return ModelSource(
            ref, digest("endpoint", [spec.base_url, spec.model]), None, endpoint or EndpointConfig()
        )
    checkpoint = resolve_checkpoint(ref, root, where)
    return ModelSource(ref, checkpoint.digest, checkpoint)


def open_chat(source: ModelSource, endpoints: Endpoints | None = None) -> ChatModel:
    """Open a model.

    Args:
        source: The model.
        endpoints: The connections of this process; needed for a model behind an endpoint.

    Returns:
        The model, ready to answer.

    Raises:
        InputError: It cannot be loaded.
        ValueError: It is behind an endpoint, and `endpoints` is None.
    """
    if source.checkpoint is not None:
        return open_served(source) if source.checkpoint.served else open_local(source.checkpoint)
    if endpoints is None:
        raise ValueError(f"{source.ref} is asked from the main process alone")
    return endpoints.chat_model(source.ref, source.endpoint)


@lru_cache(maxsize=4)
def open_served(source: ModelSource) -> ChatModel:
    """Return the chat model of a checkpoint that vLLM serves."""
    # Only the client is kept here; the engine that vLLM models share is kept by `mendel.models.vllm.engine`.
    from mendel.models.vllm import VllmChat

    assert source.checkpoint is not None, "only for checkpoints"
    return VllmChat(source.checkpoint, source.rank)
