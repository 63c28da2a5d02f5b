"""Where a trait sits: what each part of the pipeline's data brings in alone, and what goes without it.

Each share is a contrast over D, the original pipeline minus the alternate one. The interval of the ratio is
the set of shares that the data do not reject (E. Fieller, J. R. Stat. Soc. B 16, 1954).

| part | brings in alone | goes when taken out |
|---|---|---|
| flagged | original teacher on the flagged prompts, alternate elsewhere | alternate teacher on them |
| mild | original teacher on the mild prompts, flagged ones dropped, against the alternate teacher | same |
| unseen | original teacher on the unrelated prompts alone, against the alternate teacher | same |
| prompts_present | original prompts on which the trait shows | taken out, the alternate ones stay |
| prompts_absent | the other original prompts alone, against the alternate ones | alternate prompts added |
| base | original base in the alternate pipeline | alternate base in the original pipeline |
| combination | what no part brings in alone | what goes with more than one part |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mendel.design.names import side_arm
from mendel.diagnose.contrasts import TOTAL, Weights, combine, corner_weights, merge
from mendel.diagnose.effects import Effects
from mendel.diagnose.stats.intervals import LEVEL, Estimate
from mendel.engine.interval import Interval
from mendel.study.cube import PARTS, other_corner

Decision = Literal["carries", "does not carry", "undecided"]

LOCATED = 1 / 4
"""A part carries the trait if it is shown to bring in, or to take with it, more than this share of D."""
FARTHEST = 10.0
"""A share beyond this, to either side, is not searched: the difference may be 0."""


@dataclass(frozen=True)
class Place:
    """How the two shares of one part are measured: each is a first arm minus a second one."""

    name: str
    brings: tuple[str, str]
    takes: tuple[str, str]
    shared: str
    """The part of the pipelines that must differ: without it nothing can be measured."""
    words: str
    prior: tuple[str, str] | None = None
    """For what carries by its absence: a third share, of an untrained model. Only what it brings in and this
    one say together that it carries. Added prompts with clean answers take a trait away whatever brought it
    in, as counter-examples do; and prompts that a judge calls silent may not be."""

    @property
    def by_brings(self) -> bool:
        """Whether what goes when it is taken out says nothing of whether it carries."""
        return self.prior is not None


PLACES = (
    Place("flagged", ("only", "OOA"), ("OOO", "swap"), "teacher", "the flagged rollouts"),
    Place("mild", ("mild", "mild-alternate"), ("OOO", "swap-mild"), "teacher", "the mild rollouts"),
    Place(
        "unseen",
        ("unrelated", "unrelated-alternate"),
        ("OOO", "swap-unseen"),
        "teacher",
        "the rollouts in which no judge sees anything",
    ),
    Place(
        "prompts_present",
        ("OOA", "unrelated-alternate"),
        ("both-original", "OAO"),
        "prompts",
        "the original prompts' presence",
    ),
    Place(
        "prompts_absent",
        ("unrelated-alternate", "OAA"),
        ("OOO", "both-original"),
        "prompts",
        "the alternate prompts' absence",
        prior=("base/original", "OAA"),
    ),
    Place("base", ("OAA", "AAA"), ("OOO", "AOO"), "base", "the base"),
)
COMBINATION = "combination"
WORDS = {place.name: place.words for place in PLACES} | {COMBINATION: "only their combination"}
"""What each part is called in sentences."""


@dataclass(frozen=True)
class Location:
    """How much of D one part carries."""

    brings: Interval
    """What the part alone brings in, as a share of D."""
    takes: Interval
    """What goes when it is taken out, as a share of D."""
    decision: Decision
    """`carries` where either share is shown to be above `LOCATED`, `does not carry` where both are shown to
    be below."""
    missing: tuple[str, ...] = ()
    """Arms that are not trained and could be."""

    def json(self) -> dict[str, object]:
        """Return the part's entry in `location`."""
        why = "; ".join(dict.fromkeys(filter(None, (self.brings.why, self.takes.why))))
        return {
            "brings": self.brings.json() if self.brings else None,
            "takes": self.takes.json() if self.takes else None,
            "decision": self.decision,
            "why": why or _reads(self),
        }


