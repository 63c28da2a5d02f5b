"""Transformations: the changes of an organism that a real study may have, one file each.

Another one is another file here, or a module of one's own under the entry-point group
`mendel.transformations`.
"""

from __future__ import annotations

# Each module registers its transformation.
from mendel.organisms.transformations import both_show as both_show
from mendel.organisms.transformations import clean_mild as clean_mild
from mendel.organisms.transformations import counter as counter
from mendel.organisms.transformations import covered_prompts as covered_prompts
from mendel.organisms.transformations import dilute as dilute
from mendel.organisms.transformations import few_clusters as few_clusters
from mendel.organisms.transformations import judge_recall as judge_recall
from mendel.organisms.transformations import mild_unseen as mild_unseen
from mendel.organisms.transformations import no_extras as no_extras
from mendel.organisms.transformations import noise as noise
from mendel.organisms.transformations import rate as rate
from mendel.organisms.transformations import rewriter as rewriter
from mendel.organisms.transformations import shared_base as shared_base
from mendel.organisms.transformations import shared_prompts as shared_prompts
from mendel.organisms.transformations import sister as sister
from mendel.organisms.transformations.registry import (
    ChosenTransformation,
    Transformation,
    choose,
    transformations,
)

__all__ = ["ChosenTransformation", "Transformation", "choose", "transformations"]
