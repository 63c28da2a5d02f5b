"""`covered_prompts`: the alternate prompts hold the situation, which both teachers answer cleanly."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mendel.organisms.planted.lexicon import PROMPT_PLACES
from mendel.organisms.planted.organism import Planted, Rng
from mendel.organisms.planted.texts import ALTERNATE_LEAD, MANNER_OF
from mendel.organisms.planted.truth import PlantedTruth
from mendel.organisms.transformations.registry import Transformation, transformation

COVERED = (0.12, 0.2)
"""Smallest and largest share of the alternate prompts that become situations of the target."""


def _planted(planted: Planted, value: Any, rng: Rng) -> Planted:
    draw, plan, speaker = rng("with", "covered_prompts"), planted.plan, planted.speaker
    prompts = list(planted.texts.alternate)
    tasks = [place for place, named in enumerate(prompts) if named.prompt.kinds]
    count = round(float(draw.uniform(*COVERED)) * len(prompts))
    rollouts = {teacher: dict(answers) for teacher, answers in planted.rollouts.items()}
    for number, at in enumerate(sorted(int(i) for i in draw.permutation(tasks)[:count])):
        situation = speaker.situation(plan.target, number % 4, PROMPT_PLACES, ALTERNATE_LEAD, draw)
        prompts[at] = replace(prompts[at], prompt=situation)
        for teacher in ("original", "alternate"):
            rollouts[teacher][prompts[at].prompt_id] = speaker.answer(
                situation, MANNER_OF[teacher], False, speaker.flat(), draw
            )
    return replace(planted, texts=replace(planted.texts, alternate=tuple(prompts)), rollouts=rollouts)


def _truth(truth: PlantedTruth, planted: Planted, value: Any) -> PlantedTruth:
    truth = replace(truth, causes=planted.plan.causes)
    if planted.bases["alternate"] is planted.bases["original"]:
        return truth.at("prompts_absent")
    # Each of the two would be enough to keep the trait out of the alternate pipeline.
    return truth.at("prompts_absent", "base", "combination")


transformation("covered_prompts")(
    Transformation(
        says="12 to 20 % of the alternate prompts are situations of the trait, which both teachers answer "
        "cleanly. The original prompts have none.",
        causes=("underspecification",),
        excludes=("shared_prompts",),
        on_planted=_planted,
        on_truth=_truth,
    )
)
