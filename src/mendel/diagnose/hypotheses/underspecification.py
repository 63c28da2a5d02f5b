"""Underspecification: the SFT data does not answer the situation, so the base's prior decides.

Two forms, as in the source: the two bases have different priors and neither data set answers the situation,
or the alternate prompts answer it and the original ones do not.
"""

from __future__ import annotations

from mendel.diagnose.contrasts import Difference
from mendel.diagnose.hypotheses.registry import Hypothesis, hypothesis, little, most
from mendel.diagnose.hypotheses.shared_contrasts import (
    ANY_TEACHER,
    BASE_ALONE,
    BASE_SHOWS,
    COUNTER,
    COVERED,
    SHOWN,
)

# A recipe that moves nothing of that prior leaves it whatever the data says.
TAKEN = most("counter-examples take it away", "counter", fails_if="recipe moves")

hypothesis(
    Hypothesis(
        name="underspecification",
        says="the original SFT data does not answer the situation, and the student falls back on its base's "
        "prior",
        means="The original data does not answer the situation, and the student shows what its base shows",
        predictions=(
            ANY_TEACHER,
            little("it goes with the base", "base-swapped"),
            BASE_ALONE,
            TAKEN,
        ),
        otherwise=(
            ANY_TEACHER,
            most("the alternate prompts take it away when they are added", "prompts-covered"),
            # Of a situation that the original prompts never hold there is no such prompt.
            little(
                "the original prompts on which the trait shows do not bring it in",
                "prompts-shown",
                optional=True,
            ),
            # A judge that misses what the other prompts draw out would make them look silent.
            most("the untrained base shows it", "base-shows", refutes=False),
            TAKEN,
        ),
        differences=(
            BASE_SHOWS,
            COUNTER,
            COVERED,
            SHOWN,
            Difference(
                "counter-few",
                "OOO",
                "counter-few",
                "what counter-examples in the place of one prompt in 25 take away",
            ),
        ),
    )
)
