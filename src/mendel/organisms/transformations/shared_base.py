"""`shared_base`: both pipelines start from the original base."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mendel.organisms.planted.organism import Planted, Rng
from mendel.organisms.planted.truth import PlantedTruth
from mendel.organisms.transformations.registry import EVERY_CAUSE, Transformation, transformation


def _planted(planted: Planted, value: Any, rng: Rng) -> Planted:
    return replace(planted, bases={**planted.bases, "alternate": planted.bases["original"]})


def _truth(truth: PlantedTruth, planted: Planted, value: Any) -> PlantedTruth:
    return truth.without("base", "combination")


transformation("shared_base")(
    Transformation(
        says="Both pipelines start from the original base.",
        causes=EVERY_CAUSE,
        on_planted=_planted,
        on_truth=_truth,
    )
)
