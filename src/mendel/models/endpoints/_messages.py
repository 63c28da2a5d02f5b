"""What the user is told when a request has failed for good: what, where, and how to mend it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mendel.engine.errors import BudgetSpent, InputError, MendelError, RunError, did_you_mean
from mendel.models.endpoints._connection import Connection
from mendel.models.endpoints._faults import Failure

NAMED = 5
"""Models of an endpoint that a message lists."""
AGAIN = "Then run the same command: answers that are there are kept and not bought again."


@dataclass(frozen=True)
class FailedRequest:
    """What was asked for when a request failed."""

    sizes: Sequence[int]
    """UTF-8 bytes of each conversation."""
    answered: int
    failed: Sequence[int]
    """The places of the requests that failed as the reported one did."""


async def explained(
    failure: Failure, connection: Connection, asked: FailedRequest, where: str | None
) -> MendelError:
    """The one error for a failure; asks the endpoint for its models where the model is unknown."""
    spec = connection.spec
    place = where or f"{spec.base_url}#{spec.model}"
    variable, kept = (
        connection.config.key,
        f"; {asked.answered} of {len(asked.sizes)} answers are there and kept",
    )
    if failure.kind == "key":
        said = f": {failure.message}" if failure.status == 403 and failure.message else ""
        return InputError(
            f"{spec.base_url} refuses the key (status {failure.status}){said}{kept}",
            where=place,
            fix=f"Set the environment variable {variable} to a key that may use {spec.model!r}, "
            "or name another variable with 'endpoint: {key: NAME}'.",
        )
    if failure.kind == "model":
        return _unknown_model(failure, spec.model, spec.base_url, await connection.models(), place)
    if failure.kind == "context":
        return _too_long(failure, asked, place, kept)
    if failure.kind == "quota":
        return RunError(
            f"the quota of the account behind {spec.base_url} is used up ({failure}){kept}",
            where=place,
            fix=f"Raise it with the provider, or set {variable} to another account's key. {AGAIN}",
        )
    if failure.kind == "refused":
        return InputError(
            f"{spec.base_url} refuses the request ({failure}){kept}",
            where=place,
            fix="Change what it refuses in the study, or take another model.",
        )
    return _gone(failure, connection, place, kept)


def stopped(error: BudgetSpent, asked: FailedRequest) -> BudgetSpent:
    """The same, with how far it came."""
    what = f"{error.what}; {asked.answered} of {len(asked.sizes)} answers are there and kept"
    return BudgetSpent(what, where=error.where, fix=error.fix)


def _unknown_model(failure: Failure, model: str, url: str, known: list[str], place: str) -> InputError:
    what = f"{url} has no model {model!r} ({failure})"
    if not known:
        return InputError(what, where=place, fix="Check the name after '#', and the address before it.")
    close = did_you_mean(model, known)
    listed = ", ".join(sorted(known)[:NAMED]) + (", …" if len(known) > NAMED else "")
    fix = f"{close} " if close.startswith("Did you mean") else ""
    return InputError(what, where=place, fix=f"{fix}It has: {listed}.")


def _too_long(failure: Failure, asked: FailedRequest, place: str, kept: str) -> InputError:
    # Not all were sent after the first refusal; whatever is as long as a refused one would be refused, too.
    shortest = min(asked.sizes[row] for row in asked.failed)
    many = sum(size >= shortest for size in asked.sizes)
    return InputError(
        f"{many} of {len(asked.sizes)} conversations are too long for the model ({failure}); "
        f"the longest has {max(asked.sizes):,} bytes{kept}",
        where=place,
        fix="Shorten or drop them, lower 'max_tokens', or take a model with a longer context.",
    )


def _gone(failure: Failure, connection: Connection, place: str, kept: str) -> RunError:
    url, tries = connection.spec.base_url, connection.config.retries + 1
    if failure.connection:
        fix = "Start the server" if connection.spec.on_this_machine else "Check the address and the network"
        return RunError(f"nobody answers at {url} ({tries} tries){kept}", where=place, fix=f"{fix}. {AGAIN}")
    fix = "Wait, or raise 'endpoint: {timeout: …}' or 'retries', or lower 'concurrency'."
    return RunError(f"{url} failed {tries} times, last: {failure}{kept}", where=place, fix=f"{fix} {AGAIN}")
