"""The teachers' rollouts: make them, read them from the store, and score them with the traits' judges."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from mendel.data.prompts import Message
from mendel.data.rollouts import Rollout, common_opener
from mendel.data.teachers import GeneratedChunk, RolloutChunk
from mendel.engine.errors import InputError, Waiting
from mendel.engine.store import Store
from mendel.measure import Judgement, Trait, grade
from mendel.models import ModelSource, open_chat
from mendel.workflow.flagging_judges import same_judge
from mendel.workflow.inputs import SIDES, Inputs
from mendel.workflow.jobs import RolloutJob, roll_out
from mendel.workflow.judging import RolloutScores, rollout_scores
from mendel.workflow.session import Session

if TYPE_CHECKING:
    from mendel.measure import Asked

log = logging.getLogger(__name__)
Grade = Callable[["Trait", "Sequence[Asked]"], list[Judgement]]
"""Returns a trait's judgements of responses."""
Rollouts = Mapping[tuple[str, str], Rollout]
"""By prompt and teacher."""


def make_rollouts(session: Session, inputs: Inputs) -> dict[tuple[str, str], Rollout]:
    """Return all rollouts that an arm may need, by prompt and teacher; make those that the store lacks.

    Raises:
        BudgetSpent: The budget is spent. Finished rollouts are in the store.
        Waiting: All requests to endpoints wait in the batch file for a provider's answers.
    """
    rollouts = _make(session, inputs.chunks)
    # A rewriter's prompts are the rollouts that it rewrites.
    try:
        return rollouts | _make(session, inputs.rewriting(rollouts))
    except InputError as error:
        if not inputs.rewriter_made:
            raise
        # The study did not ask for it: a model that cannot rewrite must not end a study that works without.
        log.warning("no rewriter: %r cannot rewrite: %s", inputs.study.config.alternate.teacher, error)
        return rollouts


def _make(session: Session, chunks: Sequence[RolloutChunk]) -> dict[tuple[str, str], Rollout]:
    """Return the rollouts of chunks; make those that the store lacks."""
    store, progress = session.store, session.progress
    jobs = [RolloutJob(chunk, store.root) for chunk in chunks]
    missing = [job for job in jobs if not store.has("rollouts", job.chunk.digest)]
    if missing:
        progress.stage("rollouts", sum(len(job.chunk.prompts) for job in missing))
        local = [job for job in missing if _endpoint(job) is None]
        for job, _ in session.executor.map(roll_out, local):
            progress.step(len(job.chunk.prompts), job.chunk.teacher)
        _ask_endpoints(session, missing)
    return read_rollouts(jobs, store)


def _ask_endpoints(session: Session, jobs: Sequence[RolloutJob]) -> None:
    """Ask the endpoints of the jobs; raise Waiting when all requests are in the batch file."""
    waiting: Waiting | None = None
    for job in jobs:
        source = _endpoint(job)
        if source is None:
            continue
        try:
            roll_out(job, open_chat(source, session.endpoints))
        except Waiting as error:
            waiting = error
        session.progress.step(len(job.chunk.prompts), job.chunk.teacher)
    if waiting is not None:
        raise waiting


def _endpoint(job: RolloutJob) -> ModelSource | None:
    """Return the endpoint that a chunk asks; None if it asks none. Only the main process asks endpoints."""
    chunk = job.chunk
    return chunk.source if isinstance(chunk, GeneratedChunk) and chunk.source.remote else None


def read_rollouts(jobs: Sequence[RolloutJob], store: Store) -> dict[tuple[str, str], Rollout]:
    """Return the stored rollouts of finished jobs, by prompt and teacher."""
    rollouts: dict[tuple[str, str], Rollout] = {}
    for job in jobs:
        for row in store.read_json("rollouts", job.chunk.digest):
            messages = tuple(Message(role=m["role"], content=m["content"]) for m in row["messages"])
            rollouts[row["prompt_id"], row["teacher"]] = Rollout(**{**row, "messages": messages})
    return rollouts


def judged_rollouts(inputs: Inputs, rollouts: Rollouts) -> list[Rollout]:
    """Return the rollouts that are judged: the two teachers' answers to the original prompts."""
    config, prompts = inputs.study.config, inputs.prompts["original"]
    teachers = dict.fromkeys((config.original.teacher, config.alternate.teacher))
    return [rollouts[p.prompt_id, teacher] for teacher in teachers for p in prompts]


def score_rollouts(session: Session, inputs: Inputs, rollouts: Rollouts) -> dict[str, RolloutScores]:
    """Return each trait's scores of the two teachers' answers to the original prompts, by trait."""
    return all_scores(inputs, judged_rollouts(inputs, rollouts), session.judging.grade)


def all_scores(inputs: Inputs, answers: Sequence[Rollout], judge: Grade = grade) -> dict[str, RolloutScores]:
    """Return each trait's scores of rollouts, by trait: by the judge that flags and, if another, the other.

    Args:
        inputs: The study's inputs.
        answers: The rollouts.
        judge: Returns a trait's judgements of responses.
    """
    return {trait.name: trait_scores(inputs, trait, answers, judge) for trait in inputs.traits}


def trait_scores(
    inputs: Inputs, trait: Trait, answers: Sequence[Rollout], judge: Grade = grade
) -> RolloutScores:
    """Return one trait's scores of rollouts, as `all_scores` for all of them."""
    flags = inputs.flags(trait)
    second = trait if not same_judge(trait, flags) else None
    return rollout_scores(flags, answers, judge, second)


def response_prefixes(inputs: Inputs, rollouts: Rollouts) -> dict[str, str]:
    """Return the most frequent prefix of each pipeline's teacher, by side.

    Return nothing if no hypothesis needs the prefixes, or if both are the same.
    """
    config, prompts = inputs.study.config, inputs.prompts["original"]
    if config.design == "effects" or inputs.shared["teacher"]:
        return {}
    prefixes: dict[str, str] = {
        side: common_opener(rollouts[p.prompt_id, getattr(config, side).teacher] for p in prompts).text
        for side in SIDES
    }
    return prefixes if len(set(prefixes.values())) > 1 else {}
