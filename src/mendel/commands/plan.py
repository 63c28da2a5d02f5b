"""What a run would do, before it does it: students, tokens, time, disk, and what the store has already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from mendel.data.rollouts import Rollout
from mendel.diagnose import Catalogue, Design, Material, first_request
from mendel.diagnose.adaptive import most_students
from mendel.engine.executors import Executor
from mendel.engine.progress import Progress, clock
from mendel.engine.store import Store
from mendel.measure import needs_model
from mendel.report import Shown
from mendel.study import Study, load_study
from mendel.workflow.flagging import build_catalogue, flag_prompts
from mendel.workflow.inputs import Inputs, load_inputs
from mendel.workflow.jobs import RolloutJob
from mendel.workflow.judging import rollout_scores
from mendel.workflow.rollouts import judged_rollouts, read_rollouts
from mendel.workflow.session import Session, workers
from mendel.workflow.speed import Speed, speed_of


@dataclass(frozen=True)
class Plan(Shown):
    """What a run of a study would take; counts are exact, times and tokens estimates from measured speeds."""

    study: str
    students: int
    """Those that are trained whatever comes out."""
    students_at_most: int
    """With all that the hypotheses may still ask for."""
    students_in_store: int | None
    """None: not known before the rollouts are there, since they decide which prompts are flagged."""
    arms: int
    seeds: int
    rollouts: int
    rollouts_in_store: int
    train_tokens: int
    """Tokens that the students still to train will see, over all epochs."""
    generate_tokens: int
    """At most: rollouts and responses still to generate, each to its maximal length."""
    seconds: float
    disk_bytes: int
    workers: int
    speed: Speed

    def to_json(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)

    def describe(self) -> str:
        """For people."""
        known = (
            "unknown before the rollouts" if self.students_in_store is None else str(self.students_in_store)
        )
        speed = self.speed
        lines = [
            f"study     {self.study}",
            f"students  {self.students} = {self.arms} arms x {self.seeds} seeds, in the store: {known}",
            f"          then those that can still change a verdict, at most {self.students_at_most} in all",
            f"rollouts  {self.rollouts}, in the store: {self.rollouts_in_store}",
            f"tokens    {self.train_tokens:,} to train on, at most {self.generate_tokens:,} to generate",
            f"time      about {clock(self.seconds)} with {self.workers} worker(s) on {speed.device}",
            f"          (measured here, one worker: trains {speed.train_tokens_per_second:,.0f} tokens/s, generates "
            f"{speed.generate_tokens_per_second:,.0f} tokens/s, {speed.student_overhead_seconds:.1f} s a student besides)",
            f"disk      about {self.disk_bytes / 1e6:,.0f} MB in the store",
        ]
        return "\n".join(lines)


def plan(
    study: Study | str | Path | None = None,
    *,
    store: str | Path | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> Plan:
    """Count what a run would do and estimate its time; train nothing but a small student to measure the speed.

    Args:
        study: A study file, a built-in study's name or a loaded `Study`; None: `peas`.
        store: The store's folder; None: the default one.
        executor: Where the small student is trained; None: the study's `engine`.
        progress: Who is told how the plan stands; None: nobody.

    Returns:
        Counts, which are exact, and times and tokens, which are estimates from measured speeds.

    Raises:
        InputError: for all that `run` would raise it for.
    """
    loaded = study if isinstance(study, Study) else load_study(study)
    inputs = load_inputs(loaded)
    with Session(loaded, store=store, executor=executor, progress=progress) as session:
        session.progress.stage("measuring speed", 1)
        speed = speed_of(session, inputs.bases["original"], loaded.config.recipe, inputs.prompts["original"])
        session.progress.step(1)
    return _count(inputs, session.store, speed)


def _count(inputs: Inputs, store: Store, speed: Speed) -> Plan:
    config = inputs.study.config
    jobs = [RolloutJob(chunk, store.root) for chunk in inputs.chunks]
    if all(store.has("rollouts", job.chunk.digest) for job in jobs):
        # What is rewritten is known only once it is there.
        jobs += [RolloutJob(c, store.root) for c in inputs.rewriting(read_rollouts(jobs, store))]
    missing = [job for job in jobs if not store.has("rollouts", job.chunk.digest)]
    catalogue, rollouts = _catalogue(inputs, jobs, missing, store)
    design = catalogue.design(first_request(catalogue).arms)
    in_store, to_train = (None, None) if rollouts is None else _students(inputs, design, rollouts, store)
    todo = design.students - (in_store or 0)
    answer = max(config.teachers[name].max_tokens for name in inputs.teachers)
    rows = to_train if to_train is not None else todo * len(inputs.prompts["original"])
    # Half the maximal length is what answers that stop by themselves come to, near enough for a plan.
    train_tokens = round(rows * (speed.prompt_tokens + answer / 2) * config.recipe.epochs)
    probes = (*inputs.probes, inputs.assistant)
    responses = sum(len(p.scenarios) * p.generate.samples * p.generate.max_tokens for p in probes)
    rollout_tokens = sum(
        len(job.chunk.prompts) * config.teachers[job.chunk.teacher].max_tokens for job in missing
    )
    generate_tokens = rollout_tokens + todo * responses
    hands = workers(inputs.study)
    seconds = speed.startup_seconds + (
        train_tokens / speed.train_tokens_per_second
        + generate_tokens / 2 / speed.generate_tokens_per_second
        + todo * speed.student_overhead_seconds
    ) / min(hands, max(1, todo))
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
        workers=hands,
        speed=speed,
    )


def _catalogue(
    inputs: Inputs, jobs: list[RolloutJob], missing: list[RolloutJob], store: Store
) -> tuple[Catalogue, Mapping[tuple[str, str], Rollout] | None]:
    """All arms there can be, and the rollouts that their students learn; None where it is not known yet which."""
    config = inputs.study.config
    if missing or any(needs_model(trait) for trait in inputs.traits):
        # Asking a judge costs something, and a plan costs nothing. Which prompts are flagged is not known yet, but how many arms there are is: any prompt stands in for them.
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
    scores = {trait.name: rollout_scores(trait, answers) for trait in inputs.traits}
    flagged, _ = flag_prompts(inputs, rollouts, scores)
    return build_catalogue(inputs, flagged, rollouts, scores), rollouts


def _students(
    inputs: Inputs, design: Design, rollouts: Mapping[tuple[str, str], Rollout], store: Store
) -> tuple[int, int]:
    """How many of the design's students the store has, and the rows of those that it has not."""
    from mendel.train import TrainingRow, namer

    made = {key: TrainingRow(*key, one.messages, one.completion).text for key, one in rollouts.items()}
    # Arms that come down to the same rows share a student, and it is trained once.
    rows: dict[str, int] = {}
    for arm in design:
        # Seeds that share an assignment (it is one object then) are named together.
        for _, several in groupby(zip(arm.assignments, arm.seeds, strict=True), key=lambda one: id(one[0])):
            assignments, seeds = zip(*several, strict=True)
            texts = [made[pair] for pair in assignments[0].pairs if pair[1] is not None]
            name = namer(inputs.bases[arm.base], texts, arm.recipe or inputs.study.config.recipe)
            rows |= dict.fromkeys(map(name, seeds), len(texts))
    there = [name for name in rows if store.has("students", name)]
    return len(there), sum(rows.values()) - sum(rows[name] for name in there)
