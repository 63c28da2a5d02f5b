"""The contrasts of the positive control of a sister, as data for the hypotheses that rest on one."""

from __future__ import annotations

from mendel.diagnose.contrasts import Difference

TAUGHT = Difference(
    "taught",
    "taught",
    "unrelated-alternate",
    "what the flagged rollouts teach the base among clean ones, against the clean ones alone",
)
TAUGHT_SISTER = Difference(
    "taught-sister",
    "taught-sister",
    "sister-alternate",
    "the same from the sister",
)
