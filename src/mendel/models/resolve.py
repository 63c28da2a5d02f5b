"""From a reference (`hf:`, `vllm:`, `openai:`) to a model that answers: found and named first, opened where it is used."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from mendel.engine.digest import digest
from mendel.engine.errors import InputError
from mendel.models.chat import ChatModel
from mendel.models.checkpoints import resolve_checkpoint
from mendel.models.local.chat import opened
from mendel.models.source import ModelSource
from mendel.study.references import MODELS, forms, parse_reference
from mendel.study.schema import EndpointConfig

if TYPE_CHECKING:
    from mendel.models.endpoints import Endpoints


def resolve_model(
    ref: str, root: Path, endpoint: EndpointConfig | None = None, where: str | None = None
) -> ModelSource:
    """Finds a model; loads and asks nothing. Raises InputError for an unknown scheme and a model that is not there."""
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
    """The model, ready to answer; raises InputError if it cannot be loaded, ValueError for an endpoint without `endpoints`."""
    if source.checkpoint is not None:
        return _served(source) if source.checkpoint.served else opened(source.checkpoint)
    if endpoints is None:
        raise ValueError(f"{source.ref} is asked from the main process alone")
    return endpoints.chat_model(source.ref, source.endpoint)


@lru_cache(maxsize=4)
def _served(source: ModelSource) -> ChatModel:
    # No model: its engine, which the others share, is another's matter.
    from mendel.models.vllm import VllmChat

    assert source.checkpoint is not None, "an endpoint is opened elsewhere"
    return VllmChat(source.checkpoint, source.rank)
