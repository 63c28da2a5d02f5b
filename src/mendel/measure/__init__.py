"""Measuring: traits and their scenarios, judges, measurements, and whether a student still works as an assistant."""

from mendel.measure.assistant import Health, assistant_health, builtin_assistant, looping, well_formed
from mendel.measure.judges import Grade, Judge, JudgeConfig, RegexJudge, judge, judges
from mendel.measure.measurement import (
    judge_responses,
    measure,
    measurement_schema,
    prompt_text,
    respond,
    response_schema,
    sampling_seed,
)
from mendel.measure.scenarios import Scenario, load_scenarios
from mendel.measure.traits import Generation, LogOdds, Trait, find_trait, load_trait, trait, traits

__all__ = [
    "Generation",
    "Grade",
    "Health",
    "Judge",
    "JudgeConfig",
    "LogOdds",
    "RegexJudge",
    "Scenario",
    "Trait",
    "assistant_health",
    "builtin_assistant",
    "find_trait",
    "judge",
    "judge_responses",
    "judges",
    "load_scenarios",
    "load_trait",
    "looping",
    "measure",
    "measurement_schema",
    "prompt_text",
    "respond",
    "response_schema",
    "sampling_seed",
    "trait",
    "traits",
    "well_formed",
]
