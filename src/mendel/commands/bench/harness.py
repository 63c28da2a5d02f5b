"""What all benches share: jobs over organisms, each done once, kept in the store, and never outliving the code."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any, Protocol, TypeVar

import mendel
from mendel.engine.digest import digest
from mendel.engine.executors import Executor, LocalExecutor, default_workers
from mendel.engine.progress import NullProgress, Progress
from mendel.engine.store import Store


class OrganismJob(Protocol):
    """One organism to make and to try something on."""

    @property
    def seed(self) -> int:
        """The organism's seed."""

    @property
    def store(self) -> Path:
        """The store's folder."""

    @property
    def key(self) -> str:
        """The store's name for its record."""


Job = TypeVar("Job", bound=OrganismJob)
Record = TypeVar("Record")


def run_jobs(
    jobs: Sequence[Job],
    work: Callable[[Job], Record],
    label: Callable[[Job, Record], str],
    *,
    executor: Executor | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> list[Record]:
    """Return the jobs' records, in their order; those that the store has are not made again.

    Args:
        jobs: What is done; each names its store.
        work: Does one job in a worker; a function of a module.
        label: What progress says of a finished job.
        executor: Where jobs run; None: worker processes of this command.
        workers: Their number; None: as many as suit the machine.
        progress: Who is told; None: nobody.
    """
    told = progress or NullProgress()
    told.stage("organisms", len(jobs))
    records: dict[Job, Record] = {}
    for job, record in _map(work, jobs, executor, workers):
        records[job] = record
        told.step(1, f"{len(records)} of {len(jobs)}: {label(job, record)}")
    return [records[job] for job in jobs]


def _map(
    work: Callable[[Job], Record], jobs: Sequence[Job], executor: Executor | None, workers: int | None
) -> Iterator[tuple[Job, Record]]:
    if executor is not None:
        yield from executor.map(work, jobs)
        return
    with LocalExecutor(workers or default_workers()) as own:
        yield from own.map(work, jobs)


def once(job: OrganismJob, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return the record (JSON-able) that the store has of a job, or make it and keep it."""
    store = Store(job.store)
    record: dict[str, Any] | None = store.read_json("benches", job.key)
    if record is None:
        record = work()
        store.write_json("benches", job.key, record)
    return record


@cache
def source_digest() -> str:
    """Return a digest of the package's source: a record does not outlive a change of the code."""
    root = Path(mendel.__file__).parent
    files = sorted(root.rglob("*.py"))
    return digest("source", [[f.relative_to(root).as_posix(), f.read_text(encoding="utf-8")] for f in files])


def spread(values: Sequence[float], digits: int) -> Mapping[str, float | None]:
    """Return the mean, the least and the greatest of some values; nulls without any."""
    if not values:
        return {"mean": None, "least": None, "most": None}
    return {"mean": round(fmean(values), digits), "least": min(values), "most": max(values)}
