"""Worlds with planted causes for `adaptive.py`: levels by arm, and which hypotheses are true of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from simulated import CUBE, MIXES

from mendel.diagnose.contrasts import CORNER_DIFFERENCES
from mendel.diagnose.hypotheses import LITTLE, MOST, Hypothesis, Prediction, all_hypotheses

Cube = Callable[[float, float, float], float]


@dataclass(frozen=True)
class Planted:
    """Levels as multiples of D above the alternate pipeline's: the cube, and what each mechanism's contrast comes to."""

    cube: Cube
    mild: float = 0.0
    unrelated: float = 0.0
    sister: float = 0.0
    rewritten: float = 0.0
    taken: float = 1.0
    """What counter-examples take away."""
    left: float = 0.0
    """What they leave from the ancestor."""
    low: float = 0.1
    size: float = 0.8
    """D."""

    def rates(self) -> dict[str, float]:
        """Rate by arm; raises ValueError where one is none."""
        top, swapped = self.cube(1, 1, 1), self.cube(1, 1, 0)
        share = {CUBE[c]: self.cube(*(float(letter == "O") for letter in c)) for c in CUBE}
        share |= {
            f"{kind}/t": swapped for kind in ("mild-alternate", "unrelated-alternate", "sister-alternate")
        }
        share |= {f"unrelated-{how}-alternate/t": swapped for how in ("full", "rank")}
        share |= {"mild/t": swapped + self.mild, "rewritten/t": swapped + self.rewritten}
        share |= {
            f"{kind}/t": swapped + self.unrelated
            for kind in ("unrelated", "unrelated-full", "unrelated-rank")
        }
        share |= {"sister/t": swapped + self.sister, "counter/t": top - self.taken, "counter-few/t": top}
        share |= {"counter-pretrained/t": self.left}
        share |= {
            f"{kind}/t": top
            for kind in ("drop", "drop-random", "drop-strongest", "drop-milder", "swap-random")
        }
        share |= {f"{kind}/t": swapped for kind in ("swap", "only", "only-random")}
        share |= {f"counter-{when}/t": top for when in ("late", "early")}
        share |= {f"mix/{part:g}": swapped + part * (top - swapped) for part in MIXES}
        rates = {arm: self.low + self.size * value for arm, value in share.items()}
        if not all(-1e-9 <= rate <= 1 for rate in rates.values()):
            raise ValueError(f"no rates: {rates}")
        return rates

    def true(self) -> frozenset[str]:
        """The hypotheses whose predictions all hold; a prediction at its boundary does not."""
        if self.size == 0:
            return frozenset()
        rates = self.rates()
        return frozenset(
            h.name for h in all_hypotheses() if all(self._holds(h, p, rates) for p in h.predictions)
        )

    def _holds(self, hypothesis: Hypothesis, prediction: Prediction, rates: Mapping[str, float]) -> bool:
        shares = []
        for contrast in prediction.contrasts:
            pairs = {d.id: d.arms("t", CUBE) for d in hypothesis.differences}
            pairs |= {name: (CUBE[a], CUBE[b]) for name, a, b, _ in CORNER_DIFFERENCES}
            first, second = pairs[contrast]
            shares.append((rates[first] - rates[second]) / self.size)
        if prediction.size == "most":
            return max(shares) > MOST + 1e-9
        return prediction.size == "measured" or all(abs(share) < LITTLE - 1e-9 for share in shares)


def _teacher(b: float, p: float, t: float) -> float:
    return t


def _base(b: float, p: float, t: float) -> float:
    return b


def _prompts(b: float, p: float, t: float) -> float:
    return p


def _cube(oaa: float = 0.0, aoo: float = 0.0, aoa: float = 0.0, ooa: float = 1.0, oao: float = 0.0) -> Cube:
    """A cube with given single corners; the one left (AAO) is 0."""
    table = {"OOO": 1.0, "OOA": ooa, "OAO": oao, "OAA": oaa, "AOO": aoo, "AOA": aoa, "AAO": 0.0, "AAA": 0.0}
    return lambda b, p, t: table["".join("O" if part else "A" for part in (b, p, t))]


H, T = 1 / 2, 1 / 3
CAUSES: dict[str, Planted] = {
    "simple_generalization": Planted(_teacher, mild=1, unrelated=0.1),
    "subliminal_learning": Planted(_teacher, mild=0.2, unrelated=1),
    "persona_selection": Planted(_teacher, mild=0.2, unrelated=1, sister=1),
    "underspecification": Planted(_base, taken=1),
    "bad_prompts": Planted(_prompts),
    "pretraining_lock_in": Planted(_base, taken=0, left=1),
    "post_training_lock_in": Planted(_base, taken=0),
    "two: simple, subliminal": Planted(_teacher, mild=1, unrelated=1),
}
CLOSER: dict[str, Planted] = {
    "simple .8": Planted(_teacher, mild=0.8, unrelated=0.1),
    "subliminal .8, sister .1": Planted(_teacher, mild=0.2, unrelated=0.8, sister=0.1, rewritten=0.1),
    "persona .8, sister .8": Planted(_teacher, mild=0.2, unrelated=0.8, sister=0.8, rewritten=0.1),
    "underspecification .8": Planted(_cube(oaa=0.8, aoo=0.1, oao=0.9, ooa=0.9), taken=0.8),
    "bad prompts .8": Planted(_cube(ooa=0.8, oaa=0.1, aoa=0.8)),
    "pretraining .8": Planted(_cube(oaa=0.8, oao=0.9, ooa=0.9), taken=0.1, left=0.8),
    "post-training .8": Planted(_cube(oaa=0.8, oao=0.9, ooa=0.9), taken=0.1, left=0.1),
    "simple 1, D = .4": Planted(_teacher, mild=1, unrelated=0.1, low=0.3, size=0.4),
    "underspecification 1, D = .4": Planted(_base, low=0.3, size=0.4),
}
NOTHING: dict[str, Planted] = {
    "null-0": Planted(_teacher, low=0.0, size=0.0),
    "null-0.1": Planted(_teacher, low=0.1, size=0.0),
    "null-0.5": Planted(_teacher, low=0.5, size=0.0),
    "unexplained: the flagged ones alone": Planted(_teacher, mild=0.2, unrelated=0.1),
    "unexplained: all three parts": Planted(lambda b, p, t: b * p * t),
}
BORDER: dict[str, Planted] = {
    "simple, mild 1/2": Planted(_teacher, mild=H),
    "simple, teacher 1/2": Planted(_cube(ooa=H), mild=1 - H),
    "subliminal, unrelated 1/2": Planted(_teacher, unrelated=H),
    "subliminal, sister 1/3": Planted(_teacher, unrelated=1, sister=T),
    "subliminal, rewritten 1/3": Planted(_teacher, unrelated=1, rewritten=T),
    "persona, sister 1/2": Planted(_teacher, unrelated=1, sister=H),
    "persona, rewritten 1/3": Planted(_teacher, unrelated=1, sister=1, rewritten=T),
    "underspecification, taken 1/2": Planted(_base, taken=H),
    "underspecification, base alone 1/2": Planted(_cube(oaa=H, oao=1)),
    "underspecification, base swapped 1/3": Planted(_cube(oaa=1, aoo=T, oao=1)),
    "bad prompts, base alone 1/3": Planted(_cube(oaa=T, aoa=1)),
    "bad prompts, prompts alone 1/2": Planted(_cube(aoa=H)),
    "pretraining, taken 1/3": Planted(_base, taken=T, left=1),
    "pretraining, left 1/2": Planted(_base, taken=0, left=H),
    "post-training, left 1/3": Planted(_base, taken=0, left=T),
    "joint: simple, subliminal 1/2": Planted(_teacher, mild=H, unrelated=H),
    "joint: simple, persona 1/2": Planted(_teacher, mild=H, unrelated=1, sister=H),
    "joint: simple, persona 1/2, bad prompts 1/2": Planted(
        _cube(aoa=H, oao=1), mild=H, unrelated=0.8, sister=H, size=0.45
    ),
    "joint: lock-ins, taken 1/3": Planted(_base, taken=T, left=H),
}
WORLDS = {"cause": CAUSES, "closer": CLOSER, "nothing": NOTHING, "border": BORDER}
