"""Judges score responses: rules, columns, models and plug-ins. `registry.py` says what a judge is.

`rules.py` and `columns.py` are the shortest examples. A model's judgement takes four files: `model.py` asks,
`prompt.py` writes the prompt, `answer.py` reads the answer, `collapse.py` shortens responses that loop.
"""

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
