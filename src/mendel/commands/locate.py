"""Locate a trait: find the smallest set of a finished run's prompts whose teacher swap removes the trait.

New students confirm the set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mendel.data.assignment import Assignment, everyone, only, random_control, swap
from mendel.data.selectors import Candidate
from mendel.design.arms import draw_rng
from mendel.diagnose import Arm
from mendel.diagnose.locate import (
    FEWEST,
    Confirmation,
    Features,
    Observation,
    PromptTexts,
    Round,
    Search,
    SearchPlan,
    Split,
    confirm,
    one_hot,
    splits_of,
)
from mendel.engine.errors import InputError
from mendel.engine.executors import Executor
from mendel.engine.progress import Progress
from mendel.measure import Trait, needs_model
from mendel.report import Shown
from mendel.results.run import Run
from mendel.study import Study
from mendel.study.schema import BudgetConfig
from mendel.workflow.batches import Batch
from mendel.workflow.extra_students import ExtraStudents, chosen_traits, ends, keep, spare_seed
from mendel.workflow.flagging import candidates_of
from mendel.workflow.inputs import Inputs
from mendel.workflow.judging import rollout_scores
from mendel.workflow.levels import level
from mendel.workflow.measurements import Measurements
from mendel.workflow.reopen import reopen
from mendel.workflow.session import Session

STUDENTS = 70
"""Greatest number of new students, by default: of the longest search, the four arms that confirm, and the
run's ends."""
SEEDS = 8
"""Students of each arm of the confirmation, by default. Six just decide where all agree; two that broke or
stray leave six."""
MOST_SEARCHED = 32
"""Greatest number of students of the search: more would not settle it."""
CONFIRMED = 4
"""Number of arms of the confirmation."""
ENDS = 4
"""Students of each of the run's two ends that the confirmation needs: with two, eight of an arm that agree
leave .61 of the effect open, with four .41 (half of it is asked about)."""
SOURCE = 0.3
"""Weight of a prompt's source when prompts are clustered; text and answers weigh 1.

The source is one feature among many: with the weight 1 it would split every cluster in two.
"""
LEAST_EFFECT = 0.1
"""Smallest difference in level between the run's two ends that is searched; noise is a third of it."""
MOST = 0.5
"""Greatest share of the prompts that counts as a small subset."""