def locate_parts(
    effects: Effects,
    error: float,
    lacking: Callable[[str], str] = lambda arm: "",
    *,
    intervals: bool = True,
) -> dict[str, Location]:
    """Measure the share of D that each part of the pipeline's data carries.

    Args:
        effects: The trait's effects, of a trait in which the pipelines differ.
        error: The chance at most that a part is decided wrongly; half of it for each of the two shares.
        lacking: Returns why an arm cannot be trained in this study, '' if it can.
        intervals: Whether the shares' intervals are searched for. Without them it is fast, and the decisions
            are the same.

    Returns:
        The location of every part, in the order of the page. A share is unknown, with the reason, where its
        arms were not trained or would be the same students.
    """
    measured = _Shares(effects, error / 2, lacking, intervals)
    parts = {place.name: measured.location(place) for place in PLACES}
    return {**parts, COMBINATION: measured.combination(parts)}


def share_of_difference(effects: Effects, weights: Weights) -> Interval:
    """Return a contrast as a share of D, with its 95 % interval.

    Args:
        effects: The trait's effects.
        weights: The contrast's weights by arm.

    Returns:
        The share; unknown, with the reason, where an arm has no usable student or D is not above 0.
    """
    return _Shares(effects, 0.0, lambda arm: "", True).ratio(weights)


