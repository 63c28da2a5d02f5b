"""A model that was found: its reference, its content address and where it is."""

from __future__ import annotations

from dataclasses import dataclass, field

from mendel.models.checkpoints import Checkpoint
from mendel.study.schema import EndpointConfig


@dataclass(frozen=True)
class ModelSource:
    """A model that was found, as a picklable value."""

    ref: str
    """The reference as the study names it."""
    digest: str
    """Content address. For an endpoint: its address and the model's name there."""
    checkpoint: Checkpoint | None
    """None for a model behind an endpoint."""
    endpoint: EndpointConfig = field(default=EndpointConfig(), compare=False)
    """How the endpoint is used. It is not part of what the model is, so it does not count in comparisons."""
    rank: int = field(default=0, compare=False)
    """The highest rank of the adapters that will share an engine with the model; 0 for none. It does not
    count in comparisons."""

    @property
    def remote(self) -> bool:
        """Whether the model is behind an endpoint: only the main process holds connections."""
        return self.checkpoint is None
