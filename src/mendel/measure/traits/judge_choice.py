"""The choice of a trait's judge: the trait file's own, or a model that reads its rubric."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mendel.engine.errors import InputError
from mendel.measure.judges import AsksModel, JudgeConfig, JudgeWithModel, ModelJudge, OpenedJudge, Rubric
from mendel.measure.traits.registry import Trait
from mendel.study.schema import JudgeModelConfig


def model_judge(rubric: Rubric, config: JudgeModelConfig, root: Path, where: str | None = None) -> ModelJudge:
    """Return a model as the judge of a rubric.

    Args:
        rubric: The rubric.
        config: The model and how an endpoint is asked.
        root: Folder that the model's path starts from.
        where: Place in the user's file, for messages.

    Raises:
        InputError: There is no such model.
    """
    from mendel.models import resolve_model

    return ModelJudge(resolve_model(config.model, root, config.endpoint, where), rubric)


def judge_with_model(
    judge: AsksModel, config: JudgeConfig, root: Path, where: str | None = None
) -> JudgeWithModel:
    """Return a judge plug-in with the model of its trait file; raise InputError where there is none."""
    from mendel.models import resolve_model

    if config.model is None:
        raise InputError(
            f"the judge {config.by!r} asks a model, and the trait names none",
            where=where,
            fix="Write judge: {model: …}, such as openai:gpt-5-mini or hf:./judge.",
        )
    return JudgeWithModel(judge, resolve_model(config.model, root, config.endpoint, where))


def judged_by(
    trait: Trait, config: JudgeModelConfig | None, root: Path, where: str | None = None, *, must: bool = True
) -> Trait:
    """Return the trait with a model as its judge.

    Args:
        trait: The trait.
        config: The model; None: the trait is returned unchanged.
        root: Folder that the model's path starts from.
        where: Place in the user's file, for messages.
        must: Whether the trait must have a rubric; if not, a trait without one is returned unchanged.

    Raises:
        InputError: The trait has no rubric, or there is no such model.
    """
    if config is not None and isinstance(trait.judge, JudgeWithModel):
        from mendel.models import resolve_model

        source = resolve_model(config.model, root, config.endpoint, where)
        return replace(trait, judge=replace(trait.judge, source=source))
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


def needs_model(trait: Trait) -> bool:
    """Return whether the trait's judge is a model, which has to be loaded or asked."""
    return isinstance(trait.judge, OpenedJudge)
