"""The errors for requests that failed for good: what happened, where, and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mendel.engine.errors import BudgetSpent, InputError, MendelError, RunError, did_you_mean
from mendel.models.endpoints.connection import Connection
from mendel.models.endpoints.faults import Failure

NAMED = 5
"""Models of an endpoint that a message lists."""
AGAIN = "Then run the same command: answers that are there are kept and not bought again."


@dataclass(frozen=True)
class FailedRequest:
    """What was being asked for when a request failed."""

    sizes: Sequence[int]
    """UTF-8 bytes of each conversation."""
    answered: int
    """How many of them have an answer."""
    failed: Sequence[int]
    """The places of the requests that failed in the same way as the reported one."""


async def explained(
    failure: Failure, connection: Connection, request: FailedRequest, where: str | None
) -> MendelError:
    """Return the error for a failure. Where the model is unknown, asks the endpoint for its models."""
    spec = connection.spec
    place = where or f"{spec.base_url}#{spec.model}"
    variable = connection.config.key
    state = f"; {request.answered} of {len(request.sizes)} answers are there and kept"
    if failure.kind == "key":
        words = f": {failure.message}" if failure.status == 403 and failure.message else ""
        return InputError(
            f"{spec.base_url} refuses the key (status {failure.status}){words}{state}",
            where=place,
            fix=f"Set the environment variable {variable} to a key that may use {spec.model!r}, "
            "or name another variable with 'endpoint: {key: NAME}'.",
        )
    if failure.kind == "model":
        return _unknown_model(failure, spec.model, spec.base_url, await connection.models(), place)
    if failure.kind == "context":
        return _context_exceeded(failure, request, place, state)
    if failure.kind == "quota":
        return RunError(
            f"the quota of the account behind {spec.base_url} is used up ({failure}){state}",
            where=place,
            fix=f"Raise it with the provider, or set {variable} to another account's key. {AGAIN}",
        )
    if failure.kind == "refused":
        return InputError(
            f"{spec.base_url} refuses the request ({failure}){state}",
            where=place,
            fix="Change what it refuses in the study, or take another model.",
        )
    return _unreachable(failure, connection, place, state)


def stopped(error: BudgetSpent, request: FailedRequest) -> BudgetSpent:
    """Return the error for a spent budget, with how many answers there are."""
    what = f"{error.what}; {request.answered} of {len(request.sizes)} answers are there and kept"
    return BudgetSpent(what, where=error.where, fix=error.fix)


def _unknown_model(failure: Failure, model: str, url: str, listed: list[str], place: str) -> InputError:
    what = f"{url} has no model {model!r} ({failure})"
    if not listed:
        return InputError(what, where=place, fix="Check the name after '#', and the address before it.")
    close = did_you_mean(model, listed)
    names = ", ".join(sorted(listed)[:NAMED]) + (", …" if len(listed) > NAMED else "")
    fix = f"{close} " if close.startswith("Did you mean") else ""
    return InputError(what, where=place, fix=f"{fix}It has: {names}.")


def _context_exceeded(failure: Failure, request: FailedRequest, place: str, state: str) -> InputError:
    # Not all were sent after the first refusal; a conversation as long as a refused one would be refused,
    # too.
    shortest = min(request.sizes[row] for row in request.failed)
    many = sum(size >= shortest for size in request.sizes)
    return InputError(
        f"{many} of {len(request.sizes)} conversations are too long for the model ({failure}); "
        f"the longest has {max(request.sizes):,} bytes{state}",
        where=place,
        fix="Shorten or drop them, lower 'max_tokens', or take a model with a longer context.",
    )


def _unreachable(failure: Failure, connection: Connection, place: str, state: str) -> RunError:
    url, tries = connection.spec.base_url, connection.config.retries + 1
    if failure.connection:
        fix = "Start the server" if connection.spec.on_this_machine else "Check the address and the network"
        return RunError(
            f"no server answers at {url} ({tries} tries){state}", where=place, fix=f"{fix}. {AGAIN}"
        )
    fix = "Wait, or raise 'endpoint: {timeout: …}' or 'retries', or lower 'concurrency'."
    return RunError(f"{url} failed {tries} times, last: {failure}{state}", where=place, fix=f"{fix} {AGAIN}")
