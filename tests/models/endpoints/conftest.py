from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from chaos import Chaos, serving
from endpoint_calls import Open, Serve

from mendel.engine.budget import Budget
from mendel.models.endpoints import EndpointChat, Endpoints, connection
from mendel.study.schema import EndpointConfig


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(connection, "LONGEST_PAUSE", 0.1)


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Chaos endpoints that end with the test."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(serving(Chaos(**settings)))


@pytest.fixture
def open_chat(tmp_path: Path) -> Iterator[Open]:
    """The chat model of a chaos endpoint, each from an `Endpoints` of its own over one store: a run of its
    own.
    """
    with ExitStack() as stack:

        def opened(chaos: Chaos, budget: Budget | None = None, **config: Any) -> EndpointChat:
            batch_out, model = config.pop("batch_out", None), config.pop("model", "pea")
            endpoints = Endpoints(tmp_path, budget or Budget(), batch_out=batch_out)
            stack.enter_context(endpoints)
            return endpoints.chat_model(f"openai:{chaos.url}#{model}", EndpointConfig(**config))

        yield opened
