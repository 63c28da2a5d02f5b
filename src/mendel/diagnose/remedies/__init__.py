"""Remedies, one file each, and the recommendation: does a filter help, and what to do about the trait.

Another remedy is another file here, or a module of one's own under the entry-point group `mendel.remedies`.
"""

from __future__ import annotations

# Each module registers its remedies.
from mendel.diagnose.remedies import change_part as change_part
from mendel.diagnose.remedies.drop import DROP
from mendel.diagnose.remedies.prior import BesidePrior, Prior
from mendel.diagnose.remedies.recommendation import (
    LEAKS,
    OnLadder,
    Option,
    Recommendation,
    RemedyFacts,
    State,
    recommend,
)
from mendel.diagnose.remedies.registry import Remedy, all_remedies, edited_kinds, remedies, remedy
from mendel.diagnose.remedies.swap import SWAP

__all__ = [
    "DROP",
    "LEAKS",
    "SWAP",
    "BesidePrior",
    "OnLadder",
    "Option",
    "Prior",
    "Recommendation",
    "Remedy",
    "RemedyFacts",
    "State",
    "all_remedies",
    "edited_kinds",
    "recommend",
    "remedies",
    "remedy",
]
