"""Simple generalization: rollouts that the judge scores below the filter's threshold bring the trait in."""

from __future__ import annotations

from mendel.diagnose.contrasts import Difference
from mendel.diagnose.hypotheses.registry import Hypothesis, hypothesis, most
from mendel.diagnose.hypotheses.shared_contrasts import TEACHER_MATTERS

hypothesis(
    Hypothesis(
        name="simple_generalization",
        says="mild examples that the filter leaves bleed over into strong forms",
        means="Mild rollouts, which the judge sees and the filter leaves, bring the trait in by themselves",
        predictions=(
            TEACHER_MATTERS,
            most(
                "the original teacher on the mild prompts alone, the flagged ones dropped, brings it in",
                "mild",
                # Mild rollouts that the judge does not see are not among the mild ones.
                fails_if="recall",
            ),
        ),
        differences=(
            Difference(
                "mild",
                "mild",
                "mild-alternate",
                "what the original teacher's rollouts on the mild prompts bring in with the flagged "
                "ones dropped",
            ),
            Difference("drop-strongest", "OOO", "drop-strongest", "what a looser filter takes away"),
            Difference("drop-milder", "OOO", "drop-milder", "what a stricter filter takes away"),
            Difference("drop-all-mild", "OOO", "unrelated", "what the strictest filter takes away"),
        ),
    )
)
