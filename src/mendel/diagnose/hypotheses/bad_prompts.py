"""Bad prompts: they draw the trait out of any teacher, and into any base."""

from __future__ import annotations

from mendel.diagnose.hypotheses.registry import Hypothesis, declare, little, most
from mendel.diagnose.hypotheses.shared_contrasts import ANY_TEACHER

declare(
    Hypothesis(
        "bad_prompts",
        "the prompts themselves draw the trait out of any teacher",
        (
            ANY_TEACHER,
            little("the base alone does not bring it", "base-alone"),
            most("the prompts alone bring it into the alternate pipeline", "prompts-alone"),
        ),
    )
)
