"""Judges: rules, models and one's own; what they say of a response, and how far two of them agree."""

from mendel.measure.judges.columns import ColumnJudge
from mendel.measure.judges.model import ModelJudge
from mendel.measure.judges.registry import (
    GradeConfig,
    Judge,
    JudgeConfig,
    Judgement,
    Rubric,
    judge,
    judges,
    make_judge,
)
from mendel.measure.judges.rules import Grade, RegexJudge

__all__ = [
    "ColumnJudge",
    "Grade",
    "GradeConfig",
    "Judge",
    "JudgeConfig",
    "Judgement",
    "ModelJudge",
    "RegexJudge",
    "Rubric",
    "judge",
    "judges",
    "make_judge",
]
