"""Admission: an organism is kept if its pipelines differ, or do not differ, as its truth says.

No contrast of any hypothesis is asked for. So a planted cause may not be what makes the difference, and the
measured parts (`OrganismRates.parts`) stand in the truth file.
"""

from __future__ import annotations

from mendel.organisms.planted.shown import OrganismRates
from mendel.organisms.planted.truth import PlantedTruth

EFFECT = 0.2
"""Smallest difference of the rates of the pipelines, with each of two seeds."""
STILL = 0.1
"""Largest difference where there should be none."""
SHARED = 0.2
"""Smallest rate in each pipeline where both have the trait."""
RIGHT = 0.6
"""Smallest share of tasks that a student answers right."""


def shortfall(shown: OrganismRates, truth: PlantedTruth, *, others_may_move: bool = False) -> str:
    """Return why an organism is not admitted, or '' if it is admitted.

    Args:
        shown: Its rates in students of a plain training loop.
        truth: What should be so.
        others_may_move: Whether the cause works on the other traits, too.

    Returns:
        The reason, with the measured value.
    """
    if shown.tasks < RIGHT:
        return f"the student answers only {shown.tasks:.2f} of the tasks"
    least, largest = min(shown.differences), max(abs(d) for d in shown.differences)
    if truth.state == "difference" and least < EFFECT:
        return f"original minus alternate is {least:.2f}"
    if truth.state != "difference" and largest > STILL:
        return f"the pipelines differ by {largest:.2f}"
    rates = (*shown.original, *shown.alternate)
    if truth.state == "shared" and min(rates) < SHARED:
        return f"both pipelines should have the trait, and one has {min(rates):.2f}"
    if truth.state == "absent" and max(rates) > STILL:
        return f"neither pipeline should have the trait, and one has {max(rates):.2f}"
    moved = max((abs(difference) for difference in shown.others), default=0.0)
    if not others_may_move and moved > STILL:
        return f"another trait differs by {moved:.2f}"
    return ""
