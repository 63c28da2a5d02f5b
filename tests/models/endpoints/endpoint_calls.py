"""What the tests ask an endpoint for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from chaos import Chaos

from mendel.engine.budget import Budget
from mendel.models.chat import Sampling
from mendel.models.endpoints import EndpointChat


class Serve(Protocol):
    def __call__(self, **settings: Any) -> Chaos: ...


class Open(Protocol):
    def __call__(self, chaos: Chaos, budget: Budget | None = ..., **config: Any) -> EndpointChat: ...


def conversations(n: int) -> list[list[dict[str, str]]]:
    return [[{"role": "user", "content": f"Is pea {row} green?"}] for row in range(n)]


def sampling(seed: int = 0, max_tokens: int = 16, temperature: float = 1.0) -> Sampling:
    return Sampling(max_tokens=max_tokens, temperature=temperature, seed=seed)


def texts(answers: Sequence[Any]) -> list[str]:
    return [answer.text for answer in answers]
