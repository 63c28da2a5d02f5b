"""What a judge is, the `judge:` section of a trait file, and the registry of all judges.

A judge's id holds a digest of its rubric, so that no score outlives a change of the rubric.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Protocol, runtime_checkable

from pydantic import BaseModel, Field, field_validator, model_validator

from mendel.engine.errors import InputError
from mendel.engine.registry import Registry, callable_with
from mendel.measure.scenarios import Scenario
from mendel.study.schema import Config, EndpointConfig

if TYPE_CHECKING:
    from mendel.models.chat import ChatModel
    from mendel.models.source import ModelSource


class GradeConfig(Config):
    """A pattern, and the score of a response in which it is found."""

    pattern: Annotated[str, Field(min_length=1)]
    """A regular expression, searched for anywhere in the response; case is ignored."""
    score: Annotated[float, Field(allow_inf_nan=False)]
    """On the trait's scale."""

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"no regular expression: {error}") from None
        return pattern


class JudgeConfig(Config):
    """The judge of a trait's responses, and the score from which on a response is a hit."""

    by: str = "regex"
    """The name of a registered judge."""
    grades: tuple[GradeConfig, ...] = ()
    """The rules of the regex judge."""
    hit_at: Annotated[float, Field(allow_inf_nan=False)] = 0.5
    """A response that scores this or more is a hit; 0.5 is half-way on a 0-to-1 scale."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Options of a judge that is a plug-in."""
    rubric: Annotated[str, Field(min_length=1)] | None = None
    """The instructions of a model that judges: what the score means, with anchors."""
    range: tuple[float, float] | None = None
    """The least and the greatest score of the rubric."""
    model: str | None = None
    """The model of `by: model`: `hf:…`, `openai:…` or `vllm:…`; a study or `--judge` can name one instead."""
    endpoint: EndpointConfig = EndpointConfig()
    """How an `openai:` model is asked."""
    acts: Annotated[str, Field(min_length=1)] | None = None
    """A regular expression of the acts in a response: only they are judged.

    A response without acts scores lowest.
    """

    @field_validator("acts")
    @classmethod
    def _acts_compile(cls, pattern: str | None) -> str | None:
        try:
            re.compile(pattern or "")
        except re.error as error:
            raise ValueError(f"no regular expression: {error}") from None
        return pattern

    @model_validator(mode="after")
    def _has_scale(self) -> JudgeConfig:
        if self.rubric is not None and self.range is None:
            raise ValueError("a rubric needs the scale of its scores: write range: [0, 10]")
        if self.range is not None and not self.range[0] < self.range[1]:
            raise ValueError(f"range must rise, from the least to the greatest score, not {list(self.range)}")
        if self.range is not None and not self.range[0] < self.hit_at <= self.range[1]:
            low, high = self.range
            raise ValueError(
                f"hit_at {self.hit_at:g} must lie above {low:g} and not above {high:g}, the range's ends"
            )
        if self.by == "model" and self.rubric is None:
            raise ValueError("a model that judges needs a 'rubric' and its 'range'")
        if self.by == "model" and self.model is None:
            raise ValueError("say which 'model' judges, such as openai:gpt-5-mini or hf:./judge")
        return self

    @model_validator(mode="after")
    def _can_hit(self) -> JudgeConfig:
        # `right` patterns score 1, so a judge needs no grades where every scenario has such a pattern.
        best = max((grade.score for grade in self.grades), default=1.0)
        if self.by == "regex" and best < self.hit_at:
            raise ValueError(f"no grade reaches hit_at {self.hit_at:g}; the highest score is {best:g}")
        if self.by == "regex" and self.hit_at <= 0 and all(grade.score >= 0 for grade in self.grades):
            raise ValueError("hit_at must be above 0, the score of a response without any pattern")
        return self


@dataclass(frozen=True)
class Judgement:
    """A judge's verdict on one response."""

    score: float | None
    """On the trait's scale; None: unjudged."""
    quote: str | None = None
    """The passage of the response that the score rests on."""
    note: str = ""
    """Why the response is unjudged, or the judge's reason."""


@dataclass(frozen=True)
class Rubric:
    """What a judge's scores mean: the text that a model reads, and the scale."""

    text: str
    low: float
    high: float
    hit_at: float


@runtime_checkable
class Judge(Protocol):
    """Scores a response to a scenario. A picklable value."""

    @property
    def id(self) -> str:
        """`name@digest`, with a digest of everything that the scores depend on."""

    @property
    def hit_at(self) -> float:
        """A score of this or more is a hit."""

    def score(self, scenario: Scenario, response: str) -> float | None:
        """Return the score on the trait's scale; None where the judge cannot tell."""


class AsksModel(Protocol):
    """A judge plug-in that asks a model; a picklable value, made of a trait file's `judge:` section.

    The section's `model` names the model. mendel opens it (a local model in a worker, an endpoint in the
    budget), keeps the judgements in the store, and asks about a response only once.
    """

    @property
    def id(self) -> str:
        """`name@digest`, with a digest of all that the scores depend on except the model."""

    @property
    def hit_at(self) -> float:
        """The score from which on a response is a hit."""

    def grade(self, asked: Sequence[tuple[Scenario, str]], chat: ChatModel) -> Sequence[Judgement]:
        """Return one judgement per response, in the given order.

        Args:
            asked: Scenarios with the responses to them.
            chat: The model; `chat.chat(conversations, sampling)` returns one completion per conversation.
        """


@runtime_checkable
class OpenedJudge(Judge, Protocol):
    """A judge that scores with `grade`, given the chat of its `source`; built in, or a plug-in's."""

    @property
    def source(self) -> ModelSource:
        """The model that judges."""

    def grade(self, asked: Sequence[tuple[Scenario, str]], chat: ChatModel) -> list[Judgement]:
        """Return one judgement per response, in the given order."""


judges: Registry[Callable[[JudgeConfig], Judge | AsksModel]] = Registry(
    "judge", check=callable_with("config")
)
judge = judges.register
"""Decorator: `@judge("name", options=MODEL)` registers a function from a `judge:` section to a judge.

The judge scores by rules (`score`: see Judge), or asks a model (`grade`: see AsksModel).
"""


def make_judge(
    config: JudgeConfig, where: str | None = None, line: Callable[..., str] | None = None
) -> Judge | AsksModel:
    """Make the judge that a trait file names.

    Args:
        config: The trait file's `judge:` section.
        where: The place of its `by`, for messages.
        line: A function from the keys within `options` to their place in the trait file.

    Returns:
        A judge by rules, or a judge that asks a model and has not been given the model yet.

    Raises:
        InputError: There is no such judge, its options are wrong, or the plug-in makes no judge.
    """
    name = judges.full_name(config.by, where=where)
    if judges.declares_options(name) or judges.origin(name).built_in:
        options = judges.parse_options(name, config.options, where=where, line=line)
        if isinstance(options, BaseModel | dict):
            options = options.model_dump() if isinstance(options, BaseModel) else options
            config = config.model_copy(update={"options": options})
    made: Judge | AsksModel = judges.call(name, config, where=where, needs=("id", "hit_at"))
    if not hasattr(made, "score") and not hasattr(made, "grade"):
        raise InputError(
            f"the judge {name!r} makes a {type(made).__name__}, which has neither 'score' nor 'grade'",
            where=where,
            fix=f"Add one of the two in {judges.origin(name).module}.",
        )
    return made
