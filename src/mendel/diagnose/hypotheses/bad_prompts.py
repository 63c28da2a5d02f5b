"""Bad prompts: the original prompts draw the trait out of both teachers."""

from __future__ import annotations

from mendel.diagnose.hypotheses.registry import Hypothesis, hypothesis, little, most
from mendel.diagnose.hypotheses.shared_contrasts import ANY_TEACHER, SHOWN

hypothesis(
    Hypothesis(
        name="bad_prompts",
        says="the original prompts draw the trait out of both teachers",
        means="The original prompts draw the trait out of both teachers, and the answers teach it",
        needs=("alternate teacher shows",),
        predictions=(
            ANY_TEACHER,
            # Where both pipelines have one base there is nothing to bring.
            little("the base alone does not bring it", "base-alone", optional=True),
            most("the prompts alone bring it into the alternate pipeline", "prompts-alone"),
            # Without this the prompts may carry it by what they lack: the alternate ones answer the
            # situation.
            most("those on which the trait shows bring it in, against the others alone", "prompts-shown"),
        ),
        differences=(SHOWN,),
    )
)
