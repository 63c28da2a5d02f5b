"""Selectors on a finished run: students without what each of them flags, and what is left of the trait in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mendel.data.assignment import drop, everyone, swap
from mendel.data.selectors import Flagged, check_selector, flag, select
from mendel.design.arms import draw_rng
from mendel.diagnose import Arm
from mendel.diagnose.stats.intervals import Estimate, Fit
from mendel.engine.errors import InputError
from mendel.engine.executors import Executor
from mendel.engine.progress import Progress
from mendel.measure import Trait
from mendel.report import Shown
from mendel.results.run import Run
from mendel.study import Study
from mendel.study.schema import BudgetConfig, SelectConfig
from mendel.workflow.batches import Batch
from mendel.workflow.extra_students import ExtraStudents, chosen_traits, ends, keep, spare_seed
from mendel.workflow.flagging import candidates_of, context_of
from mendel.workflow.inputs import Inputs
from mendel.workflow.reopen import reopen
from mendel.workflow.session import Session

EDITS = ("drop", "swap")
CONTROL = "random"


@dataclass(frozen=True)
class Tried:
    """What one selector flags, and what two edits of that leave of the trait."""

    flagged: Flagged
    shared: int
    """Of its prompts, how many the run's own selector flags, too."""
    levels: Mapping[str, Estimate]
    """The trait's level by edit."""
    beyond_random: Mapping[str, Estimate]
    """By edit: that level less the one after the same edit of as many random prompts; below 0: it removes more."""
    log_odds: Mapping[str, Estimate]
    """The same difference in log-odds (nats); empty where the trait has none."""

    def json(self) -> dict[str, Any]:
        """For the result's JSON."""
        return {
            "reads": self.flagged.description,
            "prompts": list(self.flagged.prompt_ids),
            "shared_with_run": self.shared,
            **{edit: self.levels[edit].json() for edit in EDITS},
            **{f"{edit}_beyond_random": self.beyond_random[edit].json() for edit in EDITS},
            "log_odds": {f"{edit}_beyond_random": found.json() for edit, found in self.log_odds.items()},
        }


@dataclass(frozen=True)
class TriedSelectors(Shown):
    """Selectors side by side, every one with as many prompts, on one trait of a run."""

    trait: str
    count: int
    of: int
    """Prompts flagged, and prompts of the original set."""
    levels: Mapping[str, Estimate]
    """Of the trait: `original` and `alternate` (the run's own students), `drop` and `swap` of random prompts."""
    selectors: Mapping[str, Tried]
    students_trained: int
    students_reused: int
    warnings: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """For `--json`; the run's folder keeps it as `selectors/<trait>.json`."""
        return {
            "trait": self.trait,
            "flagged": self.count,
            "of": self.of,
            "levels": {name: level.json() for name, level in self.levels.items()},
            "selectors": {name: tried.json() for name, tried in self.selectors.items()},
            "students_trained": self.students_trained,
            "students_reused": self.students_reused,
            "warnings": list(self.warnings),
        }

    def describe(self) -> str:
        """For people."""
        from mendel.report import selectors_text

        return selectors_text(self.to_json())


def selectors(
    folder: str | Path,
    trait: str,
    by: Sequence[str],
    *,
    share: float | None = None,
    seeds: int = 2,
    study: Study | str | Path | None = None,
    store: str | Path | None = None,
    executor: Executor | None = None,
    budget: BudgetConfig | None = None,
    batch: Batch | None = None,
    progress: Progress | None = None,
) -> TriedSelectors:
    """Say what would be left of a finished run's trait, had another selector flagged its prompts.

    Each selector flags as many of the original prompts. They are dropped, and swapped to the alternate teacher, in
    `seeds` students each, of seeds that the run did not use; the same is done with a random draw for each seed. Writes
    `selectors/<trait>.json` into the folder, and its page again.

    Args:
        folder: A finished run's folder.
        trait: The trait's name.
        by: The selectors' names.
        share: The share of the prompts that is flagged; None: as many as the run flagged.
        seeds: Students of each edit, 2 or more.
        study: The study, or its file, where the run's own study file was moved.
        store: The store's folder; None: the default one.
        executor: Where jobs run; None: the study's `engine`.
        budget: Limits; one that is None stays the study's.
        batch: Batch files for endpoints; None: requests are sent.
        progress: Who is told how the command stands; None: nobody.

    Returns:
        The selectors side by side.

    Raises:
        InputError: no finished run, an unknown trait or selector, a trait that the teacher is not shown to carry, a
            share out of range.
        BudgetSpent: the budget ended it; students that are done are in the store, so that the same command goes on.
        Waiting: requests to endpoints are in the batch file.
        RunError: it could not go on.
    """
    if not by:
        raise InputError("no selector is named", where="--by", fix="Write one at least, such as judge.")
    if seeds < 2:
        raise InputError(
            "one student an arm has no interval", where="--seeds", value=seeds, fix="Write 2 or more."
        )
    run, inputs = reopen(folder, study)
    chosen, skipped = chosen_traits(run, inputs, [trait])
    if not chosen:
        raise InputError(f"nothing can be removed: {skipped[trait]}", where=f"trait {trait}")
    own = _own_select(inputs, trait)
    cut = _cut(run, trait, share)
    configs = {name: _config(own, name, cut) for name in dict.fromkeys(by)}
    session = Session(
        inputs.study, store=store, executor=executor, budget=budget, batch=batch, progress=progress
    )
    with session:
        first = spare_seed(inputs)
        extra = ExtraStudents(run, inputs, chosen, session)
        trying = _Trying(run, inputs, chosen[0], extra, tuple(range(first, first + seeds)))
        tried = trying.run(own, configs)
    keep(run, "selectors", trait, tried.to_json())
    return tried


