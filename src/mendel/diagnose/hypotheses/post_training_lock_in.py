"""Post-training lock-in: an early part of post-training set the trait, and later data cannot undo it."""

from __future__ import annotations

from mendel.diagnose.contrasts import Difference
from mendel.diagnose.hypotheses.registry import Hypothesis, hypothesis, little
from mendel.diagnose.hypotheses.shared_contrasts import ANY_TEACHER, BASE_ALONE, COUNTER, COUNTER_PRETRAINED

hypothesis(
    Hypothesis(
        name="post_training_lock_in",
        says="once an early part of post-training has set the trait, later data cannot undo it",
        means="A stage after pretraining set the trait, and under this recipe counter-examples in a fifth of "
        "the rows do not take it away",
        needs=("recipe moves",),
        predictions=(
            ANY_TEACHER,
            BASE_ALONE,
            little("counter-examples do not take it away", "counter"),
            little(
                "it does not stay when training starts from the checkpoint before that early part",
                "counter-pretrained",
                fails_if="recipe moves",
            ),
        ),
        differences=(
            COUNTER,
            COUNTER_PRETRAINED,
            Difference(
                "counter-order",
                "counter-late",
                "counter-early",
                "what counter-examples leave at the end of training, against the same at its beginning",
            ),
        ),
    )
)