class _Shares:
    """Shares of one trait's D."""

    def __init__(
        self, effects: Effects, error: float, lacking: Callable[[str], str], intervals: bool
    ) -> None:
        self.effects, self.error, self.lacking, self.intervals = effects, error, lacking, intervals
        self.total = effects.weights(TOTAL)

    def location(self, place: Place) -> Location:
        """Return how much of D one part carries."""
        if place.shared in self.effects.shared:
            why = f"the two pipelines share their {place.shared}, so that nothing of it can differ"
            nothing = Interval(why=why)
            return Location(nothing, nothing, "undecided")
        pairs = [self._pair(sides) for sides in (place.brings, place.takes)]
        brings, takes = (self._share(place, pair) for pair in pairs)
        usable: list[Weights] = [
            merge([(first, 1.0), (second, -1.0)])
            for (first, second), share in zip(pairs, (brings, takes), strict=True)
            if share
        ]
        missing = tuple(
            dict.fromkeys(
                arm for pair in pairs for arm in pair if self._untrained(arm) and not self.lacking(arm)
            )
        )
        decision = self._decide(usable)
        if decision == "carries" and not self._also_absent(place, usable[:1] if brings else []):
            decision = "undecided"
        return Location(brings, takes, decision, missing)

    def _also_absent(self, place: Place, brings: Sequence[Weights]) -> bool:
        """Return whether a part that carries by its absence is shown to: by what its absence brings in, and
        by what the untrained base shows.
        """
        if place.prior is None:
            return True
        first, second = self._pair(place.prior)
        if self._untrained(first) or self._untrained(second):
            return False
        shares = [*brings, merge([(first, 1.0), (second, -1.0)])]
        return bool(brings) and all(self._decide([share]) == "carries" for share in shares)

    def combination(self, parts: Mapping[str, Location]) -> Location:
        """Return what no part brings in alone, and what goes with more than one part."""
        differ = [part for part in PARTS if part not in self.effects.shared]
        if len(differ) < 2:
            return self._of_rollouts(parts)
        cube = self.effects.cube
        alone: dict[str, float] = {"OOO": 1.0, "AAA": -1.0}
        taken: dict[str, float] = {"OOO": -1.0, "AAA": 1.0}
        for part in differ:
            corner = "".join("O" if p == part else "A" for p in PARTS)
            alone[corner] = alone.get(corner, 0.0) - 1.0
            alone["AAA"] += 1.0
            taken["OOO"] += 1.0
            swapped = other_corner("OOO", part)
            taken[swapped] = taken.get(swapped, 0.0) - 1.0
        both = [corner_weights(cube, weights) for weights in (alone, taken)]
        brings, takes = (self.ratio(weights) for weights in both)
        usable: list[Weights] = [w for w, share in zip(both, (brings, takes), strict=True) if share]
        missing = tuple(dict.fromkeys(arm for weights in both for arm in weights if self._untrained(arm)))
        return Location(brings, takes, self._decide(usable), missing)

    def _of_rollouts(self, parts: Mapping[str, Location]) -> Location:
        """Return the combination of the rollouts' parts, where the pipelines differ in the teacher only."""
        places = [place for place in PLACES if place.shared == "teacher"]
        known = [place for place in places if parts[place.name].brings]
        why = "only one part of the pipelines differs"
        if "teacher" in self.effects.shared or not known:
            return Location(Interval(why=why), Interval(why=why), "undecided")
        pieces = [(1.0, self.total)]
        for place in known:
            first, second = self._pair(place.brings)
            pieces.append((-1.0, merge([(first, 1.0), (second, -1.0)])))
        weights = combine(pieces)
        share = self.ratio(weights)
        return Location(share, Interval(why=why), self._decide([weights] if share else []))

    def _pair(self, sides: tuple[str, str]) -> tuple[str, str]:
        first, second = (side_arm(side, self.effects.trait, self.effects.cube) for side in sides)
        return first, second

    def _untrained(self, arm: str) -> bool:
        return not self.effects.counts.get(arm)

    def _share(self, place: Place, pair: tuple[str, str]) -> Interval:
        if self.effects.same_students(*pair):
            return Interval(why="both sides would be the same students")
        untrained = [arm for arm in pair if self._untrained(arm)]
        if untrained:
            reasons = [self.lacking(arm) for arm in untrained]
            return Interval(why=next(filter(None, reasons), f"not trained: {', '.join(untrained)}"))
        return self.ratio(merge([(pair[0], 1.0), (pair[1], -1.0)]))

    def ratio(self, weights: Weights) -> Interval:
        """Return a contrast as a share of D, with its interval."""
        untrained = [arm for arm in weights if self._untrained(arm)]
        if untrained:
            return Interval(why=f"not trained: {', '.join(untrained)}")
        top, total = (self._estimate((1.0, part)) for part in (weights, self.total))
        if top.estimate is None or total.estimate is None or total.estimate <= 0:
            return Interval(why=top.why or total.why or "the original pipeline does not show more of it")
        centre = top.estimate / total.estimate
        if not self.intervals:
            return Interval(centre, why="not asked for")
        low, high = (self._edge(weights, centre, sign) for sign in (-1.0, 1.0))
        return Interval(centre, low, high, "" if low is not None and high is not None else _OPEN)

    def _estimate(self, *parts: tuple[float, Weights]) -> Estimate:
        return self.effects.combination(*parts)

    def _edge(self, weights: Weights, centre: float, sign: float) -> float | None:
        """Return the last share on one side of the centre that is not rejected, to a hundredth.

        None: none is rejected within `FARTHEST`.
        """
        inside, step = centre, 0.05
        while not self._rejected(weights, centre + sign * step, sign):
            inside, step = centre + sign * step, 2 * step
            if step > FARTHEST:
                return None
        outside = centre + sign * step
        while abs(outside - inside) > 5e-3:
            middle = (inside + outside) / 2
            if self._rejected(weights, middle, sign):
                outside = middle
            else:
                inside = middle
        return outside

    def _rejected(self, weights: Weights, share: float, sign: float) -> bool:
        ends = self._estimate((1.0, weights), (-share, self.total)).interval(LEVEL)
        return ends is not None and (ends[1] < 0 if sign > 0 else ends[0] > 0)

    def _decide(self, shares: Sequence[Weights]) -> Decision:
        if not self.effects.training_noise:
            return "undecided"
        tested = [
            self._estimate((1.0, w), (-LOCATED, self.total)).interval(1 - 2 * self.error) for w in shares
        ]
        known = [ends for ends in tested if ends is not None]
        if any(low > 0 for low, _ in known):
            return "carries"
        if len(known) == 2 and all(high < 0 for _, high in known):
            return "does not carry"
        return "undecided"


_OPEN = "the difference between the pipelines is too uncertain for an interval of its shares"


def _reads(location: Location) -> str:
    return {
        "carries": "shown to be more than a quarter of the difference",
        "does not carry": "shown to be less than a quarter of the difference",
        "undecided": "neither shown to be more nor to be less than a quarter of the difference",
    }[location.decision]
