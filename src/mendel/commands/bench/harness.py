"""Shared by all benches: run jobs over organisms, and keep their records until the code changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any, Protocol, TypeVar

import mendel
from mendel.engine.digest import digest
from mendel.engine.executors import Executor, LocalExecutor, default_workers
from mendel.engine.progress import NullProgress, Progress
from mendel.engine.store import Store
from mendel.results.notebook import Shown


class OrganismJob(Protocol):
    """A bench's work on one organism."""

    @property
    def seed(self) -> int:
        """The organism's seed."""

    @property
    def store(self) -> Path:
        """The store's folder."""

    @property
    def key(self) -> str:
        """The key of its record in the store."""


@dataclass(frozen=True)
class BenchResult(Shown):
    """What a bench measured."""

    content: dict[str, Any]
    """Every number and record; JSON-able."""
    text: str
    """The same for people."""

    def to_json(self) -> dict[str, Any]:
        """Return the object for `--json`."""
        return self.content

    def describe(self) -> str:
        """Return the result as lines of text, for people."""
        return self.text


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
    """Return the jobs' records, in the order of the jobs. Records that the store has are reused.

    Args:
        jobs: The jobs; each names its store.
        work: Does one job in a worker; a function at the top level of a module, so that it can be pickled.
        label: Returns the text that progress shows for a finished job.
        executor: Runs the jobs; None: local worker processes.
        workers: Number of local worker processes; None: as many as suit the machine.
        progress: Receives progress events; None: progress is not shown.
    """
    events = progress or NullProgress()
    events.stage("organisms", len(jobs))
    records: dict[Job, Record] = {}
    for job, record in _map(work, jobs, executor, workers):
        records[job] = record
        events.step(1, f"{len(records)} of {len(jobs)}: {label(job, record)}")
    return [records[job] for job in jobs]


def _map(
    work: Callable[[Job], Record], jobs: Sequence[Job], executor: Executor | None, workers: int | None
) -> Iterator[tuple[Job, Record]]:
    if executor is not None:
        yield from executor.map(work, jobs)
        return
    with LocalExecutor(workers or default_workers()) as local:
        yield from local.map(work, jobs)


def once(job: OrganismJob, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return a job's record, a JSON object, from the store; if it is not there, call `work` and store it."""
    store = Store(job.store)
    record: dict[str, Any] | None = store.read_json("benches", job.key)
    if record is None:
        record = work()
        store.write_json("benches", job.key, record)
    return record


@cache
def source_digest() -> str:
    """Return a digest of the package's source, so that a change of the code makes new records."""
    root = Path(mendel.__file__).parent
    files = sorted(root.rglob("*.py"))
    return digest("source", [[f.relative_to(root).as_posix(), f.read_text(encoding="utf-8")] for f in files])


def spread(values: Sequence[float], digits: int) -> Mapping[str, float | None]:
    """Return the mean, least and greatest value; three nulls if there are no values."""
    if not values:
        return {"mean": None, "least": None, "most": None}
    return {"mean": round(fmean(values), digits), "least": min(values), "most": max(values)}
