"""Try selectors on a finished run: how much of a trait is left after the flagged prompts are edited."""

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
from mendel.workflow.extra_students import (
    ExtraStudents,
    chosen_traits,
    ends,
    keep,
    spare_seed,
    verdict_on,
)
from mendel.workflow.flagging import candidates_of, context_of
from mendel.workflow.inputs import Inputs
from mendel.workflow.reopen import reopen
from mendel.workflow.session import Session

EDITS = ("drop", "swap")
"""Edits of the flagged prompts: nobody answers them, or the alternate teacher does."""
CONTROL = "random"
"""The control: as many prompts, drawn at random."""


@dataclass(frozen=True)
class Tried:
    """The prompts that one selector flags, and how much of the trait is left after each edit of them."""

    flagged: Flagged
    shared: int
    """Number of these prompts that the run's own selector also flags."""
    levels: Mapping[str, Estimate]
    """The trait's level by edit."""
    beyond_random: Mapping[str, Estimate]
    """By edit: the level minus the level after the same edit of as many random prompts.

    Below 0, the selector removes more than chance.
    """
    log_odds: Mapping[str, Estimate]
    """The same difference in log-odds (nats); empty if the trait has no log-odds."""

    def json(self) -> dict[str, Any]:
        """Return the selector's entry in the result's JSON."""
        return {
            "reads": self.flagged.description,
            "prompts": list(self.flagged.prompt_ids),
            "shared_with_run": self.shared,
            **{edit: self.levels[edit].json() for edit in EDITS},
            **{f"{edit}_beyond_random": self.beyond_random[edit].json() for edit in EDITS},
            "log_odds": {f"{edit}_beyond_random": value.json() for edit, value in self.log_odds.items()},
        }


@dataclass(frozen=True)
class TriedSelectors(Shown):
    """Selectors compared on one trait of a run; each flags the same number of prompts."""

    trait: str
    count: int
    """Number of flagged prompts."""
    of: int
    """Number of prompts in the original set."""
    levels: Mapping[str, Estimate]
    """Levels in `original` and `alternate` (the run's own students), and after edits of random prompts."""
    selectors: Mapping[str, Tried]
    students_trained: int
    students_reused: int
    warnings: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the object for `--json`, which is also `selectors/<trait>.json` in the run's folder."""
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
        """Return the comparison as text."""
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
    """Compare selectors by how much of a finished run's trait is left when each flags the prompts.

    Each selector flags the same number of original prompts. For each edit (`drop`: nobody answers these
    prompts; `swap`: the alternate teacher does), `seeds` students are trained, with seeds that the run did
    not use. The control is a random draw of prompts for each seed. The result is written to
    `selectors/<trait>.json` in the run's folder, and the report is written again.

    Args:
        folder: Folder of a finished run.
        trait: Name of the trait.
        by: Names of the selectors.
        share: Share of the prompts that each selector flags, between 0 and 1; None: as many as the run
            flagged.
        seeds: Students of each edit, 2 or more.
        study: The study, or its file; needed if the run's study file was moved.
        store: Folder of the store; None: the default store.
        executor: Runs the jobs; None: the study's `engine`.
        budget: Limits; one that is None stays the study's.
        batch: Batch files for endpoints; None: requests are sent to the endpoints.
        progress: Receives progress events; None: progress is not shown.

    Returns:
        The comparison: for each selector its prompts, levels, and differences from the control.

    Raises:
        InputError: The run is not finished, the trait or a selector is unknown, the teacher is not shown to
            carry the trait, or `share` or `seeds` is out of range.
        BudgetSpent: The budget is spent. Finished students are in the store: the same command continues.
        Waiting: Requests to endpoints wait in the batch file for a provider's answers.
        RunError: The command could not continue.
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
    run_select = _own_select(inputs, trait)
    cut = _cut(run, trait, share)
    configs = {name: _config(run_select, name, cut) for name in dict.fromkeys(by)}
    session = Session(
        inputs.study, store=store, executor=executor, budget=budget, batch=batch, progress=progress
    )
    with session:
        first = spare_seed(inputs)
        extra = ExtraStudents(run, inputs, chosen, session)
        trying = _Trying(run, inputs, chosen[0], extra, tuple(range(first, first + seeds)))
        tried = trying.run(run_select, configs)
    keep(run, "selectors", trait, tried.to_json())
    return tried


def _own_select(inputs: Inputs, trait: str) -> SelectConfig:
    """Return the settings of the selector that the run flagged the trait's prompts by."""
    config = inputs.study.config
    number = next(number for number, item in enumerate(inputs.traits) if item.name == trait)
    return config.traits[number].select or config.select


