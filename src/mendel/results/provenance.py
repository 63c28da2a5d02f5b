"""How a run was made, as verdicts.json says it: words of arms, plug-ins, endpoints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ArmWords:
    """What to call an arm."""

    label: str = ""
    """A short name, without the trait's."""
    what: str = ""
    """What is done in the arm, in a sentence; empty where the label says all."""
    trait: str | None = None
    """The trait whose prompts are edited; null where the arm serves all traits."""


@dataclass(frozen=True)
class PluginUse:
    """A plug-in of another package that took part in the run."""

    kind: str = ""
    """What it is: `trait`, `judge`, `selector`, `teacher`, `arm_kind`, `hypothesis`, `remedy`, `trainer` or
    `executor`."""
    name: str = ""
    """Its name, qualified by its package."""
    package: str = ""
    """The package."""
    version: str | None = None
    """The package's version; null for a script or notebook."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """The options that the study gives it."""


@dataclass(frozen=True)
class TokenCount:
    """Tokens that endpoints counted."""

    prompt: int = 0
    """Tokens sent."""
    answer: int = 0
    """Tokens generated."""


@dataclass(frozen=True)
class EndpointUse:
    """What the run took of endpoints."""

    dollars: float | None = None
    """US dollars; null where a price is unknown."""
    tokens: TokenCount = TokenCount()
    """Tokens."""
    requests: int = 0
    """Requests that were sent, failed ones included."""
    cached: int = 0
    """Answers that the store already had."""
