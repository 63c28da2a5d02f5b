"""What the judges' recall allows a verdict to say of rollouts in which no judge sees anything."""

from __future__ import annotations

import math

from mendel.measure.recall import STRATA
from mendel.results.known import RecallVerdict

RECALL_AIM = 0.95
"""The interval of the recall must reach this at its lower end before unseen rollouts count as free of the
trait."""

LABEL = f"`mendel judge label RUN {' '.join(f'--stratum {name}' for name in STRATA)}`"
"""The command that makes the recall known."""


def recall_gate(recall: RecallVerdict | None, judges: int = 1) -> str:
    """Return why unseen rollouts cannot be called free of the trait; '' where they can.

    Subliminal learning and persona selection are claims about rollouts without any sign of the trait. A judge
    that overlooks mild signs makes every other cause look like them, so they may be named only where labels
    show that the judges overlook little: the 95 % interval of the recall lies at .95 or above.

    Args:
        recall: The recall on the study's own rollouts; None: an older run, which did not estimate it.
        judges: Number of different judges that found nothing in these rollouts. Two judges alone are not
            enough: both may overlook the same.
    """
    who = "the judge's recall" if judges == 1 else f"the recall of the {judges} judges together"
    unknown = f"{who} on this study's rollouts is not known"
    if recall is None or not any(recall.labelled.values()):
        return f"{unknown}: label a sample ({LABEL})"
    found = recall.interval
    if found.estimate is None or found.low is None:
        return f"{unknown}: {found.why or 'the labels do not say it'}"
    if found.low >= RECALL_AIM:
        return ""
    # Rounded down: a lower end just below the aim must not read like the aim.
    low, high = math.floor(100 * found.low) / 100, 1.0 if found.high is None else found.high
    return (
        f"{who} on this study's rollouts is {found.estimate:.2f} [{low:.2f}, {high:.2f}], and not shown to "
        f"be {RECALL_AIM:g} or more{_more(recall)}"
    )


def _more(recall: RecallVerdict) -> str:
    """Return how many labels would be enough; '' where no number is known to be."""
    if recall.needed is None:
        return ""
    return (
        f"; {recall.needed} labelled rollouts of the unseen ones would be enough, if the further ones are "
        "like those until now"
    )
