"""Batch files: requests to endpoints are written to a file, and a provider's answers are read from one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mendel.engine.budget import Budget
from mendel.engine.store import AnswerCache, Store
from mendel.models.endpoints import Endpoints, read_batch
from mendel.study.schema import BudgetConfig


@dataclass(frozen=True)
class Batch:
    """The batch files of one command, for a provider's batch service."""

    read: str | Path | None = None
    """A file with a provider's answers, which is read before any request is made; None: no file."""
    write: str | Path | None = None
    """A file for the requests. They are not sent, and the command raises Waiting. None: requests are sent."""


def open_endpoints(store: Store, budget: BudgetConfig, batch: Batch) -> Endpoints:
    """Read a provider's answers, if there are any, and return the connections of one command.

    Args:
        store: Keeps the answers.
        budget: Limits of dollars, tokens and requests.
        batch: The batch files.

    Raises:
        InputError: The file of answers cannot be read.
    """
    if batch.read is not None:
        read_batch(Path(batch.read), AnswerCache(store.root))
    limits = Budget(budget.dollars, budget.tokens, budget.requests)
    return Endpoints(store.root, limits, batch_out=None if batch.write is None else Path(batch.write))
