"""Many requests at once: what the cache has is not asked, what fails for good stops the rest, what has arrived is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from mendel.engine.errors import BudgetSpent, MendelError
from mendel.models.endpoints._connection import BoughtCompletion, Connection
from mendel.models.endpoints._faults import Failure
from mendel.models.endpoints._messages import FailedRequest, explained, stopped
from mendel.models.endpoints._requests import KIND, Shape, request_key
from mendel.models.endpoints._tokens import text_size
from mendel.models.endpoints.batch import BatchFile
from mendel.models.endpoints.spec import DEFAULT_URL

Request = dict[str, Any]
SPREAD = 0.05
"""Seconds over which the first requests are spread: about the shortest answer of an endpoint."""


async def ask_all(
    connection: Connection,
    requests: Sequence[Request],
    places: Sequence[int],
    batch: BatchFile | None,
    where: str | None,
) -> list[BoughtCompletion]:
    """One answer to each request, in the given order.

    Raises Waiting if requests went into the batch file; else, after all that is in flight is there and kept, the one
    MendelError that says what failed first.
    """
    keys = [
        request_key(connection.spec, request, place) for request, place in zip(requests, places, strict=True)
    ]
    answers = _known(connection, keys)
    # By key: what is asked for twice is bought once.
    missing = {key: request for key, request in zip(keys, requests, strict=True) if key not in answers}
    if missing and batch is not None:
        # Nobody is there to refuse a field, so the names are those that the batch service is known to take.
        shape = Shape(new_length_name=connection.spec.base_url == DEFAULT_URL)
        raise batch.add({key: shape.put(request) for key, request in missing.items()})
    failures = await _buy_all(connection, missing, answers)
    if failures:
        sizes = [text_size(request["messages"]) for request in requests]
        answered = sum(key in answers for key in keys)
        await _raise_first(failures, connection, keys, FailedRequest(sizes, answered, ()), where)
    return [answers[key] for key in keys]


def _known(connection: Connection, keys: Sequence[str]) -> dict[str, BoughtCompletion]:
    values = connection.cache.get_many(KIND, keys)
    connection.budget.count_cached(len(values))
    return {
        key: BoughtCompletion(value["completion"], value["dollars"], cached=True)
        for key, value in values.items()
    }


async def _buy_all(
    connection: Connection, missing: dict[str, Request], answers: dict[str, BoughtCompletion]
) -> dict[str, Failure | MendelError]:
    failures: dict[str, Failure | MendelError] = {}
    waiting = iter(missing.items())

    async def work(place: int) -> None:
        # Requests that start together end together, and then wait for each other here, again and again.
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
    asked: FailedRequest,
    where: str | None,
) -> None:
    # A budget that is spent ends the command in a way of its own; else the first failure is mostly the others' cause.
    first = next((e for e in failures.values() if isinstance(e, BudgetSpent)), next(iter(failures.values())))
    if isinstance(first, BudgetSpent):
        raise stopped(first, asked)
    if isinstance(first, MendelError):
        raise first
    alike = {
        key for key, error in failures.items() if isinstance(error, Failure) and error.kind == first.kind
    }
    rows = [row for row, key in enumerate(keys) if key in alike]
    raise await explained(first, connection, FailedRequest(asked.sizes, asked.answered, rows), where)
