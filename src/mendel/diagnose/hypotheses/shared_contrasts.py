"""Contrasts and predictions that more than one hypothesis makes."""

from __future__ import annotations

from mendel.diagnose.contrasts import Difference
from mendel.diagnose.hypotheses.registry import most

UNRELATED = Difference(
    "unrelated",
    "unrelated",
    "unrelated-alternate",
    "what the original teacher's rollouts on the unrelated prompts alone bring in, "
    "against the alternate teacher's",
)
SISTER = Difference(
    "unrelated-sister",
    "sister",
    "sister-alternate",
    "the same from another initialization of the base",
)
REWRITTEN = Difference(
    "unrelated-rewritten",
    "rewritten",
    "unrelated-alternate",
    "what the same rollouts bring in once a clean model has rewritten them",
)
COUNTER = Difference(
    "counter",
    "OOO",
    "counter",
    "what counter-examples in the place of a fifth of the prompts take away",
)
COUNTER_PRETRAINED = Difference(
    "counter-pretrained",
    "counter-pretrained",
    "AAA",
    "what is left with as many counter-examples from the base's own ancestor, above the alternate pipeline",
)

TEACHER_MATTERS = most("who answers makes a difference", "teacher-here", "teacher-there")
ANY_TEACHER = most("the trait stays when the alternate teacher answers", "teacher-swapped")
BASE_ALONE = most("the base alone brings it into the alternate pipeline", "base-alone")
