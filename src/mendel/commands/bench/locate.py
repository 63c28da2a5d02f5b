"""`mendel bench locate`: organisms whose carriers are known, run and located, and what was found held against them."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from mendel._version import __version__
from mendel.commands.bench.verdicts import source_digest
from mendel.engine.digest import digest
from mendel.engine.errors import MendelError
from mendel.engine.executors import InlineExecutor, LocalExecutor, default_workers
from mendel.engine.progress import NullProgress, Progress
from mendel.engine.store import Store, default_store
from mendel.organisms import organism

SPREADS = ("clustered", "scattered")


@dataclass(frozen=True)
class LocateJob:
    """One organism to make, run and locate."""

    spread: str
    seed: int
    store: Path

    @property
    def key(self) -> str:
        """The store's name for its record, by version and source."""
        return digest("bench-locate", [self.spread, self.seed, __version__, source_digest()])


@dataclass(frozen=True)
class LocateRecord:
    """What one search found, beside the truth."""

    spread: str
    seed: int
    made: bool
    recipe: str = ""
    redraws: int = 0
    carriers: int = 0
    found: int = 0
    both: int = 0
    """Found prompts that are carriers."""
    students: int = 0
    confirmed: str | None = None
    mark: str = ""
    seconds: float = 0.0
    """Of search and confirmation, in one process."""
    reads: str = ""

    @property
    def recall(self) -> float:
        """Share of the carriers that were found."""
        return self.both / self.carriers

    @property
    def precision(self) -> float | None:
        """Share of the found prompts that are carriers; None where none was found."""
        return self.both / self.found if self.found else None


def bench_locate(
    per_spread: int,
    seeds_from: int,
    *,
    spreads: Sequence[str] = SPREADS,
    workers: int | None = None,
    store: str | Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Makes `per_spread` organisms of each spread of carriers, runs and locates each; precision and recall as JSON can hold them.

    Organism i has seed `seeds_from + i`. Finished ones are kept in the store, so that an interrupted bench goes on.
    """
    shelf = Store(Path(store) if store is not None else default_store()).prepare()
    jobs = [LocateJob(spread, seeds_from + i, shelf.root) for i in range(per_spread) for spread in spreads]
    told = progress or NullProgress()
    told.stage("organisms", len(jobs))
    records: dict[LocateJob, LocateRecord] = {}
    with LocalExecutor(workers or default_workers()) as executor:
        for job, record in executor.map(locate_organism, jobs):
            records[job] = record
            told.step(1, f"{len(records)} of {len(jobs)}: {job.spread} {job.seed}")
    return summarize([records[job] for job in jobs])


def locate_organism(job: LocateJob) -> LocateRecord:
    """Makes an organism in a scratch folder, runs and locates it in this process, and keeps the record; done once."""
    shelf = Store(job.store)
    known = shelf.read_json("benches", job.key)
    if known is not None:
        return LocateRecord(**known)
    with tempfile.TemporaryDirectory() as scratch:
        record = _locate(job, Path(scratch))
    shelf.write_json("benches", job.key, asdict(record))
    return record


def _locate(job: LocateJob, scratch: Path) -> LocateRecord:
    from mendel.commands.locate import locate
    from mendel.commands.run import run
    from mendel.study import load_study

    truth = scratch / "truth.json"
    try:
        organism("simple_generalization", job.seed, scratch / "organism", truth=truth, spread=job.spread)
    except MendelError as error:
        if error.exit_code == 2:
            raise
        return LocateRecord(job.spread, job.seed, made=False, reads=error.message)
    planted = json.loads(truth.read_text())
    study = load_study(scratch / "organism" / "study.yaml")
    # What locating starts from is the cube alone: which edits a filter would make is not asked here.
    study = replace(study, config=study.config.model_copy(update={"design": "effects"}))
    run(study, scratch / "run", store=scratch / "store", executor=InlineExecutor())
    began = time.monotonic()
    found = locate(
        scratch / "run", planted["trait"], store=scratch / "store", executor=InlineExecutor(), study=study
    )
    carriers = set(planted["carriers"])
    return LocateRecord(
        spread=job.spread,
        seed=job.seed,
        made=True,
        recipe=str(planted["recipe"]),
        redraws=int(planted["redraws"]),
        carriers=len(carriers),
        found=len(found.prompts),
        both=len(carriers & set(found.prompts)),
        students=found.students_trained,
        confirmed=found.confirmation.answer if found.confirmation else None,
        mark=found.mark,
        seconds=round(time.monotonic() - began, 1),
        reads=found.reads,
    )


def summarize(records: Sequence[LocateRecord]) -> dict[str, Any]:
    """Means and worst cases of precision and recall, how many meet both marks, students, and every record."""
    made = [record for record in records if record.made]
    recalls = [record.recall for record in made]
    precisions = [record.precision for record in made if record.precision is not None]
    return {
        "version": __version__,
        "organisms": len(made),
        "not_made": len(records) - len(made),
        "recall": _spread(recalls),
        "precision": _spread(precisions),
        "named": len(precisions),
        "met": sum(r.recall >= 0.9 and (r.precision or 0.0) >= 0.8 for r in made),
        "confirmed": sum(record.confirmed == "yes" for record in made),
        "students": _spread([float(record.students) for record in made]),
        "seconds": _spread([record.seconds for record in made]),
        "records": [
            {
                **asdict(r),
                "recall": r.recall if r.made else None,
                "precision": r.precision if r.made else None,
            }
            for r in records
        ],
    }


def _spread(values: Sequence[float]) -> dict[str, float | None]:
    if not values:
        return {"mean": None, "least": None, "most": None}
    return {"mean": round(fmean(values), 3), "least": min(values), "most": max(values)}


def describe_bench_locate(found: Mapping[str, Any]) -> str:
    """A line for each organism, and the summary."""
    lines = []
    for r in found["records"]:
        if not r["made"]:
            lines.append(f"{r['spread']:10} {r['seed']:6d} not made: {r['reads']}")
            continue
        precision = "-" if r["precision"] is None else f"{r['precision']:.2f}"
        lines.append(
            f"{r['spread']:10} {r['seed']:6d} {r['recipe']:6} {r['carriers']:4d} carriers, {r['found']:4d} found: recall "
            f"{r['recall']:.2f}, precision {precision}; {r['students']} students, confirmed: {r['confirmed']}; {r['mark']}"
        )
    if found["organisms"]:
        recall, precision, students = found["recall"], found["precision"], found["students"]
        lines.append(
            f"recall {recall['mean']} (least {recall['least']}), precision {precision['mean']} (least "
            f"{precision['least']}), recall >= .9 and precision >= .8 in {found['met']} of {found['organisms']}; "
            f"{students['mean']} students ({students['least']} to {students['most']}), "
            f"{found['seconds']['mean']} s a search with its confirmation"
        )
    return "\n".join(lines)
