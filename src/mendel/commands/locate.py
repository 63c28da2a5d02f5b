"""Locating: the smallest set of prompts whose teacher swap removes a trait of a finished run, confirmed by students of its own."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from mendel.commands.run import workers
from mendel.data.assignment import Assignment, everyone, only, random_control, swap
from mendel.data.selectors import Candidate
from mendel.design.arms.kinds import draw_rng
from mendel.diagnose import Arm
from mendel.diagnose.locate import (
    Confirmation,
    Features,
    Observation,
    PromptTexts,
    Search,
    SearchPlan,
    Split,
    confirm,
    one_hot,
    splits_of,
)
from mendel.engine.errors import InputError, RunError
from mendel.engine.executors import Executor, LocalExecutor
from mendel.engine.progress import NullProgress, Progress
from mendel.engine.store import Store, default_store
from mendel.measure import Trait, needs_model
from mendel.report import Shown
from mendel.results.run import Run
from mendel.study import Study
from mendel.workflow.extra_students import MoreStudents, chosen_traits, ends, keep, spare_seed
from mendel.workflow.inputs import Inputs
from mendel.workflow.jobs import read_measurement
from mendel.workflow.judging import Judging, rollout_scores
from mendel.workflow.reopen import reopen
from mendel.workflow.rounds import MEASURING_SEED
from mendel.workflow.selecting import candidates_of
from mendel.workflow.untrained import open_endpoints

if TYPE_CHECKING:
    import pyarrow as pa

STUDENTS = 40
MOST_SEARCHED = 32
"""Students of the search at most: one that is not settled then is not for want of them."""
CONFIRMED = 4
"""Arms of the confirmation."""
SOURCE = 0.3
"""Weight of a prompt's source beside its text and its answers: it is one of many things, and would halve every cluster."""
LEAST_EFFECT = 0.1
"""Of the scale that levels are on, between the run's own students at the two ends: noise is a third of it."""
MOST = 0.5
"""A subset of more prompts than this share is no small one."""


@dataclass(frozen=True)
class Located(Shown):
    """The prompts that carry a trait, and how that is known."""

    trait: str
    prompts: tuple[str, ...]
    """Empty where no small subset carries it, or nothing was there to be located."""
    of: int
    """Prompts of the original set."""
    mark: str
    """What tells them from the others, in words."""
    reads: str
    """The finding in a sentence."""
    confirmation: Confirmation | None
    rounds: tuple[Mapping[str, Any], ...]
    students_trained: int
    students_reused: int
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """For `--json`: `prompts` and `students_trained` as the contract has them."""
        checks = self.confirmation.checks if self.confirmation else {}
        return {
            "trait": self.trait,
            "prompts": list(self.prompts),
            "of": self.of,
            "share": len(self.prompts) / self.of,
            "mark": self.mark,
            "reads": self.reads,
            "confirmed": self.confirmation.answer if self.confirmation else None,
            "checks": {name: check.json() for name, check in checks.items()},
            "rounds": [dict(part) for part in self.rounds],
            "students_trained": self.students_trained,
            "students_reused": self.students_reused,
            "one_at_a_time": self.of,
            "warnings": list(self.warnings),
        }

    def describe(self) -> str:
        """For people."""
        from mendel.report import located_text

        return located_text(self.to_json())


def locate(
    folder: str | Path,
    trait: str,
    *,
    students: int = STUDENTS,
    seeds: int = 2,
    study: Study | str | Path | None = None,
    store: str | Path | None = None,
    progress: Progress | None = None,
    executor: Executor | None = None,
) -> Located:
    """The smallest set of a finished run's prompts whose teacher swap removes the trait, with at most `students` new ones.

    Fourteen students answer clusters of prompts by either teacher at random, a sparse regression says which clusters carry the
    trait (fourteen more with a smaller share where the first all show it), up to 18 more tell which feature marks the carriers
    in them; then `seeds` students each say whether swapping the
    subset removes the trait, whether it brings it alone, and whether a random subset of its size does either. Writes
    `locate/<trait>.json` into the folder. A trait that is not there, or that the teacher does not carry, trains nothing.
    Raises InputError for a folder without a finished run, an unknown trait, a study that changed and too few students.
    """
    plan = _plan(students, seeds)
    run, inputs = reopen(folder, study)
    chosen, skipped = chosen_traits(run, inputs, [trait])
    if not chosen:
        return _written(run, _nothing(trait, inputs, skipped[trait]))
    shelf = Store(Path(store) if store is not None else default_store()).prepare()
    told = progress or NullProgress()
    with contextlib.ExitStack() as stack:
        executor = executor or stack.enter_context(LocalExecutor(workers(inputs.study)))
        endpoints = stack.enter_context(open_endpoints(shelf, inputs.study.config.budget, None, None))
        more = MoreStudents(run, inputs, chosen, shelf, executor, Judging(shelf, executor, endpoints), told)
        found = _Locating(run, inputs, chosen[0], more, plan, seeds).run()
    return _written(run, found)


