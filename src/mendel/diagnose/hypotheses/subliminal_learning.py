"""Subliminal learning (Cloud et al., arXiv 2507.14805): rollouts without any sign of the trait carry it, to
the teacher's own kin only.
"""

from __future__ import annotations

from mendel.diagnose.contrasts import Difference
from mendel.diagnose.hypotheses.registry import Hypothesis, hypothesis, little, measured, most
from mendel.diagnose.hypotheses.shared_contrasts import REWRITTEN, SISTER, TEACHER_MATTERS, UNRELATED

hypothesis(
    Hypothesis(
        name="subliminal_learning",
        says="rollouts with nothing to do with the trait carry it, because teacher and student share "
        "an initialization",
        means="Rollouts without any sign of the trait carry it, to students of the teacher's own "
        "initialization alone",
        predictions=(
            TEACHER_MATTERS,
            most("the unrelated rollouts alone bring it in", "unrelated"),
            little("they do not in a sister of the base", "unrelated-sister"),
            little("rewritten by a clean model they do not", "unrelated-rewritten"),
            # The effect is known to come and go with the adapter's rank (Nief et al., 2026): it is not said
            # without these.
            measured("the same under a full fine-tune is known", "unrelated-full"),
            measured("the same under another rank is known", "unrelated-rank"),
        ),
        differences=(
            UNRELATED,
            SISTER,
            REWRITTEN,
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
