"""The recall of a study's judges on its own rollouts, estimated from labels of a sample of each stratum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mendel.engine.digest import digest
from mendel.engine.interval import Interval

Floats = NDArray[np.float64]

FLAGGED, MILD, UNSEEN = "flagged", "mild", "unseen"
STRATA = (FLAGGED, MILD, UNSEEN)
"""The original teacher's rollouts: those that the filter flags, the others in which a judge sees anything,
and those in which no judge sees anything."""
SAMPLE = 50
"""Rollouts of a stratum that are drawn for labels, where the user names no number."""
ANSWERED = 0.9
"""Least share of a drawn sample that has labels: a person may skip a few responses."""
TAIL = 0.025
"""Chance that recall lies beyond one end of the interval, at most."""


@dataclass(frozen=True)
class StratumLabels:
    """The labels of one stratum: a simple random sample of its rollouts."""

    size: int
    """Number of rollouts in the stratum."""
    labelled: int
    """Number of rollouts with a label."""
    shows: int
    """Number of labelled rollouts that show the trait, however mildly."""
    skipped: int = 0
    """Number of rollouts that were drawn, and have no label. They count against the interval's width."""

    @property
    def drawn(self) -> int:
        """Number of rollouts that were drawn for labels."""
        return self.labelled + self.skipped


def recall(flagged: StratumLabels, mild: StratumLabels, unseen: StratumLabels) -> Interval:
    """Return the judges' recall with a 95 % interval.

    Recall is the share (0 to 1) of the rollouts that show the trait in which a judge sees something: shown in
    the flagged and the mild stratum, over shown in all three. The estimate weighs each stratum's share of
    labels by its size. The interval is melded (M. Fay, M. Proschan and E. Brittain, Biometrics 71, 2015) from
    the exact limits of each stratum's count, which are hypergeometric: a stratum that is labelled whole adds
    no width. A skipped rollout counts as the worst case for the lower end and as the best for the upper one.
    Its coverage by simulation, and what else was tried, stands in docs/judges.md.

    Args:
        flagged: Labels of the flagged rollouts.
        mild: Labels of the rollouts that are not flagged, and in which a judge sees something.
        unseen: Labels of the rollouts in which no judge sees anything.

    Returns:
        The recall. Without an estimate (`why` says the reason) where a stratum has no label, or where no
        labelled rollout shows the trait. It is 1 where all unseen rollouts are labelled and none shows it.
    """
    strata = dict(zip(STRATA, (flagged, mild, unseen), strict=True))
    if unseen.labelled == unseen.size and unseen.shows == 0:
        return Interval(1.0, 1.0, 1.0)
    unlabelled = [name for name, stratum in strata.items() if stratum.size and not stratum.labelled]
    if unlabelled:
        return Interval(why=f"no {' or '.join(unlabelled)} rollout is labelled")
    if not any(stratum.shows for stratum in strata.values()):
        return Interval(why="no labelled rollout shows the trait")
    shown = {name: _estimate(stratum) for name, stratum in strata.items()}
    estimate = (shown[FLAGGED] + shown[MILD]) / sum(shown.values())
    if all(stratum.labelled == stratum.size for stratum in strata.values()):
        return Interval(estimate, estimate, estimate)
    low = _quantile(
        _together(_lower(flagged), _lower(mild)), _upper(unseen, unseen.shows + unseen.skipped), TAIL
    )
    high = _quantile(
        _together(_upper(flagged, flagged.shows + flagged.skipped), _upper(mild, mild.shows + mild.skipped)),
        _lower(unseen),
        1 - TAIL,
    )
    return Interval(estimate, min(low, estimate), max(high, estimate))


