"""A model that was found: its reference, its content address and where it is."""

from __future__ import annotations

from dataclasses import dataclass, field

from mendel.models.checkpoints import Checkpoint
from mendel.study.schema import EndpointConfig


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
