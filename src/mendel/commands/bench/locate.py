"""`mendel bench locate`: locate traits in organisms whose carriers are known, and compare the results."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from mendel._version import __version__
from mendel.commands.bench.grading import share, shown_share
from mendel.commands.bench.harness import BenchResult, once, run_jobs, source_digest, spread
from mendel.commands.bench.rules import LOCATE_RULES, best_rule, read_suspects, rule_shares, study_trait
from mendel.engine.digest import digest
from mendel.engine.errors import MendelError
from mendel.engine.executors import Executor, InlineExecutor
from mendel.engine.progress import Progress
from mendel.engine.store import Store, default_store
from mendel.organisms import organism

SPREADS = ("clustered", "scattered")
"""How an organism's carriers lie among the prompts."""
RECALL, PRECISION = 0.9, 0.8
"""Marks for the found prompts."""


@dataclass(frozen=True)
class LocateJob:
    """One organism to make, run and locate."""

    spread: str
    seed: int
    store: Path

    @property
    def key(self) -> str:
        """The key of its record in the store; it depends on the version and the source."""
        return digest("bench-locate", [self.spread, self.seed, __version__, source_digest()])


@dataclass(frozen=True)
class LocateRecord:
    """The result of one search, with the truth."""

    spread: str
    seed: int
    made: bool
    recipe: str = ""
    redraws: int = 0
    carriers: int = 0
    found: int = 0
    both: int = 0
    """Number of found prompts that are carriers."""
    students: int = 0
    confirmed: str | None = None
    mark: str = ""
    seconds: float = 0.0
    """Time of search and confirmation, in one process."""
    reads: str = ""
    rules_met: Mapping[str, bool] = field(default_factory=dict)
    """Whether the prompts of each rule that trains no student meet both marks."""

    @property
    def met(self) -> bool:
        """Whether the found prompts meet both marks."""
        return self.recall >= RECALL and (self.precision or 0.0) >= PRECISION

    @property
    def recall(self) -> float:
        """Share of the carriers that were found."""
        return self.both / self.carriers

    @property
    def precision(self) -> float | None:
        """Share of the found prompts that are carriers; None if no prompt was found."""
        return self.both / self.found if self.found else None


