"""Drop: leave the flagged prompts out. The filter that a study starts from."""

from __future__ import annotations

from mendel.diagnose.remedies.registry import Remedy, remedy

DROP = remedy(
    Remedy(
        name="drop",
        does="Leave out the {rows} flagged prompts",
        arm="drop",
        costs="{rows} of {prompts} prompts ({share}) are lost.",
        control="drop-random",
        order=1,
    )
)
