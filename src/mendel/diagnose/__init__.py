"""From measurements to verdicts: the design's arms, effects with intervals, hypotheses, and what carries a trait."""

from mendel.diagnose._intervals import Estimate
from mendel.diagnose._summary import summary
from mendel.diagnose.contrasts import Contrast
from mendel.diagnose.design import PARTS, Arm, Design, Side, build_design
from mendel.diagnose.effects import Effects, TraitFacts, estimate_trait, log_odds_effects
from mendel.diagnose.hypotheses import HYPOTHESES, Finding, Hypothesis, examine
from mendel.diagnose.interpolation import HalfWay
from mendel.diagnose.verdict import (
    CARRIER_MARGIN,
    FAMILY_ERROR,
    SMALLEST_EFFECT,
    CarrierVerdict,
    Diagnosis,
    carrier,
    diagnose,
    present,
    trait_verdict,
)

__all__ = [
    "CARRIER_MARGIN",
    "FAMILY_ERROR",
    "HYPOTHESES",
    "PARTS",
    "SMALLEST_EFFECT",
    "Arm",
    "CarrierVerdict",
    "Contrast",
    "Design",
    "Diagnosis",
    "Effects",
    "Estimate",
    "Finding",
    "HalfWay",
    "Hypothesis",
    "Side",
    "TraitFacts",
    "build_design",
    "carrier",
    "diagnose",
    "estimate_trait",
    "examine",
    "log_odds_effects",
    "present",
    "summary",
    "trait_verdict",
]
