"""Measuring students: traits ask, models respond, judges score; and whether a student still is an assistant.

`traits/` and `judges/` are plug-in points. `respond.py` asks a model and returns its responses, `judging.py`
scores them, `assistant.py` checks a student's health, `labels.py` and `agreement.py` compare judges with
people.
"""

from mendel.measure.agreement import Agreement, agreement
from mendel.measure.assistant import Health, assistant_fault, assistant_health, builtin_assistant
from mendel.measure.judges import (
    AsksModel,
    ColumnJudge,
    Grade,
    Judge,
    JudgeConfig,
    Judgement,
    ModelJudge,
    OpenedJudge,
    RegexJudge,
    Rubric,
    judge,
    judges,
)
from mendel.measure.judging import Asked, asked_of, grade, judge_responses, measure
from mendel.measure.labels import (
    Label,
    Unlabelled,
    append_label,
    label_session,
    read_labels,
    rubric_id,
    unlabelled,
    write_labels,
)
from mendel.measure.loops import looping, well_formed
from mendel.measure.respond import prompt_text, respond, respond_all, sampling_seed
from mendel.measure.scenarios import RUNGS, Scenario, load_scenarios
from mendel.measure.schema import measurement_schema, response_schema
from mendel.measure.traits import Generation, LogOdds, Trait, trait, traits
from mendel.measure.traits.file import find_trait, load_trait
from mendel.measure.traits.judge_choice import judged_by, needs_model
from mendel.measure.traits.new import trait_new

__all__ = [
    "RUNGS",
    "Agreement",
    "Asked",
    "AsksModel",
    "ColumnJudge",
    "Generation",
    "Grade",
    "Health",
    "Judge",
    "JudgeConfig",
    "Judgement",
    "Label",
    "LogOdds",
    "ModelJudge",
    "OpenedJudge",
    "RegexJudge",
    "Rubric",
    "Scenario",
    "Trait",
    "Unlabelled",
    "agreement",
    "append_label",
    "asked_of",
    "assistant_fault",
    "assistant_health",
    "builtin_assistant",
    "find_trait",
    "grade",
    "judge",
    "judge_responses",
    "judged_by",
    "judges",
    "label_session",
    "load_scenarios",
    "load_trait",
    "looping",
    "measure",
    "measurement_schema",
    "needs_model",
    "prompt_text",
    "read_labels",
    "respond",
    "respond_all",
    "response_schema",
    "rubric_id",
    "sampling_seed",
    "trait",
    "trait_new",
    "traits",
    "unlabelled",
    "well_formed",
    "write_labels",
]
