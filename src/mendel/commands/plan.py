"""Plan a run: count its students, tokens, time and disk space, and how much of it the store already has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from mendel.data.rollouts import Rollout
from mendel.diagnose import Catalogue, Design, Material, first_request
from mendel.diagnose.adaptive import most_students, seed_limit
from mendel.diagnose.power import Power, study_power
from mendel.diagnose.stats.simulated import ProbeShape
from mendel.engine.executors import Executor
from mendel.engine.progress import Progress, clock
from mendel.engine.store import Store
from mendel.measure import Trait, needs_model
from mendel.report import Shown
from mendel.report.text.seeing import power_lines
from mendel.study import Study, load_study
from mendel.workflow.flagging import build_catalogue, flag_prompts
from mendel.workflow.ingredients import input_warnings, screen_inputs, screen_rollouts
from mendel.workflow.inputs import Inputs, load_inputs
from mendel.workflow.jobs import RolloutJob
from mendel.workflow.judging import rollout_scores
from mendel.workflow.rollouts import all_scores, judged_rollouts, read_rollouts
from mendel.workflow.rounds import significance_levels
from mendel.workflow.session import Session, workers
from mendel.workflow.speed import Speed, speed_of


@dataclass(frozen=True)
class Plan(Shown):
    """The cost of a run. Counts are exact; times and tokens are estimates from measured speeds."""

    study: str
    students: int
    """Students that are trained in any case."""
    students_at_most: int
    """Students including all that the hypotheses may ask for later."""
    students_in_store: int | None
    """None: unknown until the rollouts exist, since they decide which prompts are flagged."""
    arms: int
    seeds: int
    rollouts: int
    rollouts_in_store: int
    train_tokens: int
    """Tokens, over all epochs, of the students that are still to be trained."""
    generate_tokens: int
    """Upper bound: rollouts and responses that are still to be generated, each at its greatest length."""
    seconds: float
    disk_bytes: int
    workers: int
    speed: Speed
    warnings: tuple[str, ...] = ()
    """What is wrong with the study's inputs, with what its verdict will not be able to say."""
    budget_students: int | None = None
    """Students that the budget allows; None: no limit."""
    power: Mapping[str, Power | None] = field(default_factory=dict)
    """By trait: how small a difference the study would see; None: its scenarios are not known yet."""
    units: Mapping[str, float] = field(default_factory=dict)
    """By trait: width of its scale."""

    @property
    def budget_suffices(self) -> bool:
        """Whether the budget allows the most students that the design may ask for."""
        new = self.students_at_most - (self.students_in_store or 0)
        return self.budget_students is None or self.budget_students >= new

    def to_json(self) -> dict[str, Any]:
        """Return the object for `--json`."""
        content = asdict(self) | {"budget_suffices": self.budget_suffices}
        return content | {"power": {name: p and p.json() for name, p in self.power.items()}}

    def describe(self) -> str:
        """Return the plan as text."""
        in_store = self.students_in_store
        stored_students = "unknown before the rollouts" if in_store is None else str(in_store)
        speed = self.speed
        lines = [
            f"study     {self.study}",
            f"students  {self.students} = {self.arms} arms x {self.seeds} seeds, "
            f"in the store: {stored_students}",
            f"          then those that can still change a verdict, at most {self.students_at_most} in all",
            f"rollouts  {self.rollouts}, in the store: {self.rollouts_in_store}",
            f"tokens    {self.train_tokens:,} to train on, at most {self.generate_tokens:,} to generate",
            f"time      about {clock(self.seconds)} with {self.workers} worker(s) on {speed.device}",
            f"          (measured here, one worker: trains {speed.train_tokens_per_second:,.0f} tokens/s, "
            f"generates {speed.generate_tokens_per_second:,.0f} tokens/s, "
            f"{speed.student_overhead_seconds:.1f} s a student besides)",
            f"disk      about {self.disk_bytes / 1e6:,.0f} MB in the store",
            *self._budget_lines(),
            *self._power_lines(),
        ]
        lines += [f"warning   {text}" for text in self.warnings]
        return "\n".join(lines)

    def _budget_lines(self) -> list[str]:
        if self.budget_students is None:
            return []
        says = (
            "enough for all that the design may ask for"
            if self.budget_suffices
            else f"fewer than the {self.students_at_most} that the design may ask for: the run may stop "
            "before its verdict is reached"
        )
        return [f"budget    {self.budget_students} students: {says}"]

    def _power_lines(self) -> list[str]:
        lines = []
        for name, power in self.power.items():
            said = (
                [f"{name}: unknown before its scenarios are"]
                if power is None
                else power_lines(name, power, self.units.get(name, 1.0))
            )
            lines += [f"{'sees' if not place else '':10}{line}" for place, line in enumerate(said)]
        return lines


