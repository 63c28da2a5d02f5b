"""`mild_unseen`: the judges give every mild form their least score."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mendel.organisms.planted.organism import Planted, Rng
from mendel.organisms.planted.truth import PlantedTruth
from mendel.organisms.transformations.judge_recall import WITH_MILD, judge_that_sees
from mendel.organisms.transformations.registry import Transformation, transformation


def _planted(planted: Planted, value: Any, rng: Rng) -> Planted:
    return replace(planted, judges=tuple(judge_that_sees(planted, trait, ()) for trait in range(3)))


def _truth(truth: PlantedTruth, planted: Planted, value: Any) -> PlantedTruth:
    if "mild" not in truth.location:
        return truth
    return truth.at(*(part for part in truth.location if part != "mild"), "unseen")


transformation("mild_unseen")(
    Transformation(
        says="The judge of each trait gives all mild forms its least score.",
        causes=WITH_MILD,
        excludes=("judge_recall", "clean_mild"),
        on_planted=_planted,
        on_truth=_truth,
    )
)
