"""`clean_mild`: the original teacher answers mild situations as the alternate teacher does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mendel.organisms.planted.organism import Planted, Rng
from mendel.organisms.planted.truth import PlantedTruth
from mendel.organisms.transformations.registry import Transformation, transformation


def _planted(planted: Planted, value: Any, rng: Rng) -> Planted:
    alternate = planted.rollouts["alternate"]
    mild = [
        n.prompt_id for n in planted.texts.all if n.prompt.trait == planted.plan.target and n.prompt.level < 2
    ]
    rollouts = dict(planted.rollouts)
    for teacher in {"original", "rewritten"} & set(rollouts):
        answers = rollouts[teacher]
        rollouts[teacher] = {**answers, **{prompt: alternate[prompt] for prompt in mild if prompt in answers}}
    return replace(planted, rollouts=rollouts)


def _truth(truth: PlantedTruth, planted: Planted, value: Any) -> PlantedTruth:
    if truth.state != "difference":
        return truth
    return PlantedTruth(("direct_imitation",), "difference", ("flagged",))


transformation("clean_mild")(
    Transformation(
        says="The original teacher's answers to mild situations are the alternate teacher's. So the filter "
        "works.",
        causes=("simple_generalization",),
        excludes=("judge_recall", "mild_unseen"),
        on_planted=_planted,
        on_truth=_truth,
    )
)
