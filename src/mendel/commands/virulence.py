"""Measure virulence: how small a share of the original teacher's rollouts still brings in each trait."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from mendel.data.assignment import interpolate
from mendel.design.arms import draw_rng
from mendel.diagnose import (
    Arm,
    Design,
    ShareStudent,
    Virulence,
    VirulenceComparison,
    compare,
    trait_virulence,
)
from mendel.engine.errors import InputError
from mendel.engine.executors import Executor
from mendel.engine.progress import Progress
from mendel.report import Shown
from mendel.results.run import Run
from mendel.study import Study
from mendel.study.schema import BudgetConfig
from mendel.workflow.batches import Batch
from mendel.workflow.extra_students import ExtraStudents, chosen_traits, ends, keep, spare_seed
from mendel.workflow.inputs import Inputs
from mendel.workflow.reopen import reopen
from mendel.workflow.session import Session
from mendel.workflow.tables import PlacedStudent, name_students, trait_facts

SHARES = (0.01, 0.02, 0.05, 0.1, 0.25, 0.5)
"""Shares by default; dense at the small end, so that a threshold of 1 % differs visibly from one of 10 %."""
TWICE = 0.1
"""The greatest share whose subsets may be trained twice.

The small subsets of the study that mendel follows are 5 to 10 % of the prompts.
"""


@dataclass(frozen=True)
class VirulenceResult(Shown):
    """The virulence of each trait of a run, and comparisons of the traits."""

    folder: Path
    prompts: int
    """Number of prompts in the original set."""
    traits: Mapping[str, Virulence]
    skipped: Mapping[str, str]
    """By trait: the reason why its virulence was not measured."""
    comparisons: tuple[VirulenceComparison, ...]
    """Comparisons of all pairs of `traits`."""
    students_trained: int
    students_reused: int
    """Students from the store, without the run's own students at the shares 0 and 1."""
    warnings: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the object for `--json`."""
        return {
            "run": str(self.folder),
            "prompts": self.prompts,
            "students_trained": self.students_trained,
            "students_reused": self.students_reused,
            "traits": {name: result.json() for name, result in self.traits.items()},
            "skipped": dict(self.skipped),
            "comparisons": [pair.json() for pair in self.comparisons],
            "warnings": list(self.warnings),
        }

    def describe(self) -> str:
        """Return the result as text."""
        from mendel.report import virulence_text

        return virulence_text(self.to_json())


def virulence(
    folder: str | Path,
    traits: Sequence[str] | None = None,
    *,
    shares: Sequence[float] = SHARES,
    subsets: int = 6,
    study: Study | str | Path | None = None,
    store: str | Path | None = None,
    executor: Executor | None = None,
    budget: BudgetConfig | None = None,
    batch: Batch | None = None,
    progress: Progress | None = None,
) -> VirulenceResult:
    """Measure how small a share of the original teacher's rollouts still brings in a finished run's traits.

    For each share, `subsets` students are trained: the original teacher answers a random subset of that share
    of the prompts, and the alternate teacher answers the rest. The students start from the original base,
    with the study's recipe and with seeds that the run did not use. The shares 0 and 1 are the run's own
    students. All traits are measured on the same students.

    The subsets of one small share are trained twice, to separate the luck of training from the choice of the
    subset.

    The result is written to `virulence/<trait>.json` in the run's folder, and the report is written again.

    Args:
        folder: Folder of a finished run.
        traits: Names of traits; None: all traits that the teacher may carry.
        shares: Shares of the prompts, between 0 and 1.
        subsets: Number of random subsets for each share.
        study: The study, or its file; needed if the run's study file was moved.
        store: Folder of the store; None: the default store.
        executor: Runs the jobs; None: the study's `engine`.
        budget: Limits; one that is None stays the study's.
        batch: Batch files for endpoints; None: requests are sent to the endpoints.
        progress: Receives progress events; None: progress is not shown.

    Returns:
        For each trait its levels by share and its half-way share; then comparisons of the traits.

    Raises:
        InputError: The run is not finished, the study has changed, a trait is unknown, or a share is out of
            range.
        BudgetSpent: The budget is spent. Finished students are in the store: the same command continues.
        Waiting: Requests to endpoints wait in the batch file for a provider's answers.
        RunError: The command could not continue.
    """
    wanted = _shares(shares, subsets)
    run, inputs = reopen(folder, study)
    chosen, skipped = chosen_traits(run, inputs, traits)
    count = len(inputs.prompts["original"])
    if not chosen:
        return VirulenceResult(run.path, count, {}, skipped, (), 0, 0, ())
    design, warnings = _design(inputs, wanted, subsets)
    session = Session(
        inputs.study, store=store, executor=executor, budget=budget, batch=batch, progress=progress
    )
    with session:
        extra = ExtraStudents(run, inputs, chosen, session)
        placed = extra.train(design.arms)
        students, measurements = extra.tables()
    trained = _share_students(run, placed, count)
    facts = {fact.name: fact for fact in trait_facts(chosen)}
    results = {t.name: trait_virulence(trained, students, measurements, facts[t.name]) for t in chosen}
    for name, result in results.items():
        keep(run, "virulence", name, result.json() | {"prompts": count})
    return VirulenceResult(
        run.path,
        count,
        results,
        skipped,
        tuple(compare(a, b) for a, b in combinations(results.values(), 2)),
        extra.new,
        extra.reused,
        (*warnings, *extra.faults, *(text for result in results.values() for text in result.warnings)),
    )


def _shares(shares: Sequence[float], subsets: int) -> list[float]:
    """Return the shares, sorted, without repetitions; raise InputError if one is out of range."""
    for share in shares:
        if not 0 < share < 1:
            raise InputError(
                "a share has to lie between 0 and 1",
                where="--share",
                value=share,
                fix="The shares 0 and 1 are the run's own students; write 0.05 for 5 %.",
            )
    if not shares:
        raise InputError("no share is named", where="--share", fix="Give one at least, such as 0.05.")
    if subsets < 1:
        raise InputError("at least one subset is needed", where="--subsets", value=subsets)
    return sorted(set(shares))


def _design(inputs: Inputs, shares: Sequence[float], subsets: int) -> tuple[Design, list[str]]:
    """Return an arm for each share that gives at least one prompt and not all, and warnings about the others.

    An arm's assignments differ in their random subset.
    """
    config = inputs.study.config
    ids = [prompt.prompt_id for prompt in inputs.prompts["original"]]
    by_count = {round(share * len(ids)): share for share in reversed(shares)}
    usable = {count: share for count, share in sorted(by_count.items()) if 0 < count < len(ids)}
    if not usable:
        raise InputError(
            f"no share comes to at least one of {len(ids)} prompts and less than all",
            where="--share",
            value=list(shares),
        )
    warnings = []
    if len(usable) < len(shares):
        kept = ", ".join(f"{share:g}" for share in usable.values())
        warnings.append(f"of {len(ids)} prompts, only the shares {kept} come to different numbers of prompts")
    twice = max([share for share in usable.values() if share <= TWICE], default=min(usable.values()))
    first = spare_seed(inputs)
    arms = []
    for share in usable.values():
        copies = 2 if share == twice else 1
        assignments, seeds = [], []
        for subset in range(subsets):
            rng = draw_rng(f"virulence {share:g}", "", subset, ids)
            drawn = interpolate(ids, share, config.original.teacher, config.alternate.teacher, rng)
            assignments += [drawn] * copies
            # Seeds do not depend on the number of subsets: a later command with more subsets reuses these
            # students.
            seeds += [first + 2 * subset + copy for copy in range(copies)]
        name = f"virulence/{share:g}"
        arms.append(
            Arm(name, "virulence", "original", "original", tuple(assignments), tuple(seeds), share=share)
        )
    return Design(tuple(arms), {}), warnings


def _share_students(run: Run, placed: Sequence[PlacedStudent], prompts: int) -> list[ShareStudent]:
    """Return each student with its share, rounded to whole prompts, and its subset."""
    shares = ends(run)
    rows = run.students.select(["student", "arm"]).to_pylist()
    trained = [
        ShareStudent(row["student"], shares[row["arm"]], "all") for row in rows if row["arm"] in shares
    ]
    for name, _, item in name_students((), placed):
        assert isinstance(item, PlacedStudent), "no model was measured as it is"
        arm = item.arm
        position = arm.seeds.index(item.seed)
        assert arm.share is not None, "every arm here has a share"
        share = round(arm.share * prompts) / prompts
        trained.append(ShareStudent(name, share, str(arm.assignments.index(arm.assignments[position]))))
    return trained
