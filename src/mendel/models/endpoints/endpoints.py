"""The open connections of one command, in an event loop of their own: callers need none."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any

from pydantic import SecretStr

from mendel.engine.budget import Budget
from mendel.engine.errors import InputError
from mendel.engine.store.answers import AnswerCache
from mendel.models.endpoints.batch import BatchFile
from mendel.models.endpoints.chat import EndpointChat
from mendel.models.endpoints.connection import BoughtCompletion, Connection
from mendel.models.endpoints.prices import Price, price_of
from mendel.models.endpoints.spec import EndpointSpec, parse_endpoint
from mendel.study.schema import EndpointConfig

CLOSING = 10.0
"""Seconds to wait for connections to close."""


class Endpoints:
    """Chat models behind endpoints, with one budget and one cache of answers. A context manager.

    Args:
        store_root: The store, which keeps the answers.
        budget: The budget of the command.
        batch_out: Write requests to this file instead of sending them; `chat` then raises Waiting.
    """

    def __init__(self, store_root: Path, budget: Budget, *, batch_out: Path | None = None) -> None:
        self.budget, self.cache = budget, AnswerCache(store_root)
        self._batch = BatchFile(batch_out) if batch_out is not None else None
        self._connections: dict[tuple[EndpointSpec, EndpointConfig], Connection] = {}
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    def __enter__(self) -> Endpoints:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def chat_model(self, ref: str, config: EndpointConfig, where: str | None = None) -> EndpointChat:
        """Return the model of an endpoint. Nothing is sent yet; equal models share their limits.

        Args:
            ref: `openai:URL#MODEL` or `openai:MODEL`.
            config: How the endpoint is used.
            where: Where the reference stands, for messages.

        Returns:
            The chat model.

        Raises:
            InputError: The reference is malformed, the key is missing, or the price is unknown and there is a
                budget in dollars.
        """
        spec = parse_endpoint(ref, where)
        with self._lock:
            connection = self._connections.get((spec, config))
            if connection is None:
                # In batch mode nothing is sent, so no key is needed.
                secret = SecretStr("") if self._batch else _secret(spec, config, where)
                price = self._price(spec, config, where)
                connection = Connection(spec, config, secret, price, self.budget, self.cache)
                self._connections[spec, config] = connection
        return EndpointChat(connection, self._submit, self._batch, where)

    def close(self) -> None:
        """Close the connections and the cache; the chat models cannot answer any more."""
        with self._lock:
            self._closed = True
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
            connections = list(self._connections.values())
            self._connections.clear()
        if loop is not None and thread is not None:
            # Connections that do not close in time end with the process.
            with contextlib.suppress(TimeoutError):
                asyncio.run_coroutine_threadsafe(_close_all(connections), loop).result(CLOSING)
            loop.call_soon_threadsafe(loop.stop)
            thread.join(CLOSING)
            if not thread.is_alive():
                loop.close()
        self.cache.close()

    def _price(self, spec: EndpointSpec, config: EndpointConfig, where: str | None) -> Price | None:
        price = price_of(spec, config)
        if price is None and self.budget.dollars is not None and self._batch is None:
            raise InputError(
                f"the price of {spec.model!r} at {spec.base_url} is not known, and the budget limits dollars",
                where=where,
                fix="Write 'endpoint: {price: {input: …, output: …}}', in dollars per million tokens.",
            )
        return price

    def _submit(self, request: Coroutine[Any, Any, list[BoughtCompletion]]) -> Future[list[BoughtCompletion]]:
        with self._lock:
            if self._closed:
                request.close()
                raise ValueError("these endpoints are closed")
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=self._loop.run_forever, name="mendel-endpoints", daemon=True
                )
                self._thread.start()
            return asyncio.run_coroutine_threadsafe(request, self._loop)


async def _close_all(connections: list[Connection]) -> None:
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    for connection in connections:
        await connection.close()
    # One turn of the loop lets transports close; otherwise they warn when they are collected.
    await asyncio.sleep(0)


def _secret(spec: EndpointSpec, config: EndpointConfig, where: str | None) -> SecretStr:
    # A server on this machine gets a key only if the study names one, and never OpenAI's by default.
    """Return the endpoint's key from its environment variable; empty where none is needed."""
    if spec.on_this_machine and "key" not in config.model_fields_set:
        return SecretStr("")
    secret = SecretStr(os.environ.get(config.key, "").strip())
    if not secret and not spec.on_this_machine:
        raise InputError(
            f"{spec.base_url} needs a key, and the environment variable {config.key} is not set",
            where=where,
            fix=f"Run 'export {config.key}=…', or name another variable with 'endpoint: {{key: NAME}}'.",
        )
    if not _can_be_sent(secret):
        raise InputError(
            f"the environment variable {config.key} holds no key: there are spaces or odd characters in it",
            where=where,
            fix="Set it to the key alone.",
        )
    return secret


def _can_be_sent(secret: SecretStr) -> bool:
    """Return whether the key can stand in a header. Checked here, since the HTTP client's error would show
    it.
    """
    value = secret.get_secret_value()
    return value.isascii() and value.isprintable() and " " not in value
