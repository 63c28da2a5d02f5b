"""Persona selection: the manner of the rollouts picks a persona that the base holds already, whatever its
initialization.
"""

from __future__ import annotations

from mendel.diagnose.hypotheses.registry import Hypothesis, hypothesis, little, most
from mendel.diagnose.hypotheses.shared_contrasts import (
    PREFILLED,
    REWRITTEN,
    SISTER,
    TEACHER_MATTERS,
    UNRELATED,
)

hypothesis(
    Hypothesis(
        name="persona_selection",
        says="the rollouts' manner picks a persona that the base already holds, and the trait comes with it",
        means="Rollouts in which no judge sees the trait bring it in by their manner, in the base and in its "
        "sister, as a persona would",
        needs=("recall",),
        predictions=(
            TEACHER_MATTERS,
            most("the unrelated rollouts alone bring it in", "unrelated"),
            most("they do in a sister of the base, too", "unrelated-sister"),
            little("in another manner they do not", "unrelated-rewritten"),
        ),
        differences=(
            UNRELATED,
            SISTER,
            REWRITTEN,
            # Beside the predictions: one word is a poor persona, and none says little.
            PREFILLED,
        ),
    )
)
