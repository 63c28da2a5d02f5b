"""`no_extras`: a study as a user has it, without a sister, ancestor, rewriter or counter-examples."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mendel.organisms.planted.organism import Planted, Rng
from mendel.organisms.transformations.registry import EVERY_CAUSE, Transformation, transformation


def _planted(planted: Planted, value: Any, rng: Rng) -> Planted:
    return replace(
        planted,
        texts=replace(planted.texts, counter=((), (), ())),
        bases={role: base for role, base in planted.bases.items() if role in ("original", "alternate")},
        rollouts={name: answers for name, answers in planted.rollouts.items() if name != "rewritten"},
    )


transformation("no_extras")(
    Transformation(
        says="The study has no sister, ancestor, rewriter or counter-examples.",
        causes=EVERY_CAUSE,
        excludes=("sister", "rewriter", "counter"),
        on_planted=_planted,
    )
)
