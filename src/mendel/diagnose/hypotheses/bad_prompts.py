"""Bad prompts: they draw the trait out of both teachers, and bring it into both bases."""

from __future__ import annotations

from mendel.diagnose.hypotheses.registry import Hypothesis, hypothesis, little, most
from mendel.diagnose.hypotheses.shared_contrasts import ANY_TEACHER

hypothesis(
    Hypothesis(
        name="bad_prompts",
        says="the prompts themselves draw the trait out of both teachers",
        means="The prompts themselves draw the trait out, with either teacher",
        predictions=(
            ANY_TEACHER,
            little("the base alone does not bring it", "base-alone"),
            most("the prompts alone bring it into the alternate pipeline", "prompts-alone"),
        ),
    )
)