def _plan(students: int, seeds: int) -> SearchPlan:
    """The search's plan within the students that the confirmation leaves."""
    if seeds < 2:
        raise InputError(
            "one student an arm has no interval", where="--seeds", value=seeds, fix="Write 2 or more."
        )
    plan, left = SearchPlan(), students - CONFIRMED * seeds
    if left < plan.screened + plan.batch:
        least = plan.screened + plan.batch + CONFIRMED * seeds
        raise InputError(
            f"{students} students are too few to locate anything and confirm it",
            where="--students",
            value=students,
            fix=f"Allow {least} at least.",
        )
    return replace(plan, budget=min(left, MOST_SEARCHED))


def _nothing(trait: str, inputs: Inputs, why: str) -> Located:
    reads = f"There is nothing to locate: {why}. No student was trained."
    return Located(trait, (), len(inputs.prompts["original"]), "", reads, None, (), 0, 0)


def _written(run: Run, found: Located) -> Located:
    keep(run, "locate", found.trait, found.to_json())
    return found


@dataclass
class _Locating:
    """One trait's search and confirmation."""

    run_: Run
    inputs: Inputs
    trait: Trait
    more: MoreStudents
    plan: SearchPlan
    seeds: int
    _asked: int = field(default=0)

    def __post_init__(self) -> None:
        config = self.inputs.study.config
        self.original, self.alternate = config.original.teacher, config.alternate.teacher
        self.ids = tuple(prompt.prompt_id for prompt in self.inputs.prompts["original"])
        self.candidates = candidates_of(self.inputs, self.more.rollouts)

    def run(self) -> Located:
        """The search, then the confirmation of what it found."""
        none, whole = self._ends()
        if whole - none < LEAST_EFFECT:
            why = (
                f"the teacher's students differ by {whole - none:.2f} alone, which is too little to be parted"
            )
            return _nothing(self.trait.name, self.inputs, why)
        self.more.told.stage("clusters", 1)
        search = Search(self._features(), self._splits(), self.plan)
        self.more.told.step(1)
        while not search.finished:
            search.learn(self._students(search.propose(), none, whole))
        subset = search.found
        small = 0 < len(subset) <= MOST * len(self.ids)
        confirmation = self._confirm(subset) if small else None
        named = confirmation is not None and confirmation.answer != "no"
        rounds = tuple(
            {"kind": r.kind, "students": r.students, "reads": r.reads, "curve": [list(p) for p in r.levels]}
            for r in search.rounds
        )
        return Located(
            self.trait.name,
            subset if named else (),
            len(self.ids),
            search.mark if named else "",
            self._reads(search, subset, confirmation),
            confirmation,
            rounds,
            self.more.new,
            self.more.reused,
            tuple(self.more.faults),
        )

    def _reads(self, search: Search, subset: Sequence[str], confirmation: Confirmation | None) -> str:
        count = len(self.ids)
        if search.broken:
            return "Nothing is named: too many students of the screen broke (see the warnings)."
        if search.virulent:
            least = min(self.plan.shares)
            return (
                f"No small subset carries it: it is virulent. A middle student with {least:.0%} of the original teacher's "
                "answers, whichever they are, still shows the trait (see the curve, and `mendel virulence`)."
            )
        if confirmation is None:
            if search.lineup is None:
                return "Nothing is named: the screen's students do not tell which clusters carry it (see the curve)."
            return f"No small subset carries it: {len(subset)} of {count} prompts carry it together."
        best = f"{len(subset)} of {count} prompts ({len(subset) / count:.1%}), marked by: {search.mark}"
        if confirmation.answer == "no":
            return f"No small subset is named: the best one found ({best}) does not stand the test of its own students."
        if confirmation.answer == "undecided":
            return f"{best}. Whether this subset is what carries the trait is not decided by these students: see the checks."
        return f"{best}. This subset is necessary and sufficient, and a random one of its size is neither."

    def _features(self) -> Features:
        from mendel.data.selectors.activations import LoadedBase
        from mendel.models import load_model, load_tokenizer

        checkpoint = self.inputs.bases["original"]
        base = LoadedBase(load_model(checkpoint), load_tokenizer(checkpoint), None)
        rows = self.candidates
        asked = base.prompts([c.messages for c in rows])
        own = base.answers([(c.messages, c.completion) for c in rows])
        other = base.answers([(c.messages, c.alternate or "") for c in rows])
        sources = one_hot([c.source for c in rows])
        blocks = (asked.astype(float), own.astype(float) - other.astype(float), sources)
        return Features(self.ids, blocks, (1.0, 1.0, SOURCE))

    def _splits(self) -> list[Split]:
        rows = [
            PromptTexts(c.prompt_id, _text(c), c.completion, c.alternate or "", c.source)
            for c in self.candidates
        ]
        return splits_of(rows, self._judged())

    def _judged(self) -> dict[str, dict[str, float]]:
        """The judge's scores of the rollouts, where it is a rule and costs nothing."""
        if needs_model(self.trait):
            return {}
        own = [self.more.rollouts[prompt_id, self.original] for prompt_id in self.ids]
        scores = rollout_scores(self.trait, own)
        return {"the judge": {r.prompt_id: scores.known(r.prompt_id, r.teacher) for r in own}}

    def _ends(self) -> tuple[float, float]:
        """The trait's level in the run's own students at the two ends."""
        found: dict[float, list[float]] = {0.0: [], 1.0: []}
        for row in self.run_.students.select(["arm", "student", "status"]).to_pylist():
            share = ends(self.run_).get(row["arm"])
            if share is not None and row["status"] == "ok":
                own = level(self._rows(row["student"]), self.trait)
                found[share] += [] if own is None else [own]
        if not all(found.values()):
            raise RunError(
                "no usable student with a score at one of the run's ends: what a student shows has nothing to be compared with",
                where=str(self.run_.path),
            )
        return fmean(found[0.0]), fmean(found[1.0])

    def _rows(self, student: str) -> pa.Table:
        import pyarrow.compute as pc

        table = self.run_.measurements
        both = pc.and_(pc.equal(table["student"], student), pc.equal(table["trait"], self.trait.name))
        return table.filter(both)

    def _students(self, sets: Sequence[frozenset[str]], none: float, whole: float) -> list[Observation]:
        """The levels of students with these prompts answered by the original teacher; those that broke are left out."""
        assignments = tuple(only(self.ids, chosen, self.original, self.alternate) for chosen in sets)
        first = spare_seed(self.inputs) + self._asked
        self._asked += len(sets)
        seeds = tuple(range(first, first + len(sets)))
        name = f"locate/{self.trait.name}/{first}"
        arm = Arm(name, "locate", "original", "original", assignments, seeds, trait=self.trait.name)
        seen = []
        for one, chosen in zip(self.more.train([arm]), sets, strict=True):
            table = read_measurement(self.more.store, one.result.trained.student, self.trait, MEASURING_SEED)
            own = level(table, self.trait) if one.result.status == "ok" and table is not None else None
            if own is not None:
                seen.append(Observation(chosen, (own - none) / (whole - none)))
        return seen

    def _confirm(self, subset: Sequence[str]) -> Confirmation:
        first = spare_seed(self.inputs) + self._asked
        seeds = tuple(range(first, first + self.seeds))
        prompts = self.inputs.prompts["original"]
        controls = [
            random_control(prompts, subset, draw_rng("locate", self.trait.name, seed, self.ids))
            for seed in seeds
        ]
        whole = everyone(self.ids, self.original)

        def arm(kind: str, assignments: Sequence[Assignment]) -> Arm:
            name = f"locate-{kind}/{self.trait.name}"
            return Arm(name, kind, "original", "original", tuple(assignments), seeds, trait=self.trait.name)

        def alone(chosen: Sequence[str]) -> Assignment:
            return only(self.ids, chosen, self.original, self.alternate)

        arms = [
            arm("swap", [swap(whole, subset, self.alternate)] * self.seeds),
            arm("only", [alone(subset)] * self.seeds),
            arm("swap-random", [swap(whole, chosen, self.alternate) for chosen in controls]),
            arm("only-random", [alone(chosen) for chosen in controls]),
        ]
        self.more.train(arms)
        # The search's students differ in what they are trained on: their spread is no noise of training.
        fit = self.more.fit(self.trait, [arm.name for arm in arms])
        by_share = {share: name for name, share in ends(self.run_).items()}
        return confirm(fit, by_share[1.0], by_share[0.0], {a.kind: a.name for a in arms})


def _text(candidate: Candidate) -> str:
    return "\n".join(message["content"] for message in candidate.messages)


def level(rows: pa.Table, trait: Trait) -> float | None:
    """How much of a trait a student shows: as fine as can be told, and about straight in the share of its carriers.

    The mean probability of the trait's answer where log-odds were measured, else the mean hit or score; None where nothing was
    scored. A greedy rate jumps from 0 to 1 where half of the carriers are there; the probability does not.
    """
    odds = [value for value in rows["log_odds"].to_pylist() if value is not None]
    if odds and trait.metric == "rate":
        return fmean(1 / (1 + math.exp(-max(-700.0, min(700.0, value)))) for value in odds)
    values = rows["hit" if trait.metric == "rate" else "score"].to_pylist()
    known = [float(value) for value in values if value is not None]
    return fmean(known) if known else None
