"""From a reference (`hf:`, `vllm:`, `openai:`) to a model that answers: found and named first, opened where it is used."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from mendel.engine.digest import digest
from mendel.engine.errors import InputError
from mendel.models.chat import ChatModel, LocalChat
from mendel.models.checkpoints import Checkpoint, load_model, load_tokenizer, resolve_checkpoint
from mendel.study.schema import EndpointConfig

if TYPE_CHECKING:
    from mendel.models.endpoints import Endpoints

SCHEMES = ("hf", "openai", "vllm")


@dataclass(frozen=True)
class ModelSource:
    """A model that was found, as a picklable value."""

    ref: str
    """As it was named."""
    digest: str
    """Content address: a checkpoint's, or an endpoint's address and the model's name there."""
    checkpoint: Checkpoint | None
    """None: behind an endpoint."""
    endpoint: EndpointConfig = field(default=EndpointConfig(), compare=False)
    """How the endpoint is asked: no part of what the model is."""
    rank: int = field(default=0, compare=False)
    """The highest of adapters that are to share an engine with it: no part of what it is either."""

    @property
    def remote(self) -> bool:
        """Whether it is asked over a connection, which only the main process holds."""
        return self.checkpoint is None


def resolve_model(
    ref: str, root: Path, endpoint: EndpointConfig | None = None, where: str | None = None
) -> ModelSource:
    """Finds a model; loads and asks nothing. Raises InputError for an unknown scheme and a model that is not there."""
    scheme, _, rest = ref.partition(":")
    if scheme not in SCHEMES or not rest:
        raise InputError(
            "no model",
            where=where,
            value=ref,
            allowed="hf:FOLDER, hf:HUB_NAME, openai:URL#MODEL, openai:MODEL, vllm:FOLDER",
            fix=None if scheme in SCHEMES or not ref else f"Write hf:{ref} for a checkpoint.",
        )
    if scheme == "openai":
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
        return _served(source) if source.checkpoint.served else _opened(source)
    if endpoints is None:
        raise ValueError(f"{source.ref} is asked from the main process alone")
    return endpoints.chat_model(source.ref, source.endpoint)


def let_go() -> None:
    """The checkpoint that is kept open goes, where its memory is wanted."""
    _opened.cache_clear()


@lru_cache(maxsize=1)
def _opened(source: ModelSource) -> ChatModel:
    # One is kept, since a worker does one model's work piece after piece.
    assert source.checkpoint is not None, "an endpoint is opened elsewhere"
    return LocalChat(load_model(source.checkpoint), load_tokenizer(source.checkpoint))


@lru_cache(maxsize=4)
def _served(source: ModelSource) -> ChatModel:
    # No model: its engine, which the others share, is another's matter.
    from mendel.models.vllm import VllmChat

    assert source.checkpoint is not None, "an endpoint is opened elsewhere"
    return VllmChat(source.checkpoint, source.rank)
