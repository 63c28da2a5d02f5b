"""Batch files: requests to endpoints that are written down instead of sent, and a provider's answers to them."""

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
    """A file with a provider's answers, which are taken in before anything is asked; None: there is none."""
    write: str | Path | None = None
    """A file for the requests, which are then not sent: the command raises Waiting. None: requests are sent."""


def open_endpoints(store: Store, budget: BudgetConfig, batch: Batch) -> Endpoints:
    """Open the connections of one command, within its budget; a provider's answers are taken in first.

    Raises InputError for a file of answers that cannot be read.
    """
    if batch.read is not None:
        read_batch(Path(batch.read), AnswerCache(store.root))
    limits = Budget(budget.dollars, budget.tokens, budget.requests)
    return Endpoints(store.root, limits, batch_out=None if batch.write is None else Path(batch.write))