def bench_locate(
    per_spread: int,
    seeds_from: int,
    *,
    spreads: Sequence[str] = SPREADS,
    workers: int | None = None,
    store: str | Path | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> BenchResult:
    """Make organisms with known carriers, run and locate each, and compare the prompts with the carriers.

    Records of finished organisms are kept in the store: an interrupted bench continues from there.

    Args:
        per_spread: Number of organisms of each spread of carriers; organism i has seed `seeds_from + i`.
        seeds_from: First seed.
        spreads: How the carriers lie among the prompts: `clustered`, `scattered`.
        workers: Number of local worker processes; None: as many as suit the machine.
        store: Folder of the store; None: the default store.
        executor: Runs the jobs; None: local worker processes.
        progress: Receives progress events; None: progress is not shown.

    Returns:
        Precision, recall, the rules that train no student, students, seconds, and every record.

    Raises:
        InputError: A spread is unknown.
        RunError: A worker process was killed.
    """
    root = Store(Path(store) if store is not None else default_store()).prepare().root
    jobs = [LocateJob(name, seeds_from + i, root) for i in range(per_spread) for name in spreads]

    def label(job: LocateJob, record: LocateRecord) -> str:
        return f"{job.spread} {job.seed}"

    content = summarize(
        run_jobs(jobs, locate_organism, label, executor=executor, workers=workers, progress=progress)
    )
    return BenchResult(content, describe(content))


def locate_organism(job: LocateJob) -> LocateRecord:
    """Return the record of an organism: from the store, or made, run and located in a scratch folder."""

    def work() -> dict[str, Any]:
        with tempfile.TemporaryDirectory() as scratch:
            return asdict(_locate(job, Path(scratch)))

    return LocateRecord(**once(job, work))


def _locate(job: LocateJob, scratch: Path) -> LocateRecord:
    """Make, run and locate an organism; return the result beside the truth."""
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
    # Locating needs only the run's cube: no students for the edits of a filter.
    study = replace(study, config=study.config.model_copy(update={"design": "effects"}))
    result = run(study, scratch / "run", store=scratch / "store", executor=InlineExecutor())
    began = time.monotonic()
    located = locate(
        scratch / "run", planted["trait"], store=scratch / "store", executor=InlineExecutor(), study=study
    )
    carriers = set(planted["carriers"])
    suspects = read_suspects(study, result, study_trait(study, planted["trait"]))
    return LocateRecord(
        spread=job.spread,
        seed=job.seed,
        made=True,
        recipe=str(planted["recipe"]),
        redraws=int(planted["redraws"]),
        carriers=len(carriers),
        found=len(located.prompts),
        both=len(carriers & set(located.prompts)),
        students=located.students_trained,
        confirmed=located.confirmation.answer if located.confirmation else None,
        mark=located.mark,
        seconds=round(time.monotonic() - began, 1),
        reads=located.reads,
        rules_met={name: meets_marks(rule(suspects), carriers) for name, rule in LOCATE_RULES.items()},
    )


def meets_marks(found: Collection[str], carriers: Collection[str]) -> bool:
    """Return whether found prompts hold enough of the carriers, and little else."""
    both = len(set(found) & set(carriers))
    return bool(found) and both >= RECALL * len(set(carriers)) and both >= PRECISION * len(set(found))


def summarize(records: Sequence[LocateRecord]) -> dict[str, Any]:
    """Return means and worst cases of precision and recall, how many meet both marks, and every record."""
    made = [record for record in records if record.made]
    recalls = [record.recall for record in made]
    precisions = [record.precision for record in made if record.precision is not None]
    return {
        "version": __version__,
        "organisms": len(made),
        "not_made": len(records) - len(made),
        "recall": spread(recalls, 3),
        "precision": spread(precisions, 3),
        "named": len(precisions),
        "met": sum(record.met for record in made),
        "right": share(sum(record.met for record in made), len(made)),
        "rules": rule_shares(
            {name: [record.rules_met.get(name, False) for record in made] for name in LOCATE_RULES}
        ),
        "confirmed": sum(record.confirmed == "yes" for record in made),
        "students": spread([float(record.students) for record in made], 3),
        "seconds": spread([record.seconds for record in made], 3),
        "records": [
            {
                **asdict(r),
                "recall": r.recall if r.made else None,
                "precision": r.precision if r.made else None,
            }
            for r in records
        ],
    }


def describe(found: Mapping[str, Any]) -> str:
    """Return a line for each organism, and the summary."""
    lines = []
    for r in found["records"]:
        if not r["made"]:
            lines.append(f"{r['spread']:10} {r['seed']:6d} not made: {r['reads']}")
            continue
        precision = "-" if r["precision"] is None else f"{r['precision']:.2f}"
        lines.append(
            f"{r['spread']:10} {r['seed']:6d} {r['recipe']:6} "
            f"{r['carriers']:4d} carriers, {r['found']:4d} found: "
            f"recall {r['recall']:.2f}, precision {precision}; "
            f"{r['students']} students, confirmed: {r['confirmed']}; {r['mark']}"
        )
    if found["organisms"]:
        recall, precision, students = found["recall"], found["precision"], found["students"]
        lines.append(
            f"recall {recall['mean']} (least {recall['least']}), "
            f"precision {precision['mean']} (least {precision['least']}), "
            f"recall >= .9 and precision >= .8 in {found['met']} of {found['organisms']}; "
            f"{students['mean']} students ({students['least']} to {students['most']}), "
            f"{found['seconds']['mean']} s a search with its confirmation"
        )
        lines.append(shown_share("both marks met", found["right"]))
        lines.append(best_rule(found["rules"], found["right"]))
    return "\n".join(lines)
