"""`rewriter=X`: the rewriter is no rewriter."""

from __future__ import annotations

from dataclasses import replace

from mendel.organisms.planted.organism import Planted, Rng
from mendel.organisms.transformations.registry import (
    EVERY_CAUSE,
    ChoiceValue,
    Transformation,
    transformation,
)


def _planted(planted: Planted, whose: str, rng: Rng) -> Planted:
    rollouts = {name: answers for name, answers in planted.rollouts.items() if name != "rewritten"}
    if whose != "none":
        answers = planted.rollouts["alternate" if whose == "teacher" else "original"]
        rollouts["rewritten"] = {
            named.prompt_id: answers[named.prompt_id] for named in planted.texts.original
        }
    return replace(planted, rollouts=rollouts)


transformation("rewriter")(
    Transformation(
        says="The rewriter's rollouts are the alternate teacher's own answers (`teacher`), the original "
        "teacher's (`original`), or absent (`none`).",
        causes=EVERY_CAUSE,
        value=ChoiceValue(("teacher", "original", "none")),
        excludes=("no_extras",),
        on_planted=_planted,
    )
)
