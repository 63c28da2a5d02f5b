"""Direct imitation: the student learns the trait from the flagged rollouts, so that the filter works."""

from __future__ import annotations

from mendel.diagnose.hypotheses.registry import Hypothesis, hypothesis, little, most
from mendel.diagnose.hypotheses.shared_contrasts import LEFT, TEACHER_MATTERS

hypothesis(
    Hypothesis(
        name="direct_imitation",
        says="the flagged rollouts bring the trait in, and those that the filter leaves do not",
        means="The flagged rollouts bring most of the trait in, and those that the filter leaves less than "
        "half of it",
        predictions=(
            TEACHER_MATTERS,
            most("the original teacher on the flagged prompts alone brings it in", "sufficient"),
            little("the rollouts that the filter leaves do not", "left"),
        ),
        differences=(LEFT,),
    )
)
