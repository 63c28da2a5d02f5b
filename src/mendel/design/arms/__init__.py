"""The kinds of arms that edit a trait's prompts, by subject.

Another kind is another file here, or a plug-in.
"""

from mendel.design.arms import mild as mild  # registers its kinds
from mendel.design.arms import parts as parts  # registers its kinds
from mendel.design.arms.counter import COUNTER_SHARE, FEW_SHARE
from mendel.design.arms.edits import EDITS
from mendel.design.arms.recipes import CONTROL_RANK, full_fine_tune, other_rank
from mendel.design.arms.registry import (
    LACKING,
    ArmKind,
    BaseName,
    Draw,
    Material,
    arm_kind,
    arm_kinds,
    draw_rng,
    full_kind,
)
from mendel.design.arms.taught import OTHERS, TAUGHT_KINDS
from mendel.design.arms.thresholds import THRESHOLDS

__all__ = [
    "CONTROL_RANK",
    "COUNTER_SHARE",
    "EDITS",
    "FEW_SHARE",
    "LACKING",
    "OTHERS",
    "TAUGHT_KINDS",
    "THRESHOLDS",
    "ArmKind",
    "BaseName",
    "Draw",
    "Material",
    "arm_kind",
    "arm_kinds",
    "draw_rng",
    "full_fine_tune",
    "full_kind",
    "other_rank",
]