def _own_select(inputs: Inputs, trait: str) -> SelectConfig:
    config = inputs.study.config
    number = next(n for n, known in enumerate(inputs.traits) if known.name == trait)
    return config.traits[number].select or config.select


def _cut(run: Run, trait: str, share: float | None) -> float:
    flagged = run.verdicts["traits"][trait]["flagged"]
    if share is None and not flagged["count"]:
        raise InputError(
            "the run flagged no prompt, so that it gives no number to flag",
            where="--share",
            fix="Write a share.",
        )
    cut = flagged["count"] / flagged["of"] if share is None else share
    if not 0 < cut < 1:
        raise InputError("a share has to lie between 0 and 1", where="--share", value=share)
    return float(cut)


def _config(own: SelectConfig, name: str, share: float) -> SelectConfig:
    """The study's own settings (a pattern, a layer) with another selector and cut."""
    options = own.options if name == own.by else {}
    config = own.model_copy(update={"by": name, "share": share, "threshold": None, "options": options})
    check_selector(config, where="--by")
    return config


@dataclass
class _Trying:
    """One trait's prompts, and the students without some of them."""

    run_: Run
    inputs: Inputs
    trait: Trait
    extra: ExtraStudents
    seeds: tuple[int, ...]

    def run(self, own: SelectConfig, configs: Mapping[str, SelectConfig]) -> TriedSelectors:
        """Scores, cuts, trains and compares; `own` is what the run flagged by."""
        flagged = self._flag(configs)
        count = len(next(iter(flagged.values())).prompt_ids)
        ids = [prompt.prompt_id for prompt in self.inputs.prompts["original"]]
        sets = {name: [found.prompt_ids] * len(self.seeds) for name, found in flagged.items()}
        sets[CONTROL] = [self._draw(ids, count, seed) for seed in self.seeds]
        arms = [self._arm(edit, name, taken, ids) for name, taken in sets.items() for edit in EDITS]
        self.extra.train(arms)
        names = [arm.name for arm in arms]
        fit, finer = self.extra.fit(self.trait, names), self.extra.log_odds_fit(self.trait, names)

        def level(arm: str) -> Estimate:
            return fit.estimate([{arm: 1.0}])[0]

        def beyond(name: str, edit: str, within: Fit = fit) -> Estimate:
            return within.estimate([{self._name(name, edit): 1.0, self._name(CONTROL, edit): -1.0}])[0]

        before = self._flagged_by_run(own)
        end = {share: arm for arm, share in ends(self.run_).items()}
        levels = {"original": level(end[1.0]), "alternate": level(end[0.0])}
        return TriedSelectors(
            self.trait.name,
            count,
            len(ids),
            levels | {edit: level(self._name(CONTROL, edit)) for edit in EDITS},
            {
                name: Tried(
                    found,
                    len(before.intersection(found.prompt_ids)),
                    {edit: level(self._name(name, edit)) for edit in EDITS},
                    {edit: beyond(name, edit) for edit in EDITS},
                    {edit: beyond(name, edit, finer) for edit in EDITS} if finer else {},
                )
                for name, found in flagged.items()
            },
            self.extra.new,
            self.extra.reused,
            tuple(self.extra.faults),
        )

    def _flag(self, configs: Mapping[str, SelectConfig]) -> dict[str, Flagged]:
        rows = candidates_of(self.inputs, self.extra.rollouts)
        judged = self.extra.session.judging.score_rollouts(self.trait, list(self.extra.rollouts.values()))
        self.extra.session.progress.stage("scores", len(configs))
        found = {}
        for name, config in configs.items():
            context = context_of(self.inputs, self.trait, config, judged, rows)
            found[name] = flag(
                select(rows, context, self.extra.session.store, f"--by {name}"), config, f"--by {name}"
            )
            self.extra.session.progress.step(1, name)
        return found

    def _flagged_by_run(self, own: SelectConfig) -> frozenset[str]:
        try:
            return frozenset(self._flag({own.by: own})[own.by].prompt_ids)
        except InputError:  # the run's judge found nothing, which a run says and lives with
            return frozenset()

    def _draw(self, ids: Sequence[str], count: int, seed: int) -> tuple[str, ...]:
        rng = draw_rng("selectors", self.trait.name, seed, ids)
        return tuple(ids[place] for place in rng.permutation(len(ids))[:count])

    def _name(self, selector: str, edit: str) -> str:
        return f"selector-{edit}/{self.trait.name}/{selector}"

    def _arm(self, edit: str, selector: str, sets: Sequence[Sequence[str]], ids: Sequence[str]) -> Arm:
        config = self.inputs.study.config
        whole = everyone(ids, config.original.teacher)
        edited = [
            drop(whole, s) if edit == "drop" else swap(whole, s, config.alternate.teacher) for s in sets
        ]
        name = self._name(selector, edit)
        return Arm(
            name, f"selector-{edit}", "original", "original", tuple(edited), self.seeds, trait=self.trait.name
        )
