"""Virulence: students on random shares of the original teacher's rollouts, and how small a share still brings each trait."""

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
"""Dense where a virulent trait comes in, so that one per cent is told from ten."""
TWICE = 0.1
"""Subsets of the greatest share up to this are trained twice: the small subsets of the source are 5 to 10 % of the prompts."""


@dataclass(frozen=True)
class VirulenceResult(Shown):
    """How virulent each trait of a run is, and which of two is more so."""

    folder: Path
    prompts: int
    """In the original prompt set."""
    traits: Mapping[str, Virulence]
    skipped: Mapping[str, str]
    """Why a trait has no virulence, by its name."""
    comparisons: tuple[VirulenceComparison, ...]
    """All pairs of the traits above."""
    students_trained: int
    students_reused: int
    """Of the store; the run's own at the shares 0 and 1 not among them."""
    warnings: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "run": str(self.folder),
            "prompts": self.prompts,
            "students_trained": self.students_trained,
            "students_reused": self.students_reused,
            "traits": {name: found.json() for name, found in self.traits.items()},
            "skipped": dict(self.skipped),
            "comparisons": [pair.json() for pair in self.comparisons],
            "warnings": list(self.warnings),
        }

    def describe(self) -> str:
        """For people."""
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
    """Say how small a share of the original teacher's rollouts still brings a finished run's traits.

    For each share, `subsets` students are trained: a random subset of that share of the prompts is answered by the
    original teacher, the rest by the alternate one. They start from the original base, with the study's recipe and seeds
    that the run did not use. The subsets of one small share are trained twice, so that luck in training is told from the
    subset. The shares 0 and 1 are the run's own students. All traits are measured on the same students. Writes
    `virulence/<trait>.json` into the folder, and its page again.

    Args:
        folder: A finished run's folder.
        traits: Names of traits; None: those that the teacher may carry.
        shares: Between 0 and 1.
        subsets: Random subsets for each share.
        study: The study, or its file, where the run's own study file was moved.
        store: The store's folder; None: the default one.
        executor: Where jobs run; None: the study's `engine`.
        budget: Limits; one that is None stays the study's.
        batch: Batch files for endpoints; None: requests are sent.
        progress: Who is told how the command stands; None: nobody.

    Returns:
        Each trait's levels by share, its half-way share, and comparisons of traits.

    Raises:
        InputError: no finished run, a study that changed since, an unknown trait, a share out of range.
        BudgetSpent: the budget ended it; students that are done are in the store, so that the same command goes on.
        Waiting: requests to endpoints are in the batch file.
        RunError: it could not go on.
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
    found = {t.name: trait_virulence(trained, students, measurements, facts[t.name]) for t in chosen}
    for name, one in found.items():
        keep(run, "virulence", name, one.json() | {"prompts": count})
    return VirulenceResult(
        run.path,
        count,
        found,
        skipped,
        tuple(compare(a, b) for a, b in combinations(found.values(), 2)),
        extra.new,
        extra.reused,
        (*warnings, *extra.faults, *(text for one in found.values() for text in one.warnings)),
    )


def _shares(shares: Sequence[float], subsets: int) -> list[float]:
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
    """An arm for each share that comes to at least one prompt and not all; its assignments differ by subset."""
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
            # Seeds do not depend on how many subsets there are, so that more of them reuse these.
            seeds += [first + 2 * subset + copy for copy in range(copies)]
        name = f"virulence/{share:g}"
        arms.append(
            Arm(name, "virulence", "original", "original", tuple(assignments), tuple(seeds), share=share)
        )
    return Design(tuple(arms), {}), warnings


def _share_students(run: Run, placed: Sequence[PlacedStudent], prompts: int) -> list[ShareStudent]:
    """What each student was trained on; shares are those of whole prompts."""
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
