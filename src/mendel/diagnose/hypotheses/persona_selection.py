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
        means="Rollouts in which no judge sees the trait bring it in, in the base and in its sister; when a "
        "clean model rewrites them they do not; and the untrained base shows it when made to begin like "
        "them, as it would if it held a persona that they pick",
        needs=("recall",),
        predictions=(
            TEACHER_MATTERS,
            most("the unrelated rollouts alone bring it in", "unrelated"),
            most("they do in a sister of the base, too", "unrelated-sister"),
            little("rewritten by a clean model they do not", "unrelated-rewritten"),
            # Rollouts that reach a sister as well need not pick anything that is there already.
            most(
                "the base shows it when made to begin as the original teacher does",
                "prefilled",
                refutes=False,
            ),
        ),
        differences=(
            UNRELATED,
            SISTER,
            REWRITTEN,
            PREFILLED,
        ),
    )
)
