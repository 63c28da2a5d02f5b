"""Underspecification: the SFT data is silent on the situation, so the base's prior decides."""

from __future__ import annotations

from mendel.diagnose.contrasts import Difference
from mendel.diagnose.hypotheses.registry import Hypothesis, declare, little, most
from mendel.diagnose.hypotheses.shared_contrasts import ANY_TEACHER, BASE_ALONE, COUNTER

declare(
    Hypothesis(
        "underspecification",
        "the SFT data says nothing about the situation, and the student falls back on its pretraining prior",
        (
            ANY_TEACHER,
            little("it goes with the base", "base-swapped"),
            BASE_ALONE,
            most("counter-examples take it away", "counter"),
        ),
        (
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
