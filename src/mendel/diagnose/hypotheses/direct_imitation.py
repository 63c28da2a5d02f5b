"""Direct imitation: the trait comes with the flagged rollouts alone, so that the filter works.

Two forms: the flagged rollouts bring it in by themselves, or they do so only beside the original teacher's
other answers (in its manner, for one) and nothing of it comes without them.
"""

from __future__ import annotations

from mendel.diagnose.hypotheses.registry import Hypothesis, hypothesis, little, most
from mendel.diagnose.hypotheses.shared_contrasts import LEFT, TEACHER_MATTERS

NOT_LEFT = little("the rollouts that the filter leaves do not", "left")

hypothesis(
    Hypothesis(
        name="direct_imitation",
        says="the trait comes with the flagged rollouts, and not with those that the filter leaves",
        means="The trait comes with the flagged rollouts, and those that the filter leaves bring none of it",
        predictions=(
            TEACHER_MATTERS,
            most("the original teacher on the flagged prompts alone brings it in", "sufficient"),
            NOT_LEFT,
        ),
        otherwise=(
            TEACHER_MATTERS,
            most("it goes when the alternate teacher answers the flagged prompts", "swap"),
            NOT_LEFT,
            # Mild rollouts that are needed as well would make it more than an imitation of the flagged ones.
            little("it stays when the alternate teacher answers the mild ones", "swap-mild", optional=True),
        ),
        differences=(LEFT,),
    )
)