@dataclass(frozen=True)
class Located(Shown):
    """The prompts that carry a trait, with the evidence."""

    trait: str
    prompts: tuple[str, ...]
    """Ids of the prompts; empty if no small subset carries the trait, or there was nothing to locate."""
    of: int
    """Number of prompts in the original set."""
    mark: str
    """The feature that separates these prompts from the others, in words."""
    reads: str
    """The finding in a sentence."""
    confirmation: Confirmation | None
    rounds: tuple[Mapping[str, Any], ...]
    students_trained: int
    students_reused: int
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the object for `--json`."""
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
        """Return the result as text."""
        from mendel.report import located_text

        return located_text(self.to_json())


def locate(
    folder: str | Path,
    trait: str,
    *,
    students: int = STUDENTS,
    seeds: int = SEEDS,
    study: Study | str | Path | None = None,
    store: str | Path | None = None,
    executor: Executor | None = None,
    budget: BudgetConfig | None = None,
    batch: Batch | None = None,
    progress: Progress | None = None,
) -> Located:
    """Find the smallest set of a finished run's prompts whose teacher swap removes the trait.

    First, fourteen students are trained on random mixtures: each cluster of prompts is answered by one of the
    two teachers. A sparse regression says which clusters carry the trait. If all fourteen students show the
    trait, fourteen more are trained with a smaller share of the original teacher.

    Then up to 18 more students tell which feature marks the carriers in these clusters.

    Last, `seeds` students for each of four arms confirm the subset. They say whether swapping the subset
    removes the trait, whether the subset is enough to bring the trait in, and whether a random subset of the
    same size does either.

    No student is trained for a trait that is not present, or that the teacher does not carry. The result is
    written to `locate/<trait>.json` in the run's folder, and the report is written again.

    Args:
        folder: Folder of a finished run.
        trait: Name of the trait.
        students: Greatest number of new students.
        seeds: Students of each arm of the confirmation, 2 or more.
        study: The study, or its file; needed if the run's study file was moved.
        store: Folder of the store; None: the default store.
        executor: Runs the jobs; None: the study's `engine`.
        budget: Limits; one that is None stays the study's.
        batch: Batch files for endpoints; None: requests are sent to the endpoints.
        progress: Receives progress events; None: progress is not shown.

    Returns:
        The prompts with the evidence, or the reason why none are named.

    Raises:
        InputError: The run is not finished, the trait is unknown, the study has changed, or `students` or
            `seeds` is too small.
        BudgetSpent: The budget is spent. Finished students are in the store: the same command continues.
        Waiting: Requests to endpoints wait in the batch file for a provider's answers.
        RunError: The command could not continue.
    """
    plan = _plan(students, seeds)
    run, inputs = reopen(folder, study)
    chosen, skipped = chosen_traits(run, inputs, [trait])
    if not chosen:
        return _written(run, _nothing(trait, inputs, skipped[trait]))
    session = Session(
        inputs.study, store=store, executor=executor, budget=budget, batch=batch, progress=progress
    )
    with session:
        extra = ExtraStudents(run, inputs, chosen, session)
        located = _Locating(run, inputs, chosen[0], extra, plan, seeds).run()
    return _written(run, located)


def _plan(students: int, seeds: int) -> SearchPlan:
    """Return the plan of the search, within the students that the confirmation leaves."""
    if seeds < 2:
        raise InputError(
            "one student an arm has no interval", where="--seeds", value=seeds, fix="Write 2 or more."
        )
    # The run has one student of each of its ends at least.
    plan, confirming = SearchPlan(), CONFIRMED * seeds + 2 * (min(ENDS, seeds) - 1)
    left = students - confirming
    if left < plan.screened + plan.batch:
        least = plan.screened + plan.batch + confirming
        raise InputError(
            f"{students} students are too few to locate anything and confirm it",
            where="--students",
            value=students,
            fix=f"Allow {least} at least.",
        )
    return replace(plan, budget=min(left, MOST_SEARCHED))


def _nothing(trait: str, inputs: Inputs, why: str) -> Located:
    """Return the result of a search that was not begun."""
    reads = f"There is nothing to locate: {why}. No student was trained."
    return Located(trait, (), len(inputs.prompts["original"]), "", reads, None, (), 0, 0)


def _written(run: Run, found: Located) -> Located:
    """Write the result into the run's folder, and return it."""
    keep(run, "locate", found.trait, found.to_json())
    return found


