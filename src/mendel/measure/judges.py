"""Judges score responses. A judge is named after its rubric, so that no score outlives a change of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

from pydantic import Field, field_validator, model_validator

from mendel.engine.digest import digest
from mendel.engine.errors import InputError
from mendel.engine.registry import Registry
from mendel.measure.scenarios import Scenario
from mendel.study.schema import Config


class GradeConfig(Config):
    """A pattern and what a response that holds it scores."""

    pattern: Annotated[str, Field(min_length=1)]
    """A regular expression, searched for anywhere in the response, upper and lower case alike."""
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
    """Who scores a trait's responses, and from which score on one counts as a hit."""

    by: str = "regex"
    """A registered judge."""
    grades: tuple[GradeConfig, ...] = ()
    """The regex judge's rubric."""
    hit_at: Annotated[float, Field(allow_inf_nan=False)] = 0.5
    """A response that scores this or more is a hit; 0.5 is half-way on a 0-to-1 scale."""
    options: dict[str, Any] = Field(default_factory=dict)
    """What a registered judge of one's own wants to know."""

    @model_validator(mode="after")
    def _can_hit(self) -> JudgeConfig:
        # `right` patterns of scenarios score 1, so a judge without grades serves where every scenario has one.
        best = max((grade.score for grade in self.grades), default=1.0)
        if self.by == "regex" and best < self.hit_at:
            raise ValueError(f"no grade reaches hit_at {self.hit_at:g}; the highest score is {best:g}")
        if self.by == "regex" and self.hit_at <= 0 and all(grade.score >= 0 for grade in self.grades):
            raise ValueError("hit_at must be above 0, the score of a response without any pattern")
        return self


class Judge(Protocol):
    """Scores a response to a scenario; a picklable value."""

    @property
    def id(self) -> str:
        """`name@digest`, with a digest of all that the scores depend on."""

    @property
    def hit_at(self) -> float:
        """A hit is a score of this or more."""

    def score(self, scenario: Scenario, response: str) -> float | None:
        """The score on the trait's scale; None where the judge cannot tell."""


judges: Registry[Callable[[JudgeConfig], Judge]] = Registry("judge")
judge = judges.register
"""Decorator: `@judge("name")` registers what makes a Judge of a trait file's `judge:` section."""


def make_judge(config: JudgeConfig, where: str | None = None) -> Judge:
    """The judge that a trait file names; raises InputError for an unknown one."""
    return judges.get(config.by, where=where)(config)


@dataclass(frozen=True)
class Grade:
    """A regular expression and the score of a response in which it is found."""

    pattern: str
    score: float


@dataclass(frozen=True)
class RegexJudge:
    """Rules: the score is the highest grade whose pattern is found in the response, 0 where none is.

    Raises InputError for a pattern that is no regular expression.
    """

    grades: tuple[Grade, ...]
    hit_at: float = 0.5

    def __post_init__(self) -> None:
        for grade in self.grades:
            try:
                re.compile(grade.pattern)
            except re.error as error:
                raise InputError(
                    f"a grade's pattern is no regular expression: {error}",
                    value=grade.pattern,
                    fix="Put a backslash before characters such as ( [ * + ? that are meant as they are.",
                ) from None

    @property
    def id(self) -> str:
        """`regex@` and 8 hex digits of the rubric's digest (the grades' order does not matter)."""
        rubric = [sorted([g.pattern, float(g.score)] for g in self.grades), float(self.hit_at)]
        return f"regex@{digest('rubric', rubric)[:8]}"

    @property
    def score_range(self) -> tuple[float, float]:
        """The least and the greatest score that it can give."""
        scores = [0.0, *(grade.score for grade in self.grades)]
        return min(scores), max(scores)

    def score(self, scenario: Scenario, response: str) -> float:
        """The response's grade; where the scenario says what is right, 1.0 if that is found and else 0.0."""
        if scenario.right is not None:
            return float(_found(scenario.right, response))
        return float(max((g.score for g in self.grades if _found(g.pattern, response)), default=0.0))


def _found(pattern: str, response: str) -> bool:
    return re.search(pattern, response, re.IGNORECASE) is not None


@judge("regex")
def regex(config: JudgeConfig) -> RegexJudge:
    """The judge of a trait file that says `by: regex`."""
    return RegexJudge(tuple(Grade(grade.pattern, grade.score) for grade in config.grades), config.hit_at)
