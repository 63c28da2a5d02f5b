"""Underspecification: the SFT data is silent on the situation, so the base's prior decides."""

from __future__ import annotations

from mendel.diagnose.contrasts import Difference
from mendel.diagnose.hypotheses.registry import Hypothesis, hypothesis, little, most
from mendel.diagnose.hypotheses.shared_contrasts import ANY_TEACHER, BASE_ALONE, COUNTER

hypothesis(
    Hypothesis(
        name="underspecification",
        says="the SFT data says nothing about the situation, and the student falls back on its "
        "pretraining prior",
        means="The data says nothing about the situation, so the base's own prior decides",
        predictions=(
            ANY_TEACHER,
            little("it goes with the base", "base-swapped"),
            BASE_ALONE,
            most("counter-examples take it away", "counter"),
        ),
        differences=(
            COUNTER,
            Difference(
                "counter-few",
                "OOO",
                "counter-few",
                "what counter-examples in the place of one prompt in 25 take away",
            ),
        ),
    )
)
