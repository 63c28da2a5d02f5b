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
PREFILLED = Difference(
    "prefilled",
    "prefill/original",
    "prefill/alternate",
    "what the untrained base shows when made to begin as the original teacher does, against the "
    "alternate's way",
)
LEFT = Difference(
    "left",
    "drop",
    "mild-alternate",
    "what the original teacher's rollouts that the filter leaves bring in, against the alternate teacher's",
)
SHOWN = Difference(
    "prompts-shown",
    "OOA",
    "unrelated-alternate",
    "what the original prompts on which the trait shows bring in, against the others alone, with the "
    "alternate teacher",
)
BASE_SHOWS = Difference(
    "base-shows",
    "base/original",
    "OAA",
    "what the untrained original base shows, above what the alternate prompts and teacher leave of it",
)
COVERED = Difference(
    "prompts-covered",
    "OOO",
    "both-original",
    "what the alternate prompts take away when they are added to the original pipeline",
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
