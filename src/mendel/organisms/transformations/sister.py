"""`sister=X`: the sister is no sister."""

from __future__ import annotations

from dataclasses import replace

from mendel.organisms.planted.organism import Planted, Rng
from mendel.organisms.transformations.registry import (
    EVERY_CAUSE,
    ChoiceValue,
    Transformation,
    transformation,
)


def _planted(planted: Planted, which: str, rng: Rng) -> Planted:
    bases = {role: base for role, base in planted.bases.items() if role != "sister"}
    if which == "original":
        bases["sister"] = bases["original"]
    elif which == "cousin":
        bases["sister"] = planted.trained["alternate"]
    return replace(planted, bases=bases)


transformation("sister")(
    Transformation(
        says="The sister is the base that was trained on the alternate corpus (`cousin`), the original base "
        "itself (`original`), or absent (`none`).",
        causes=EVERY_CAUSE,
        value=ChoiceValue(("cousin", "none", "original")),
        excludes=("no_extras",),
        on_planted=_planted,
    )
)
