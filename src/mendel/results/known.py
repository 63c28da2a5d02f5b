"""What a run knows of a trait beside its students, as types: recall, ingredients, teachers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mendel.engine.interval import Interval
from mendel.results.records import by


@dataclass(frozen=True)
class RecallVerdict:
    """The judges' recall on the original teacher's rollouts, estimated from labels by hand.

    Strata are `flagged`, `mild` (a judge sees anything) and `unseen` (no judge does).
    """

    interval: Interval = Interval()
    """Share (0 to 1) of the rollouts that show the trait, however mildly, that are flagged or mild; unknown
    where the labels do not say it."""
    labelled: Mapping[str, int] = by("stratum")
    """Number of labels that count."""
    shows: Mapping[str, int] = by("stratum")
    """Number of them that say that the rollout shows the trait."""
    of: Mapping[str, int] = by("stratum")
    """Number of rollouts."""
    judges: tuple[str, ...] = ()
    """The judges that sorted the rollouts: the flagging one, then the evaluating one where it differs."""
    needed: int | None = None
    """How many unseen rollouts need a label until the lower end is high enough, if the further labels are
    like those until now; null where it is high enough, or no number suffices."""
    labels: str = ""
    """Digest of the labels; empty without any."""


@dataclass(frozen=True)
class IngredientVerdict:
    """What the check of an ingredient says: whether it is what the hypotheses take it for."""

    status: str = "unknown"
    """`fits`, `does not fit` or `unknown`."""
    why: str = ""
    """The reason in words, with its numbers."""
    numbers: Mapping[str, float | None] = by("number")
    """What was measured."""


@dataclass(frozen=True)
class ShownVerdict:
    """How often a teacher's answers show the trait."""

    interval: Interval = Interval()
    """Share (0 to 1) of the answers."""
    n: int | None = None
    """Number of answers that the judge could tell."""
