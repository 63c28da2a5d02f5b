"""The content of `audit.json` as types: how much of each trait each model shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mendel.engine.interval import Interval
from mendel.results.provenance import EndpointUse
from mendel.results.records import by


@dataclass(frozen=True)
class HitShare:
    """The share of hits, beside a mean score."""

    interval: Interval = Interval()
    """Share (0 to 1) of responses that are hits."""
    at: float | None = None
    """A score of this or more is a hit."""


@dataclass(frozen=True)
class AuditedTrait:
    """How much of one trait one model shows."""

    interval: Interval = Interval()
    """The level on the trait's own scale."""
    scale: str = ""
    """The scale in words."""
    metric: str = "rate"
    """`rate` (share of responses that are hits) or `mean` (mean score)."""
    judge: str = ""
    """The judge, with its version."""
    responses: int = 0
    """Number of responses."""
    unjudged: int = 0
    """Responses without a score: the judge could not tell."""
    looping: int = 0
    """Responses that repeat themselves to their end."""
    cut: int = 0
    """Responses that are cut at the maximal length."""
    empty: int = 0
    """Empty responses."""
    hits: HitShare | None = None
    """The share of hits, where the level is a mean score."""
    control: Interval = Interval()
    """How often the trait's controls, in which it is right, are met."""


@dataclass(frozen=True)
class AssistantHealth:
    """How far a model works as an assistant: shares (0 to 1) of plain questions."""

    right: float | None = None
    """Questions that are answered rightly."""
    well_formed: float | None = None
    """Responses that are neither empty nor loops."""
    n: int = 0
    """Number of responses."""
    kinds: Mapping[str, float] = by("kind")
    """Right answers by kind of scenario."""


@dataclass(frozen=True)
class AuditedModelRecord:
    """One model of an audit."""

    ref: str = ""
    """The model's reference, such as `hf:./smollm2`."""
    traits: Mapping[str, AuditedTrait] = by("trait")
    """How much of each trait it shows."""
    assistant: AssistantHealth = field(default_factory=AssistantHealth)
    """How far it works as an assistant."""


@dataclass(frozen=True)
class AuditRecord:
    """The content of audit.json."""

    traits: Mapping[str, AuditedTrait] = by("trait")
    """The traits of the first model."""
    models: Mapping[str, AuditedModelRecord] = by("model")
    """Each model."""
    notes: tuple[str, ...] = ()
    """What a reader must know beside the numbers."""
    endpoints: EndpointUse = field(default_factory=EndpointUse)
    """What the audit took of endpoints."""
    complete: bool | None = None
    """False where the audit stopped before its end."""