def labels_needed(
    flagged: StratumLabels, mild: StratumLabels, unseen: StratumLabels, aim: float
) -> int | None:
    """Return how many unseen rollouts need a label until the interval's lower end reaches `aim`.

    Args:
        flagged: Labels of the flagged rollouts, which stay as they are.
        mild: Labels of the mild rollouts, which stay as they are.
        unseen: Labels of the unseen rollouts; as large a share of further labels is taken to show the trait.
        aim: The wished lower end (0 to 1).

    Returns:
        The number, with those that are labelled already; None where no number suffices.
    """

    def reaches(labelled: int) -> bool:
        share = unseen.shows / max(unseen.labelled, 1)
        found = recall(flagged, mild, StratumLabels(unseen.size, labelled, round(share * labelled)))
        return found.low is not None and found.low >= aim

    low, high = unseen.labelled, unseen.size
    if not reaches(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reaches(middle) else (middle, high)
    return high


def drawing_order(trait: str, items: Sequence[tuple[str, str]]) -> list[int]:
    """Return the places of rollouts in the order in which they are drawn for labels.

    The order is random with respect to what the rollouts say, and the same every time. It does not depend on
    the strata: the first of a stratum are a simple random sample of it, also after a judge has changed.

    Args:
        trait: The trait's name.
        items: For each rollout, its prompt id and the key of its response (`Unlabelled.key`).
    """
    places = {place: digest("label-draw", [trait, *item]) for place, item in enumerate(items)}
    return sorted(places, key=places.__getitem__)


def stratum_labels(shows: Sequence[bool | None]) -> StratumLabels:
    """Return the labels of a stratum that count: those of the longest sample that is as good as answered.

    Only a sample that begins with the first drawn rollout is random. Labels of rollouts that were chosen in
    another way do not count.

    Args:
        shows: For each rollout of the stratum, in drawing order, whether its label says that it shows the
            trait; None without a label.
    """
    labelled = np.cumsum([value is not None for value in shows], dtype=np.int64)
    answered = labelled >= ANSWERED * np.arange(1, len(shows) + 1)
    ends = [place for place, value in enumerate(shows) if answered[place] and value is not None]
    sample = list(shows[: ends[-1] + 1]) if ends else []
    missing = sample.count(None)
    return StratumLabels(len(shows), len(sample) - missing, sample.count(True), missing)


def _estimate(stratum: StratumLabels) -> float:
    return stratum.size * stratum.shows / stratum.labelled if stratum.labelled else 0.0


def _at_most(stratum: StratumLabels, shows: int) -> Floats:
    """Return the chance of at most `shows` in the sample, for 0 to `size` rollouts that show the trait."""
    from scipy.special import gammaln

    size, drawn = stratum.size, stratum.drawn
    if drawn == size:
        return (np.arange(size + 1) <= shows).astype(float)
    logs = gammaln(np.arange(1, size + 2))
    truly = np.arange(size + 1)
    chance = np.zeros(size + 1)
    for seen in range(min(shows, drawn) + 1):
        possible = (truly >= seen) & (size - truly >= drawn - seen)
        shown, clean = truly[possible], size - truly[possible]
        chance[possible] += np.exp(
            logs[shown] - logs[seen] - logs[shown - seen]
            + logs[clean] - logs[drawn - seen] - logs[clean - drawn + seen]
            - logs[size] + logs[drawn] + logs[size - drawn]
        )  # fmt: skip
    return np.clip(chance, 0.0, 1.0)


def _upper(stratum: StratumLabels, shows: int) -> Floats:
    """Return the distribution of the upper confidence limit of a stratum's count at a uniform level."""
    beyond = np.append(_at_most(stratum, shows), 0.0)
    limits: Floats = np.clip(beyond[:-1] - beyond[1:], 0.0, None)
    return limits


def _lower(stratum: StratumLabels) -> Floats:
    """Return the distribution of the lower confidence limit of a stratum's count at a uniform level."""
    until = 1.0 - (_at_most(stratum, stratum.shows - 1) if stratum.shows else np.zeros(stratum.size + 1))
    return np.clip(np.diff(until, prepend=0.0), 0.0, None)


def _together(one: Floats, other: Floats) -> Floats:
    """Return the distribution of the sum of two independent counts."""
    from scipy.signal import fftconvolve

    if len(one) * len(other) < 1e8:
        summed: Floats = np.convolve(one, other)
    else:
        summed = np.clip(fftconvolve(one, other), 0.0, None)
    return summed


def _quantile(seen: Floats, unseen: Floats, level: float) -> float:
    """Return a quantile of seen / (seen + unseen), given the distributions of the two counts.

    Without any unseen rollout that shows the trait, the ratio is 1.
    """
    counts, until = np.arange(1, len(unseen)), np.cumsum(seen)

    def below(ratio: float) -> float:
        most = np.floor(ratio * counts / (1 - ratio) + 1e-9).astype(np.int64)
        return float(unseen[1:] @ until[np.minimum(most, len(seen) - 1)])

    low, high = 0.0, 1.0
    if below(0.0) >= level:
        return 0.0
    if float(unseen[1:].sum()) < level:
        return 1.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (low, middle) if below(middle) >= level else (middle, high)
    return round(high, 8)
