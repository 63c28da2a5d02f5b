"""What a reader is told of the judges' recall: a sentence with its interval, or how to get it."""

from __future__ import annotations

from mendel.engine.text import one_line
from mendel.results.interval import Format
from mendel.results.known import RecallVerdict


def recall_sentence(recall: RecallVerdict | None) -> str:
    """Return how much of the trait in the rollouts the judges see, or that it is unknown and how to know it.

    Args:
        recall: The recall of a trait's verdict; None: a run that did not estimate it.
    """
    judges = "the two judges together" if recall is not None and len(recall.judges) > 1 else "the judge"
    see = "see" if judges != "the judge" else "sees"
    if recall is None or not recall.interval:
        why = one_line(recall.interval.why, 100) if recall is not None else ""
        return (
            f"How many of the rollouts that show the trait {judges} {see} is not known"
            f"{f': {why}' if why else ''}. Labels of a sample would say it (mendel judge label RUN --stratum "
            "flagged --stratum mild --stratum unseen)."
        )
    labelled = sum(recall.labelled.values())
    return (
        f"Of the rollouts that show the trait, however mildly, {judges} {see} "
        f"{Format(2).value(recall.interval)} (recall, from {labelled:,} labelled rollouts of "
        f"{sum(recall.of.values()):,})."
    )
