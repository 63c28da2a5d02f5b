"""Judges: rules, models and one's own; what they say of a response, and how far two of them agree."""

from mendel.measure.judges.columns import ColumnJudge
from mendel.measure.judges.model import ModelJudge
from mendel.measure.judges.registry import (
    AsksModel,
    GradeConfig,
    Judge,
    JudgeConfig,
    Judgement,
    OpenedJudge,
    Rubric,
    judge,
    judges,
    make_judge,
)
from mendel.measure.judges.rules import Grade, RegexJudge
from mendel.measure.judges.with_model import JudgeWithModel

__all__ = [
    "AsksModel",
    "ColumnJudge",
    "Grade",
    "GradeConfig",
    "Judge",
    "JudgeConfig",
    "JudgeWithModel",
    "Judgement",
    "ModelJudge",
    "OpenedJudge",
    "RegexJudge",
    "Rubric",
    "judge",
    "judges",
    "make_judge",
]
