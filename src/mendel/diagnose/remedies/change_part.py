"""Change the part of the pipeline that carries the trait as a whole: the most complete remedy, and the
dearest.
"""

from __future__ import annotations

from mendel.diagnose.remedies.registry import Remedy, remedy

remedy(
    Remedy(
        name="alternate-teacher",
        does="Let the alternate teacher answer all prompts",
        arm="OOA",
        costs="Every prompt is answered anew.",
        part="teacher",
        order=20,
    )
)
remedy(
    Remedy(
        name="alternate-prompts",
        does="Train on the alternate prompts",
        arm="OAO",
        costs="Every prompt is replaced by another.",
        part="prompts",
        order=21,
    )
)
remedy(
    Remedy(
        name="alternate-base",
        does="Start from the alternate base",
        arm="AOO",
        costs="All training starts anew from another checkpoint.",
        part="base",
        order=22,
    )
)
