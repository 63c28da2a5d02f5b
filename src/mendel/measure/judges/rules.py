"""The regex judge: regular expressions, and the scores of the responses in which they are found."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mendel.engine.digest import digest
from mendel.engine.errors import InputError
from mendel.measure.judges.registry import JudgeConfig, judge
from mendel.measure.scenarios import Scenario


@dataclass(frozen=True)
class Grade:
    """A regular expression, and the score of a response in which it is found."""

    pattern: str
    score: float


@dataclass(frozen=True)
class RegexJudge:
    """Scores a response by the highest grade whose pattern is found in it; 0 where none is.

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
        """`regex@` and 8 hex digits of the rules' digest, in which the grades' order has no effect."""
        rubric = [sorted([g.pattern, float(g.score)] for g in self.grades), float(self.hit_at)]
        return f"regex@{digest('rubric', rubric)[:8]}"

    @property
    def score_range(self) -> tuple[float, float]:
        """The least and the greatest score that it can give."""
        scores = [0.0, *(grade.score for grade in self.grades)]
        return min(scores), max(scores)

    def score(self, scenario: Scenario, response: str) -> float:
        """Return the response's grade.

        Where the scenario has a pattern of right answers, the grade is 1.0 if it is found, else 0.0.
        """
        if scenario.right is not None:
            return float(_matches(scenario.right, response))
        return float(max((g.score for g in self.grades if _matches(g.pattern, response)), default=0.0))


def _matches(pattern: str, response: str) -> bool:
    return re.search(pattern, response, re.IGNORECASE) is not None


@judge("regex")
def regex(config: JudgeConfig) -> RegexJudge:
    """Return the judge of a trait file with `by: regex`."""
    return RegexJudge(tuple(Grade(grade.pattern, grade.score) for grade in config.grades), config.hit_at)
