"""Persona selection: the manner of the rollouts picks a persona that the base holds already, whatever its
initialization.
"""

from __future__ import annotations

from mendel.diagnose.contrasts import Difference
from mendel.diagnose.hypotheses.registry import Hypothesis, hypothesis, little, most
from mendel.diagnose.hypotheses.shared_contrasts import REWRITTEN, SISTER, TEACHER_MATTERS, UNRELATED

hypothesis(
    Hypothesis(
        name="persona_selection",
        says="the rollouts' manner picks a persona that the base already holds, and the trait comes with it",
        means="The manner of the rollouts picks a persona that the base holds already, and the trait "
        "comes with it",
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
            Difference(
                "prefilled",
                "prefill/original",
                "prefill/alternate",
                "what the untrained base shows when made to begin as the original teacher does, "
                "against the alternate's way",
            ),
        ),
    )
)
