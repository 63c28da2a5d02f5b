"""Pretraining lock-in: the base holds the trait from its first checkpoint on, and SFT cannot move it."""

from __future__ import annotations

from mendel.diagnose.hypotheses.registry import Hypothesis, hypothesis, little, most
from mendel.diagnose.hypotheses.shared_contrasts import ANY_TEACHER, BASE_ALONE, COUNTER, COUNTER_PRETRAINED

hypothesis(
    Hypothesis(
        name="pretraining_lock_in",
        says="the base holds the trait and SFT cannot move it",
        means="The base shows the trait since pretraining, and under this recipe counter-examples in a fifth "
        "of the rows do not take it away",
        needs=("recipe moves",),
        predictions=(
            ANY_TEACHER,
            BASE_ALONE,
            little("counter-examples do not take it away", "counter"),
            most("it stays when training starts from the base's ancestor, too", "counter-pretrained"),
        ),
        differences=(COUNTER, COUNTER_PRETRAINED),
    )
)
