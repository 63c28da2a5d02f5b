"""Subliminal learning (Cloud et al., arXiv 2507.14805): rollouts without any sign of the trait carry it, to
the teacher's own kin only.
"""

from __future__ import annotations

from mendel.diagnose.contrasts import Difference
from mendel.diagnose.hypotheses.registry import Hypothesis, hypothesis, little, measured, most
from mendel.diagnose.hypotheses.shared_contrasts import (
    PREFILLED,
    REWRITTEN,
    SISTER,
    TEACHER_MATTERS,
    UNRELATED,
)
from mendel.diagnose.taught import TAUGHT, TAUGHT_SISTER

hypothesis(
    Hypothesis(
        name="subliminal_learning",
        says="rollouts with nothing to do with the trait carry it, because teacher and student share "
        "an initialization",
        means="Rollouts in which no judge sees the trait bring it in under this recipe, and do not in the "
        "sister of the base that was tried",
        needs=("recall",),
        predictions=(
            TEACHER_MATTERS,
            most("the unrelated rollouts alone bring it in", "unrelated"),
            measured("what a sister learns from the flagged rows is known", "taught", "taught-sister"),
            little("they do not in a sister of the base", "unrelated-sister"),
            little("rewritten by a clean model they do not", "unrelated-rewritten"),
            little(
                "the base does not show it when made to begin as the original teacher does",
                "prefilled",
                optional=True,
                # A base that holds such a persona may learn from what no judge sees all the same.
                refutes=False,
            ),
            # The effect is known to come and go with the adapter's rank (Nief et al., 2026): it is not said
            # without these.
            measured("the same under a full fine-tune is known", "unrelated-full"),
            measured("the same under another rank is known", "unrelated-rank"),
        ),
        differences=(
            UNRELATED,
            SISTER,
            REWRITTEN,
            PREFILLED,
            TAUGHT,
            TAUGHT_SISTER,
            Difference(
                "unrelated-full",
                "unrelated-full",
                "unrelated-full-alternate",
                "the same under a full fine-tune (under a LoRA where the study's recipe is one)",
            ),
            Difference(
                "unrelated-rank",
                "unrelated-rank",
                "unrelated-rank-alternate",
                "the same under another LoRA rank",
            ),
        ),
    )
)
