"""What tokens cost: the study's price, else the built-in table's, else unknown (which is not 0)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from mendel.engine.budget import Tokens
from mendel.models.endpoints.spec import EndpointSpec
from mendel.study.schema import EndpointConfig

TABLE = Path(__file__).with_name("prices.yaml")
VERSION = re.compile(r"-(\d{8}|\d{4}-\d{2}-\d{2}|latest)$")
"""What providers append to a model's name for one version of it."""


@dataclass(frozen=True)
class Price:
    """Dollars per million tokens."""

    input: float
    output: float

    def dollars(self, tokens: Tokens) -> float:
        """Return what these tokens cost, in US dollars."""
        return (tokens.prompt * self.input + tokens.answer * self.output) / 1e6


def price_of(spec: EndpointSpec, config: EndpointConfig) -> Price | None:
    """Return the price of an endpoint's tokens.

    Args:
        spec: The endpoint.
        config: The study's settings for it; a price there comes first.

    Returns:
        The price: 0 for a server on this machine, the table's otherwise, None if it is unknown.
    """
    if config.price is not None:
        return Price(config.price.input, config.price.output)
    if spec.on_this_machine:
        return Price(0.0, 0.0)
    models = price_table()["providers"].get(spec.host, {})
    listed = models.get(spec.model) or models.get(VERSION.sub("", spec.model))
    return Price(listed["input"], listed["output"]) if listed else None


@cache
def price_table() -> dict[str, Any]:
    """Return the built-in prices: `as_of` (year and month), and `providers` by host and model."""
    table: dict[str, Any] = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    return table
