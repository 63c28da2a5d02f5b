"""Bad prompts: they draw the trait out of any teacher, and into any base."""

from __future__ import annotations

from mendel.diagnose.hypotheses.registry import Hypothesis, hypothesis, little, most
from mendel.diagnose.hypotheses.shared_contrasts import ANY_TEACHER

hypothesis(
    Hypothesis(
        name="bad_prompts",
        says="the prompts themselves draw the trait out of any teacher",
        means="The prompts themselves draw the trait out, whoever answers them",
        predictions=(
            ANY_TEACHER,
            little("the base alone does not bring it", "base-alone"),
            most("the prompts alone bring it into the alternate pipeline", "prompts-alone"),
        ),
    )
)
