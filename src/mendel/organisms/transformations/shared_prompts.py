"""`shared_prompts`: both pipelines have the original prompts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mendel.organisms.planted.organism import Planted, Rng
from mendel.organisms.planted.truth import PlantedTruth
from mendel.organisms.transformations.registry import EVERY_CAUSE, Transformation, transformation


def _planted(planted: Planted, value: Any, rng: Rng) -> Planted:
    return replace(planted, texts=replace(planted.texts, alternate=planted.texts.original))


def _truth(truth: PlantedTruth, planted: Planted, value: Any) -> PlantedTruth:
    # Both teachers show the trait on those prompts, whatever else is planted.
    return truth.shared() if planted.plan.has("bad_prompts") else truth


transformation("shared_prompts")(
    Transformation(
        says="Both pipelines have the original prompts.",
        causes=EVERY_CAUSE,
        excludes=("covered_prompts",),
        on_planted=_planted,
        on_truth=_truth,
    )
)
