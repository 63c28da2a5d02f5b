"""Score responses: by rules in this process, by model judges in a worker or over an endpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from mendel.data.rollouts import Rollout
from mendel.engine.digest import digest
from mendel.engine.executors import Executor
from mendel.engine.store import AnswerCache, Store
from mendel.measure import (
    Judgement,
    OpenedJudge,
    Scenario,
    Trait,
    asked_of,
    grade,
    judge_responses,
    needs_model,
)
from mendel.models import open_chat
from mendel.workflow.jobs import ModelJob
from mendel.workflow.measurements import Measurements

if TYPE_CHECKING:
    from mendel.measure import Asked
    from mendel.models.endpoints import Endpoints

PIECE = 256
"""Responses that are judged at once: a killed run loses at most so many of a local judge's judgements."""
KIND = "grades"
"""The kind of the judgements in the answer cache."""


@dataclass(frozen=True)
class GradeJob:
    """Responses for a trait's judge, a local model, to score."""

    trait: Trait
    asked: tuple[Asked, ...]


def grade_locally(job: GradeJob) -> list[Judgement]:
    """Return a local judge's judgements of the responses; runs in a worker."""
    judge = job.trait.judge
    assert isinstance(judge, OpenedJudge), "other judges need no worker"
    return grade(job.trait, job.asked, open_chat(judge.source))


@dataclass
class Judging:
    """The judges of one command; their judgements are cached by judge, rubric, conversation and response."""

    store: Store
    executor: Executor
    endpoints: Endpoints
    cache: AnswerCache = field(init=False)

    def __post_init__(self) -> None:
        self.cache = AnswerCache(self.store.root)

    def grade(self, trait: Trait, asked: Sequence[Asked]) -> list[Judgement]:
        """Return the judgements in the order of the responses; a model judges only those that are not cached.

        Raises:
            BudgetSpent: The budget is spent. Judgements until then are kept.
            Waiting: Requests to the judge's endpoint wait in the batch file for a provider's answers.
        """
        if not needs_model(trait):
            return grade(trait, asked)
        keys = [_grade_key(trait, scenario, response) for scenario, response in asked]
        judged = self.cache.get_many(KIND, keys)
        missing = {key: pair for key, pair in zip(keys, asked, strict=True) if key not in judged}
        names = list(missing)
        for start in range(0, len(names), PIECE):
            piece = names[start : start + PIECE]
            judgements = self._ask(trait, tuple(missing[name] for name in piece))
            for name, judgement in zip(piece, judgements, strict=True):
                judged[name] = asdict(judgement)
                self.cache.put(KIND, name, judged[name])
        return [Judgement(**judged[key]) for key in keys]

    def _ask(self, trait: Trait, asked: tuple[Asked, ...]) -> list[Judgement]:
        """Return the judgements of a model judge, over its endpoint or in a worker."""
        judge = trait.judge
        assert isinstance(judge, OpenedJudge), "other judges are not asked"
        if judge.source.remote:
            return grade(trait, asked, open_chat(judge.source, self.endpoints))
        ((_, judgements),) = self.executor.map(grade_locally, [GradeJob(trait, asked)])
        return judgements

    def finish(self, measurements: Measurements, probe: Trait, asked: Trait | None = None) -> None:
        """Score a model's stored responses to a probe, if they are not scored yet.

        Args:
            measurements: The model's responses and scores in the store.
            probe: The probe.
            asked: The probe with the model's system prompt and prefix; None: the model has neither.

        Raises:
            BudgetSpent: The budget is spent.
            Waiting: Requests to the judge's endpoint wait in the batch file for a provider's answers.
        """
        if measurements.scored(probe):
            return
        responses = measurements.responses(probe)
        if responses is None:
            return
        asked = asked or probe
        judgements = self.grade(asked, asked_of(responses, asked))
        measurements.write_scores(probe, judge_responses(responses, asked, judgements))

    def finish_model(self, job: ModelJob) -> None:
        """Score a base's or teacher's responses to all traits."""
        for probe in job.probes.traits:
            self.finish(job.measurements, probe, job.asks(probe))

    def score_rollouts(
        self, trait: Trait, rollouts: Sequence[Rollout], second: Trait | None = None
    ) -> RolloutScores:
        """Return judges' scores of teachers' completions, as `rollout_scores`."""
        return rollout_scores(trait, rollouts, self.grade, second)


def rollout_scores(
    trait: Trait,
    rollouts: Sequence[Rollout],
    judge: Callable[[Trait, Sequence[Asked]], list[Judgement]] = grade,
    second: Trait | None = None,
) -> RolloutScores:
    """Return judges' scores of teachers' completions.

    Args:
        trait: The trait, with the judge whose scores flag prompts.
        rollouts: The completions.
        judge: Returns a trait's judgements of responses.
        second: The trait with another judge, which scores the same completions; None: there is no other.
    """
    responses = [(Scenario(r.prompt_id, r.prompt_id, r.messages), r.completion) for r in rollouts]
    judgements = judge(trait, responses)
    scores = {(r.prompt_id, r.teacher): j.score for r, j in zip(rollouts, judgements, strict=True)}
    given = [score for score in scores.values() if score is not None]
    lowest = trait.score_range[0] if trait.score_range else min(given, default=0.0)
    also = None if second is None else rollout_scores(second, rollouts, judge)
    return RolloutScores(scores, lowest, trait.judge_id, also)


@dataclass(frozen=True)
class RolloutScores:
    """A trait's scores of rollouts, by one judge or by two."""

    scores: Mapping[tuple[str, str], float | None]
    """By prompt and teacher; None if the judge could not tell."""
    lowest: float
    """The lowest score of the judge's scale; the lowest that it gave where the scale is not known."""
    judge: str = ""
    """The judge's id."""
    second: RolloutScores | None = None
    """The evaluating judge's scores of the same rollouts, where another judge flags."""

    def of(self, rollout: Rollout) -> float | None:
        """Return a rollout's score; None if the judge could not tell."""
        return self.scores[rollout.prompt_id, rollout.teacher]

    def known(self, prompt_id: str, teacher: str) -> float:
        """Return a rollout's score; the lowest score if the judge could not tell, since it saw no trait."""
        score = self.scores[prompt_id, teacher]
        return self.lowest if score is None else score

    def sees(self, rollout: Rollout) -> bool:
        """Return whether this judge sees anything in a rollout, or cannot tell."""
        score = self.of(rollout)
        return score is None or score > self.lowest

    @property
    def judges(self) -> tuple[str, ...]:
        """The ids of the judges."""
        return (self.judge,) if self.second is None else (self.judge, self.second.judge)

    @property
    def unjudged(self) -> int:
        """Number of rollouts without a score."""
        return sum(score is None for score in self.scores.values())


def _grade_key(trait: Trait, scenario: Scenario, response: str) -> str:
    conversation = [[message["role"], message["content"]] for message in scenario.messages]
    return digest("grade", [trait.judge_id, conversation, response])