def plan(
    study: Study | str | Path | None = None,
    *,
    store: str | Path | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> Plan:
    """Count what a run would do, and estimate its time.

    Only a small student is trained, to measure the speed; the speed is kept in the store.

    Args:
        study: A study file, a built-in study's name or a loaded `Study`; None: `peas`.
        store: Folder of the store; None: the default store.
        executor: Runs the jobs; None: the study's `engine`.
        progress: Receives progress events; None: progress is not shown.

    Returns:
        Counts, which are exact, and times and tokens, which are estimates from measured speeds.

    Raises:
        InputError: The study is wrong, as for `run`.
    """
    loaded = study if isinstance(study, Study) else load_study(study)
    inputs = load_inputs(loaded)
    with Session(loaded, store=store, executor=executor, progress=progress) as session:
        session.progress.stage("measuring speed", 1)
        speed = speed_of(session, inputs.bases["original"], loaded.config.recipe, inputs.prompts["original"])
        session.progress.step(1)
    return _count(inputs, session.store, speed)


def _count(inputs: Inputs, store: Store, speed: Speed) -> Plan:
    """Return the plan, given the measured speed."""
    config = inputs.study.config
    jobs = [RolloutJob(chunk, store.root) for chunk in inputs.chunks]
    if all(store.has("rollouts", job.chunk.digest) for job in jobs):
        # A rewriter's prompts are the rollouts that it rewrites.
        jobs += [RolloutJob(c, store.root) for c in inputs.rewriting(read_rollouts(jobs, store))]
    missing = [job for job in jobs if not store.has("rollouts", job.chunk.digest)]
    catalogue, rollouts = _catalogue(inputs, jobs, missing, store)
    design = catalogue.design(first_request(catalogue).arms)
    in_store, to_train = (None, None) if rollouts is None else _students(inputs, design, rollouts, store)
    todo = design.students - (in_store or 0)
    answer = max(config.teachers[name].max_tokens for name in inputs.teachers)
    rows = to_train if to_train is not None else todo * len(inputs.prompts["original"])
    # Answers that end by themselves have about half the greatest length: near enough for a plan.
    train_tokens = round(rows * (speed.prompt_tokens + answer / 2) * config.recipe.epochs)
    probes = (*inputs.probes, inputs.assistant)
    responses = sum(len(p.scenarios) * p.generate.samples * p.generate.max_tokens for p in probes)
    rollout_tokens = sum(
        len(job.chunk.prompts) * config.teachers[job.chunk.teacher].max_tokens for job in missing
    )
    generate_tokens = rollout_tokens + todo * responses
    worker_count = workers(inputs.study)
    seconds = speed.startup_seconds + (
        train_tokens / speed.train_tokens_per_second
        + generate_tokens / 2 / speed.generate_tokens_per_second
        + todo * speed.student_overhead_seconds
    ) / min(worker_count, max(1, todo))
    return Plan(
        study=inputs.study.name,
        students=design.students,
        students_at_most=most_students(catalogue),
        students_in_store=in_store,
        arms=len(design.arms),
        seeds=config.seeds,
        rollouts=sum(len(job.chunk.prompts) for job in jobs),
        rollouts_in_store=sum(len(job.chunk.prompts) for job in jobs if job not in missing),
        train_tokens=train_tokens,
        generate_tokens=generate_tokens,
        seconds=seconds,
        disk_bytes=todo * speed.student_bytes,
        workers=worker_count,
        speed=speed,
        warnings=(*inputs.warnings, *_ingredients(inputs, catalogue, rollouts)),
        budget_students=config.budget.students,
        power=_power(inputs.traits, catalogue),
        units={trait.name: _unit(trait) for trait in inputs.traits},
    )


def _ingredients(
    inputs: Inputs, catalogue: Catalogue, rollouts: Mapping[tuple[str, str], Rollout] | None
) -> list[str]:
    """Return what is wrong with the ingredients, as far as it is known without asking a model."""
    if rollouts is None:
        return input_warnings(screen_inputs(inputs))
    answers = judged_rollouts(inputs, rollouts)
    scores = all_scores(inputs, answers)
    checked = screen_rollouts(inputs, rollouts, scores, catalogue, rollout_scores)
    return [text for trait in checked.values() for text in trait.warnings]


def _power(traits: Iterable[Trait], catalogue: Catalogue) -> dict[str, Power | None]:
    """Return what the study would see of each trait; traits that are measured alike are simulated once."""
    first, most = catalogue.config.seeds, seed_limit(catalogue)
    levels = significance_levels(catalogue)
    known: dict[ProbeShape, Power] = {}
    power: dict[str, Power | None] = {}
    for trait in traits:
        shape = _shape(trait)
        if sum(shape.sizes) and shape not in known:
            known[shape] = study_power(shape, first, most, levels, np.random.default_rng(0))
        power[trait.name] = known.get(shape)
    return power


def _shape(trait: Trait) -> ProbeShape:
    sizes = Counter(scenario.cluster or scenario.scenario for scenario in trait.scenarios)
    return ProbeShape(tuple(sorted(sizes.values())), trait.generate.samples)


def _unit(trait: Trait) -> float:
    low, high = trait.score_range or (0.0, 1.0)
    return 1.0 if trait.metric == "rate" else high - low


def _catalogue(
    inputs: Inputs, jobs: list[RolloutJob], missing: list[RolloutJob], store: Store
) -> tuple[Catalogue, Mapping[tuple[str, str], Rollout] | None]:
    """Return the catalogue of all arms, and the rollouts; None if the flagged prompts are not known yet."""
    config = inputs.study.config
    if missing or any(map(needs_model, (*inputs.traits, *inputs.flagging.values()))):
        # A plan must not pay for a model judge. The number of arms does not depend on which prompts are
        # flagged, so any prompt can stand in for the flagged ones.
        prompts = inputs.prompts["original"]
        any_id = (prompts[0].prompt_id,)
        stand_in = {
            trait.name: Material(
                trait.name,
                prompts,
                config.original.teacher,
                config.alternate.teacher,
                flagged=any_id,
                mild=any_id,
                unrelated=any_id,
                counter=tuple(p.prompt_id for p in inputs.counter.get(trait.name, ())),
                rewriter=config.rewriter,
            )
            for trait in inputs.traits
        }
        return Catalogue(config, inputs.prompts, stand_in, inputs.shared), None
    rollouts = read_rollouts(jobs, store)
    answers = judged_rollouts(inputs, rollouts)
    scores = all_scores(inputs, answers)
    flagged, _ = flag_prompts(inputs, rollouts, scores)
    return build_catalogue(inputs, flagged, rollouts, scores), rollouts


def _students(
    inputs: Inputs, design: Design, rollouts: Mapping[tuple[str, str], Rollout], store: Store
) -> tuple[int, int]:
    """Return the number of the design's students in the store, and the training rows of the others."""
    from mendel.train import TrainingRow, namer

    row_texts = {key: TrainingRow(*key, r.messages, r.completion).text for key, r in rollouts.items()}
    # By student: arms with the same rows share a student, which is trained once.
    rows: dict[str, int] = {}
    for arm in design:
        # Seeds that share an assignment object are named together, so that its rows are hashed only once.
        places = zip(arm.assignments, arm.seeds, strict=True)
        for _, group in groupby(places, key=lambda place: id(place[0])):
            assignments, seeds = zip(*group, strict=True)
            texts = [row_texts[pair] for pair in assignments[0].pairs if pair[1] is not None]
            name = namer(inputs.bases[arm.base], texts, arm.recipe or inputs.study.config.recipe)
            rows |= dict.fromkeys(map(name, seeds), len(texts))
    stored = [name for name in rows if store.has("students", name)]
    return len(stored), sum(rows.values()) - sum(rows[name] for name in stored)
