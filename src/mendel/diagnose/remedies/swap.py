"""Swap: let the alternate teacher answer the flagged prompts."""

from __future__ import annotations

from mendel.diagnose.remedies.registry import Remedy, remedy

SWAP = remedy(
    Remedy(
        name="swap",
        does="Let the alternate teacher answer the {rows} flagged prompts",
        arm="swap",
        costs="{rows} of {prompts} prompts ({share}) are answered anew.",
        control="swap-random",
        order=2,
    )
)
