"""Many requests at once. Cached answers are not bought again, a final failure stops the rest, and what has
arrived is kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from mendel.engine.errors import BudgetSpent, MendelError
from mendel.models.endpoints.batch import BatchFile
from mendel.models.endpoints.connection import BoughtCompletion, Connection
from mendel.models.endpoints.faults import Failure
from mendel.models.endpoints.messages import FailedRequest, explained, stopped
from mendel.models.endpoints.requests import KIND, Shape, request_key
from mendel.models.endpoints.spec import DEFAULT_URL
from mendel.models.endpoints.tokens import text_size

Request = dict[str, Any]
SPREAD = 0.05
"""Seconds over which the first requests are spread: about an endpoint's shortest answer."""


async def ask_all(
    connection: Connection,
    requests: Sequence[Request],
    places: Sequence[int],
    batch: BatchFile | None,
    where: str | None,
) -> list[BoughtCompletion]:
    """Return one answer to each request, in the given order.

    Raises Waiting if requests went into the batch file. Otherwise waits for all requests in flight, whose
    answers are kept, and raises the one MendelError that says what failed first.
    """
    keys = [
        request_key(connection.spec, request, place) for request, place in zip(requests, places, strict=True)
    ]
    answers = _cached(connection, keys)
    # By key: a request that is made twice is bought once.
    missing = {key: request for key, request in zip(keys, requests, strict=True) if key not in answers}
    if missing and batch is not None:
        # A batch service cannot refuse a field at once, so the names are those that it is known to take.
        shape = Shape(new_length_name=connection.spec.base_url == DEFAULT_URL)
        raise batch.add({key: shape.apply(request) for key, request in missing.items()})
    failures = await _buy_all(connection, missing, answers)
    if failures:
        sizes = [text_size(request["messages"]) for request in requests]
        answered = sum(key in answers for key in keys)
        await _raise_first(failures, connection, keys, FailedRequest(sizes, answered, ()), where)
    return [answers[key] for key in keys]


def _cached(connection: Connection, keys: Sequence[str]) -> dict[str, BoughtCompletion]:
    """Return the answers that are in the store, by key."""
    values = connection.cache.get_many(KIND, keys)
    connection.budget.count_cached(len(values))
    return {
        key: BoughtCompletion(value["completion"], value["dollars"], cached=True)
        for key, value in values.items()
    }


async def _buy_all(
    connection: Connection, missing: dict[str, Request], answers: dict[str, BoughtCompletion]
) -> dict[str, Failure | MendelError]:
    """Send the missing requests, put their answers into `answers`, and return what failed, by key."""
    failures: dict[str, Failure | MendelError] = {}
    waiting = iter(missing.items())

    async def work(place: int) -> None:
        # Requests that start together end together, and would then wait for each other again and again.
        await asyncio.sleep(SPREAD * place / workers)
        for key, request in waiting:
            try:
                answers[key] = await connection.buy(request, key)
            except (Failure, MendelError) as error:
                failures[key] = error
            if failures:
                return

    workers = min(connection.config.concurrency, len(missing))
    await asyncio.gather(*(work(place) for place in range(workers)))
    return failures


async def _raise_first(
    failures: dict[str, Failure | MendelError],
    connection: Connection,
    keys: Sequence[str],
    request: FailedRequest,
    where: str | None,
) -> None:
    # A spent budget ends the command in its own way; otherwise the first failure mostly caused the others.
    """Raise the error for the first failure."""
    first = next((e for e in failures.values() if isinstance(e, BudgetSpent)), next(iter(failures.values())))
    if isinstance(first, BudgetSpent):
        raise stopped(first, request)
    if isinstance(first, MendelError):
        raise first
    same_kind = {
        key for key, error in failures.items() if isinstance(error, Failure) and error.kind == first.kind
    }
    rows = [row for row, key in enumerate(keys) if key in same_kind]
    raise await explained(first, connection, FailedRequest(request.sizes, request.answered, rows), where)