@dataclass
class _Locating:
    """The search for one trait's carriers, and its confirmation."""

    run_: Run
    inputs: Inputs
    trait: Trait
    extra: ExtraStudents
    plan: SearchPlan
    seeds: int
    _asked: int = field(default=0)

    def __post_init__(self) -> None:
        config = self.inputs.study.config
        self.original, self.alternate = config.original.teacher, config.alternate.teacher
        self.ids = tuple(prompt.prompt_id for prompt in self.inputs.prompts["original"])
        self.candidates = candidates_of(self.inputs, self.extra.rollouts)

    def run(self) -> Located:
        """Search, confirm the subset that the search names, and return the result."""
        none, whole = self.extra.end_levels(self.trait)
        if whole - none < LEAST_EFFECT:
            why = f"the teacher's students differ by only {whole - none:.2f}, which is too little to search"
            return _nothing(self.trait.name, self.inputs, why)
        self.extra.session.progress.stage("clusters", 1)
        search = Search(self._features(), self._splits(), self.plan)
        self.extra.session.progress.step(1)
        while not search.finished:
            search.learn(self._students(search.propose(), none, whole))
        subset = search.found
        small = 0 < len(subset) <= MOST * len(self.ids)
        confirmation = self._confirm(subset) if small else None
        named = confirmation is not None and confirmation.answer != "no"
        rounds = tuple(_round_json(part) for part in search.rounds)
        return Located(
            self.trait.name,
            subset if named else (),
            len(self.ids),
            search.mark if named else "",
            self._reads(search, subset, confirmation),
            confirmation,
            rounds,
            self.extra.new,
            self.extra.reused,
            tuple(self.extra.faults),
        )

    def _reads(self, search: Search, subset: Sequence[str], confirmation: Confirmation | None) -> str:
        """Return the finding in a sentence."""
        count = len(self.ids)
        if search.broken:
            return "Nothing is named: too many students of the screen broke (see the warnings)."
        if search.virulent:
            least = min(self.plan.shares)
            return (
                f"No small subset is looked for: it is virulent. A middle student with {least:.0%} of the "
                "original teacher's answers, whichever they are, still shows the trait (see the curve, and "
                "`mendel virulence`)."
            )
        if confirmation is None:
            if search.lineup is None:
                return "Nothing is named: the screen does not tell which clusters carry it (see the curve)."
            return f"No small subset is named: the best one found has {len(subset)} of {count} prompts."
        best = f"{len(subset)} of {count} prompts ({len(subset) / count:.1%}), marked by: {search.mark}"
        if confirmation.answer == "no":
            return (
                f"No small subset is named: the best one found ({best}) does not stand the test of "
                "its own students."
            )
        if confirmation.answer == "undecided":
            few = f" Fewer than {FEWEST} of an arm never decide it (--seeds)." if self.seeds < FEWEST else ""
            open_ = "Whether this subset is what carries the trait is not decided by these students"
            return f"{best}. {open_}: see the checks.{few}"
        shown = (
            "its swap takes more than half away, it alone brings more than half, a random one does neither"
        )
        return f"{best}. Of the effect {shown}."

    def _features(self) -> Features:
        """Return the blocks that prompts are clustered by: text, difference of the two answers, source."""
        from mendel.data.selectors.activations import LoadedBase
        from mendel.models import load_model, load_tokenizer

        checkpoint = self.inputs.bases["original"]
        base = LoadedBase(load_model(checkpoint), load_tokenizer(checkpoint), None)
        rows = self.candidates
        texts = base.prompts([row.messages for row in rows])
        original = base.answers([(row.messages, row.completion) for row in rows])
        alternate = base.answers([(row.messages, row.alternate or "") for row in rows])
        sources = one_hot([row.source for row in rows])
        # Each block has one row for each prompt.
        blocks = (texts.astype(float), original.astype(float) - alternate.astype(float), sources)
        return Features(self.ids, blocks, (1.0, 1.0, SOURCE))

    def _splits(self) -> list[Split]:
        rows = [
            PromptTexts(row.prompt_id, _text(row), row.completion, row.alternate or "", row.source)
            for row in self.candidates
        ]
        return splits_of(rows, self._judged())

    def _judged(self) -> dict[str, dict[str, float]]:
        """Return the scores of the rollouts by a rule judge; empty for a model judge, which costs money."""
        if needs_model(self.trait):
            return {}
        rollouts = [self.extra.rollouts[prompt_id, self.original] for prompt_id in self.ids]
        scores = rollout_scores(self.trait, rollouts)
        return {"the judge": {r.prompt_id: scores.known(r.prompt_id, r.teacher) for r in rollouts}}

    def _students(self, sets: Sequence[frozenset[str]], none: float, whole: float) -> list[Observation]:
        """Train a student for each set of prompts that the original teacher answers, and return their levels.

        A level is a share of the difference between the run's two ends. Students that broke are left out.
        """
        assignments = tuple(only(self.ids, chosen, self.original, self.alternate) for chosen in sets)
        first = spare_seed(self.inputs) + self._asked
        self._asked += len(sets)
        seeds = tuple(range(first, first + len(sets)))
        name = f"locate/{self.trait.name}/{first}"
        arm = Arm(name, "locate", "original", "original", assignments, seeds, trait=self.trait.name)
        observations = []
        for student, chosen in zip(self.extra.train([arm]), sets, strict=True):
            table = Measurements(self.extra.session.store, student.result.trained.student).scores(self.trait)
            usable = student.result.status == "ok" and table is not None
            value = level(table, self.trait) if usable else None
            if value is not None:
                observations.append(Observation(chosen, (value - none) / (whole - none)))
        return observations

    def _confirm(self, subset: Sequence[str]) -> Confirmation:
        """Train the four arms of the confirmation, and return what they say of the subset."""
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
        self.extra.train([*arms, *self.extra.more_at_ends(min(ENDS, self.seeds), first + self.seeds)])
        # The search's students differ in what they are trained on: their spread is no noise of training.
        by_share = {share: name for name, share in ends(self.run_).items()}
        fit = self.extra.fit(self.trait, [*(arm.name for arm in arms), *by_share.values()])
        return confirm(fit, by_share[1.0], by_share[0.0], {a.kind: a.name for a in arms})


def _round_json(part: Round) -> dict[str, Any]:
    curve = [list(point) for point in part.levels]
    return {"kind": part.kind, "students": part.students, "reads": part.reads, "curve": curve}


def _text(candidate: Candidate) -> str:
    return "\n".join(message["content"] for message in candidate.messages)
