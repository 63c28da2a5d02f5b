"""Judging: which judge a trait has, and what it says of responses, whether it is rules, a model or a user's own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mendel.engine.errors import InputError, MendelError, RunError
from mendel.measure.judges import Judgement, ModelJudge, Rubric
from mendel.measure.scenarios import Scenario
from mendel.measure.traits import Trait
from mendel.study.schema import JudgeModelConfig

if TYPE_CHECKING:
    from mendel.models import ChatModel

Asked = tuple[Scenario, str]
"""A scenario (its messages the conversation up to here) and a model's response to it."""


def model_judge(rubric: Rubric, config: JudgeModelConfig, root: Path, where: str | None = None) -> ModelJudge:
    """A model as the judge of a rubric; raises InputError if there is no such model."""
    from mendel.models import resolve_model

    return ModelJudge(resolve_model(config.model, root, config.endpoint, where), rubric)


def judged_by(
    trait: Trait, config: JudgeModelConfig | None, root: Path, where: str | None = None, *, must: bool = True
) -> Trait:
    """The trait with a model as its judge (None: unchanged).

    A trait without a rubric raises InputError, or stays as it is where a model is not a `must`.
    """
    if config is None or (trait.rubric is None and not must):
        return trait
    if trait.rubric is None:
        raise InputError(
            f"trait {trait.name!r} has no rubric that a model could judge by",
            where=where,
            fix="Add 'rubric' and 'range' to the trait file's judge.",
        )
    # A model reads every language: the ladder needs no judge of its own.
    return replace(trait, judge=model_judge(trait.rubric, config, root, where), ladder_judge=None)


def grade(trait: Trait, asked: Sequence[Asked], chat: ChatModel | None = None) -> list[Judgement]:
    """What the trait's judge says of each response; `chat` is the model of one that needs a model.

    Only a response's acts are judged where the trait says what acts are: without any, the score is the lowest. Raises
    RunError, naming the response, for a judge of one's own that fails, and for a score that is not finite.
    """
    parts = [trait.judged_part(response) for _, response in asked]
    lowest = (trait.score_range or (0.0, 1.0))[0]
    open_ = [i for i, part in enumerate(parts) if trait.acts is None or part]
    said = dict.fromkeys(range(len(asked)), Judgement(lowest, note="no act"))
    judged = [(asked[i][0], parts[i]) for i in open_]
    if isinstance(trait.judge, ModelJudge):
        if chat is None:
            raise ValueError("a judge that is a model needs its chat model")
        found = trait.judge.grade(judged, chat)
    else:
        found = [Judgement(_score(trait, scenario, part)) for scenario, part in judged]
    said |= dict(zip(open_, found, strict=True))
    return [said[i] for i in range(len(asked))]


def _score(trait: Trait, scenario: Scenario, response: str) -> float | None:
    try:
        score = trait.judge.score(scenario, response)
    except MendelError:
        raise
    except Exception as error:  # a judge may be a user's own code
        what = f"the judge failed: {type(error).__name__}: {error}"
        raise RunError(what, where=_judged(trait, scenario)) from error
    if score is not None and not math.isfinite(score):
        raise RunError(
            "the judge's score is not finite; None says that it cannot tell",
            where=_judged(trait, scenario),
            value=score,
        )
    return score


def _judged(trait: Trait, scenario: Scenario) -> str:
    return f"judge {trait.judge.id}, scenario {scenario.scenario!r}"


def needs_model(trait: Trait) -> bool:
    """Whether the trait's judge is a model, which has to be loaded or asked."""
    return isinstance(trait.judge, ModelJudge)
