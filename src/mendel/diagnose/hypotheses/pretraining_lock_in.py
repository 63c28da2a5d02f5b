"""Pretraining lock-in: the base holds the trait, from its first checkpoint on, and this SFT cannot move it."""

from __future__ import annotations

from mendel.diagnose.hypotheses.registry import Hypothesis, declare, little, most
from mendel.diagnose.hypotheses.shared_contrasts import ANY_TEACHER, BASE_ALONE, COUNTER, COUNTER_PRETRAINED

declare(
    Hypothesis(
        "pretraining_lock_in",
        "the base holds the trait and SFT cannot move it",
        (
            ANY_TEACHER,
            BASE_ALONE,
            little("not even many counter-examples take it away", "counter"),
            most("nor do they from the base's ancestor before any post-training", "counter-pretrained"),
        ),
        (COUNTER, COUNTER_PRETRAINED),
    )
)
