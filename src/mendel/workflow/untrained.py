"""Measure models without training: checkpoints in workers, endpoints from the main process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from mendel.design.names import base_arm, prefill_arm, teacher_arm
from mendel.design.shared import sister_prefill_arm
from mendel.measure import Health
from mendel.models import Checkpoint, ModelSource, open_chat
from mendel.study import StudyConfig
from mendel.workflow.inputs import SIDES, Inputs
from mendel.workflow.jobs import ModelJob, Probes, measure_model
from mendel.workflow.session import Session
from mendel.workflow.tables import MeasuredModel


def measure_models(session: Session, jobs: Sequence[ModelJob]) -> Iterator[tuple[ModelJob, Health]]:
    """Measure and judge models, and yield each job with the model's health as an assistant when it is done.

    Raises:
        BudgetSpent: The budget is spent. Finished models are in the store.
        Waiting: Requests to endpoints wait in the batch file for a provider's answers.
    """
    local = [job for job in jobs if not job.source.remote]
    for job, health in session.executor.map(measure_model, local):
        session.judging.finish_model(job)
        yield job, health
    for job in jobs:
        if job.source.remote:
            health = measure_model(job, open_chat(job.source, session.endpoints))
            session.judging.finish_model(job)
            yield job, health


def measure_untrained(
    session: Session, inputs: Inputs, probes: Probes, prefixes: Mapping[str, str]
) -> list[MeasuredModel]:
    """Measure a study's bases and teachers, and return them as rows of `students`.

    The health of students is compared with their base's health. The original base is measured again with each
    of the response prefixes, as `prefill/<side>`, and its sister as `prefill/sister-<side>`.

    Raises:
        BudgetSpent: The budget is spent. Finished models are in the store.
        Waiting: Requests to endpoints wait in the batch file for a provider's answers.
    """
    jobs = _jobs(session, inputs, probes, prefixes)
    session.progress.stage("models", len(jobs))
    by_model = {job.model: job for job, _ in jobs.values()}
    health = {}
    for job, measured in measure_models(session, list(by_model.values())):
        health[job.model] = measured
        session.progress.step(sum(other.model == job.model for other, _ in jobs.values()))
    return [MeasuredModel(arm, job.model, ref, health[job.model]) for arm, (job, ref) in jobs.items()]


def _jobs(
    session: Session, inputs: Inputs, probes: Probes, prefixes: Mapping[str, str]
) -> dict[str, tuple[ModelJob, str]]:
    """Return the job and the reference of each model, by arm."""
    config, root = inputs.study.config, session.store.root
    jobs: dict[str, tuple[ModelJob, str]] = {}
    for name, base in inputs.bases.items():
        jobs[base_arm(name)] = (ModelJob(_source(base, config), None, probes, root), base.ref)
    for side in SIDES:
        name = getattr(config, side).teacher
        source = inputs.teachers[name]
        if source is not None:
            job = ModelJob(source, config.teachers[name].system, probes, root)
            jobs[teacher_arm(side)] = (job, source.ref)
    prefilled = [(inputs.bases["original"], prefill_arm)]
    if "sister" in inputs.bases:
        prefilled.append((inputs.bases["sister"], sister_prefill_arm))
    for base, arm_of in prefilled:
        for side_of_prefix, prefix in prefixes.items():
            job = ModelJob(_source(base, config), None, probes, root, prefill=prefix)
            jobs[arm_of(side_of_prefix)] = (job, base.ref)
    return jobs


def _source(base: Checkpoint, config: StudyConfig) -> ModelSource:
    return ModelSource(base.ref, base.digest, base, rank=config.recipe.rank)
