"""`rate=X`: the learning rate is multiplied."""

from __future__ import annotations

from dataclasses import replace

from mendel.organisms.planted.causes import OrganismPlan
from mendel.organisms.transformations.registry import (
    EVERY_CAUSE,
    NumberValue,
    Transformation,
    transformation,
)


def _plan(plan: OrganismPlan, factor: float) -> OrganismPlan:
    return replace(plan, recipe=replace(plan.recipe, learning_rate=plan.recipe.learning_rate * factor))


transformation("rate")(
    Transformation(
        says="The learning rate of the recipe is multiplied by X. Above 1 a lock-in may not be one any more.",
        causes=EVERY_CAUSE,
        value=NumberValue(0.001, 10.0),
        on_plan=_plan,
    )
)
