"""Judges that read no text: the score is a number in a column of the responses' table."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from mendel.measure.judges.registry import JudgeConfig, judge
from mendel.measure.scenarios import Scenario


@dataclass(frozen=True)
class ColumnJudge:
    """Scores by a column of the responses' table."""

    column: Literal["log_odds", "task_score"]
    """`log_odds` or `task_score`.

    Log-odds become the probability of a trait answer against a clean one, 1 / (1 + exp(-log-odds)), from 0 to
    1. `task_score` is the score of the Inspect task's own scorer.
    """
    hit_at: float = 0.5
    """A score of this or more is a hit."""

    @property
    def id(self) -> str:
        """`log_odds@0.5`: the column, and the score of a hit."""
        return f"{self.column}@{self.hit_at:g}"

    @property
    def score_range(self) -> tuple[float, float] | None:
        """The least and the greatest score; None: the task's scorer does not say."""
        return (0.0, 1.0) if self.column == "log_odds" else None

    def score_of(self, value: float | None) -> float | None:
        """Return the score of the column's value; None where it is missing."""
        if value is None or self.column == "task_score":
            return value
        # exp overflows below -709, where the probability is 0 to all digits.
        return 1 / (1 + math.exp(-value)) if value > -700 else 0.0

    def score(self, scenario: Scenario, response: str) -> float | None:
        """Return None: the text alone gives no score."""
        return None


@judge("log_odds")
def log_odds(config: JudgeConfig) -> ColumnJudge:
    """Return the judge of a trait file with `by: log_odds`."""
    return ColumnJudge("log_odds", config.hit_at)


@judge("inspect")
def inspect(config: JudgeConfig) -> ColumnJudge:
    """Return the judge of a trait file with `by: inspect`: the task's own scorer."""
    return ColumnJudge("task_score", config.hit_at)