def _cut(run: Run, trait: str, share: float | None) -> float:
    """Return the share of prompts to flag: `share`, or the share that the run flagged."""
    flagged = verdict_on(run, trait).flagged
    if share is None and not (flagged.count and flagged.of):
        raise InputError(
            "the run flagged no prompt, so that it gives no number to flag",
            where="--share",
            fix="Write a share.",
        )
    cut = (flagged.count or 0) / (flagged.of or 1) if share is None else share
    if not 0 < cut < 1:
        raise InputError("a share has to lie between 0 and 1", where="--share", value=share)
    return float(cut)


def _config(own: SelectConfig, name: str, share: float) -> SelectConfig:
    """Return the study's settings (a pattern, a layer) with another selector and share."""
    options = own.options if name == own.by else {}
    config = own.model_copy(update={"by": name, "share": share, "threshold": None, "options": options})
    check_selector(config, where="--by")
    return config


@dataclass
class _Trying:
    """One trait's prompts, and the students whose flagged prompts are edited."""

    run_: Run
    inputs: Inputs
    trait: Trait
    extra: ExtraStudents
    seeds: tuple[int, ...]

    def run(self, own: SelectConfig, configs: Mapping[str, SelectConfig]) -> TriedSelectors:
        """Flag prompts, train the students and compare them; the run itself flagged by `own`."""
        flagged = self._flag(configs)
        count = len(next(iter(flagged.values())).prompt_ids)
        ids = [prompt.prompt_id for prompt in self.inputs.prompts["original"]]
        sets = {name: [prompts.prompt_ids] * len(self.seeds) for name, prompts in flagged.items()}
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
                    prompts,
                    len(before.intersection(prompts.prompt_ids)),
                    {edit: level(self._name(name, edit)) for edit in EDITS},
                    {edit: beyond(name, edit) for edit in EDITS},
                    {edit: beyond(name, edit, finer) for edit in EDITS} if finer else {},
                )
                for name, prompts in flagged.items()
            },
            self.extra.new,
            self.extra.reused,
            tuple(self.extra.faults),
        )

    def _flag(self, configs: Mapping[str, SelectConfig]) -> dict[str, Flagged]:
        """Return the prompts that each selector flags, by its name."""
        rows = candidates_of(self.inputs, self.extra.rollouts)
        trait = self.inputs.flags(self.trait)
        judged = self.extra.session.judging.score_rollouts(trait, list(self.extra.rollouts.values()))
        self.extra.session.progress.stage("scores", len(configs))
        flagged = {}
        for name, config in configs.items():
            context = context_of(self.inputs, trait, config, judged, rows)
            scores = select(rows, context, self.extra.session.store, f"--by {name}")
            flagged[name] = flag(scores, config, f"--by {name}")
            self.extra.session.progress.step(1, name)
        return flagged

    def _flagged_by_run(self, own: SelectConfig) -> frozenset[str]:
        """Return the ids of the prompts that the run's own selector flags."""
        try:
            return frozenset(self._flag({own.by: own})[own.by].prompt_ids)
        except InputError:
            # The run's judge flagged nothing: the run reports that as a warning, not as an error.
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
            drop(whole, chosen) if edit == "drop" else swap(whole, chosen, config.alternate.teacher)
            for chosen in sets
        ]
        name = self._name(selector, edit)
        return Arm(
            name, f"selector-{edit}", "original", "original", tuple(edited), self.seeds, trait=self.trait.name
        )
