"""Simple generalization: what a filter leaves is of the same kind as what it takes out, and is enough."""

from __future__ import annotations

from mendel.diagnose.contrasts import Difference
from mendel.diagnose.hypotheses.registry import Hypothesis, hypothesis, most
from mendel.diagnose.hypotheses.shared_contrasts import TEACHER_MATTERS

hypothesis(
    Hypothesis(
        name="simple_generalization",
        says="mild examples that no filter catches bleed over into strong forms",
        means="The examples that the filter leaves are of the same kind as those that it takes out, "
        "and are enough",
        predictions=(
            TEACHER_MATTERS,
            most(
                "the original teacher on the mild prompts alone, the flagged ones dropped, brings it in",
                "mild",
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
