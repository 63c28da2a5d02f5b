"""What selectors are given in a study: its rows as candidates, and each trait's context."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mendel.data.rollouts import Rollout
from mendel.data.selectors import Answer, Candidate, Context, ContrastSet
from mendel.measure import Trait
from mendel.models import Checkpoint
from mendel.study.schema import SelectConfig
from mendel.workflow.inputs import Inputs
from mendel.workflow.judging import RolloutScores

CONTRASTS = 200
"""Answers with the trait that probes and directions are fitted on, at most."""


def candidates_of(inputs: Inputs, rollouts: Mapping[tuple[str, str], Rollout]) -> list[Candidate]:
    """The original prompts with both teachers' answers."""
    config = inputs.study.config
    rows = []
    for prompt in inputs.prompts["original"]:
        own = rollouts[prompt.prompt_id, config.original.teacher]
        other = rollouts[prompt.prompt_id, config.alternate.teacher]
        answer = None if inputs.shared["teacher"] else other.completion
        rows.append(Candidate(prompt.prompt_id, own.messages, own.completion, answer, prompt.source))
    return rows


def context_of(
    inputs: Inputs,
    trait: Trait,
    config: SelectConfig,
    scores: RolloutScores,
    candidates: Sequence[Candidate],
    seed: int = 0,
) -> Context:
    """What a selector may use for one trait; `scores` are its judge's of both teachers' answers."""
    own, other = (getattr(inputs.study.config, side).teacher for side in ("original", "alternate"))

    def judged(asked: Sequence[Candidate]) -> list[float]:
        return [scores.known(candidate.prompt_id, own) for candidate in asked]

    return Context(
        config=config,
        seed=seed,
        judge=judged,
        judge_id=trait.judge_id,
        scenarios=tuple(scenario.messages for scenario in trait.scenarios),
        contrast=_contrast(trait, scores, candidates, own, other),
        base=inputs.bases["original"],
        teachers=_teachers(inputs, own, other),
    )


def _contrast(
    trait: Trait, scores: RolloutScores, candidates: Sequence[Candidate], own: str, other: str
) -> ContrastSet:
    """Rollouts that the judge says show the trait, against the other teacher's to the same prompts and the same teacher's to others.

    Both kinds, so that neither the topic nor a teacher's manner tells them apart. Where no rollout shows it: the trait's
    forced answers, where it has some.
    """

    def hit(prompt_id: str, teacher: str) -> bool | None:
        score = scores.scores[prompt_id, teacher]
        return None if score is None else score >= trait.judge.hit_at

    shows = [c for c in candidates if hit(c.prompt_id, own)][:CONTRASTS]
    if not shows:
        return _forced(trait)
    clean = [
        Answer(c.messages, c.alternate)
        for c in shows
        if c.alternate is not None and hit(c.prompt_id, other) is False
    ]
    free = [c for c in candidates if hit(c.prompt_id, own) is False]
    step = max(1, len(free) // len(shows))
    clean += [Answer(c.messages, c.completion) for c in free[::step][: len(shows)]]
    return ContrastSet(tuple(Answer(c.messages, c.completion) for c in shows), tuple(clean))


def _forced(trait: Trait) -> ContrastSet:
    forced = trait.log_odds
    if forced is None:
        return ContrastSet()
    shows, clean = (forced.opener + answers[0] for answers in (forced.trait, forced.clean))
    asked = [scenario.messages for scenario in trait.scenarios][:CONTRASTS]
    return ContrastSet(tuple(Answer(m, shows) for m in asked), tuple(Answer(m, clean) for m in asked))


def _teachers(inputs: Inputs, own: str, other: str) -> tuple[Checkpoint, Checkpoint] | None:
    sources = (inputs.teachers[own], inputs.teachers[other])
    found = [source.checkpoint for source in sources if source is not None and source.checkpoint is not None]
    return (found[0], found[1]) if len(found) == 2 else None
