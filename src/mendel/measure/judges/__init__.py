"""Judges score responses: rules, columns, models and plug-ins. `registry.py` says what a judge is.

`rules.py` and `columns.py` are the shortest examples. A model's judgement takes four files: `model.py` asks,
`prompt.py` writes the prompt, `answer.py` reads the answer, `collapse.py` shortens responses that loop.
"""

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
