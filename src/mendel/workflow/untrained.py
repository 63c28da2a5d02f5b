"""Models measured as they are: checkpoints in workers, those behind endpoints from the main process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from mendel.engine.budget import Budget
from mendel.engine.executors import Executor
from mendel.engine.store import Store
from mendel.engine.store.answers import AnswerCache
from mendel.measure import Health
from mendel.models import open_chat
from mendel.models.endpoints import Endpoints, read_batch
from mendel.study.schema import BudgetConfig
from mendel.workflow.jobs import ModelJob, measure_model
from mendel.workflow.judging import Judging


def open_endpoints(
    store: Store, budget: BudgetConfig, batch_in: str | Path | None, batch_out: str | Path | None
) -> Endpoints:
    """The connections of one command, within its budget; answers of a provider's batch are taken in first."""
    if batch_in is not None:
        read_batch(Path(batch_in), AnswerCache(store.root))
    limits = Budget(budget.dollars, budget.tokens, budget.requests)
    return Endpoints(store.root, limits, batch_out=Path(batch_out) if batch_out is not None else None)


def measured(
    jobs: Sequence[ModelJob], executor: Executor, judging: Judging
) -> Iterator[tuple[ModelJob, Health]]:
    """Each model measured and judged: checkpoints in workers, those behind endpoints from here."""
    for job, health in executor.map(measure_model, [job for job in jobs if not job.source.remote]):
        judging.finish_model(job)
        yield job, health
    for job in jobs:
        if job.source.remote:
            health = measure_model(job, open_chat(job.source, judging.endpoints))
            judging.finish_model(job)
            yield job, health
