"""Measuring: traits and their scenarios, judges, measurements, and whether a student still works as an assistant."""

from mendel.measure.agreement import Agreement, Kappa, agreement
from mendel.measure.assistant import Health, assistant_fault, assistant_health, builtin_assistant
from mendel.measure.judges import (
    ColumnJudge,
    Grade,
    Judge,
    JudgeConfig,
    Judgement,
    ModelJudge,
    RegexJudge,
    Rubric,
    judge,
    judges,
)
from mendel.measure.judging import Asked, grade, judged_by, needs_model
from mendel.measure.labels import Label, label_session, read_labels, rubric_id, unlabelled
from mendel.measure.loops import looping, well_formed
from mendel.measure.measurement import (
    asked_of,
    judge_responses,
    measure,
    measurement_schema,
    prompt_text,
    respond,
    respond_all,
    response_schema,
    sampling_seed,
)
from mendel.measure.new_trait import new_trait
from mendel.measure.scenarios import RUNGS, Scenario, load_scenarios
from mendel.measure.trait_file import find_trait, load_trait
from mendel.measure.traits import Generation, LogOdds, Trait, trait, traits

__all__ = [
    "RUNGS",
    "Agreement",
    "Asked",
    "ColumnJudge",
    "Generation",
    "Grade",
    "Health",
    "Judge",
    "JudgeConfig",
    "Judgement",
    "Kappa",
    "Label",
    "LogOdds",
    "ModelJudge",
    "RegexJudge",
    "Rubric",
    "Scenario",
    "Trait",
    "agreement",
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
    "new_trait",
    "prompt_text",
    "read_labels",
    "respond",
    "respond_all",
    "response_schema",
    "rubric_id",
    "sampling_seed",
    "trait",
    "traits",
    "unlabelled",
    "well_formed",
]
