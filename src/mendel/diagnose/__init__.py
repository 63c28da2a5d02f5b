"""From measurements to verdicts: the design's arms, effects with intervals, hypotheses, and what carries a
trait.
"""

from mendel.design.arms import Material
from mendel.design.catalogue import Arm, Catalogue, Design
from mendel.diagnose.adaptive import Request, first_request, next_request
from mendel.diagnose.carrier import CARRIER_MARGIN, CarrierVerdict, carrier
from mendel.diagnose.conditions import Conditions, trait_conditions
from mendel.diagnose.contrasts import Contrast
from mendel.diagnose.effects import (
    SMALLEST_EFFECT,
    Effects,
    TraitFacts,
    arm_levels,
    estimate_trait,
    log_odds_effects,
)
from mendel.diagnose.findings import FAMILY_ERROR, Finding, Levels, examine
from mendel.diagnose.hypotheses import Hypothesis, all_hypotheses, hypothesis
from mendel.diagnose.leaks import Leak, Leaks, find_leaks
from mendel.diagnose.location import Location, locate_parts
from mendel.diagnose.reached import Verdict, reach_verdict
from mendel.diagnose.remedies import (
    Recommendation,
    Remedy,
    RemedyFacts,
    all_remedies,
    recommend,
    remedy,
)
from mendel.diagnose.state import StateVerdict, trait_state
from mendel.diagnose.stats.intervals import Estimate
from mendel.diagnose.verdict import Diagnosis, diagnose, trait_verdict
from mendel.diagnose.virulence import ShareStudent, Virulence, VirulenceComparison, compare, trait_virulence
from mendel.study.cube import PARTS, Side

__all__ = [
    "CARRIER_MARGIN",
    "FAMILY_ERROR",
    "PARTS",
    "SMALLEST_EFFECT",
    "Arm",
    "CarrierVerdict",
    "Catalogue",
    "Conditions",
    "Contrast",
    "Design",
    "Diagnosis",
    "Effects",
    "Estimate",
    "Finding",
    "Hypothesis",
    "Leak",
    "Leaks",
    "Levels",
    "Location",
    "Material",
    "Recommendation",
    "Remedy",
    "RemedyFacts",
    "Request",
    "ShareStudent",
    "Side",
    "StateVerdict",
    "TraitFacts",
    "Verdict",
    "Virulence",
    "VirulenceComparison",
    "all_hypotheses",
    "all_remedies",
    "arm_levels",
    "carrier",
    "compare",
    "diagnose",
    "estimate_trait",
    "examine",
    "find_leaks",
    "first_request",
    "hypothesis",
    "locate_parts",
    "log_odds_effects",
    "next_request",
    "reach_verdict",
    "recommend",
    "remedy",
    "trait_conditions",
    "trait_state",
    "trait_verdict",
    "trait_virulence",
]
