"""Worlds with planted causes for `adaptive.py`: levels by arm, which hypotheses are true of them, and where the trait sits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from simulated import CUBE, MIXES, Outcome

from mendel.design.names import side_arm
from mendel.diagnose.contrasts import CORNER_DIFFERENCES, EDIT_DIFFERENCES
from mendel.diagnose.hypotheses import LITTLE, MOST, Hypothesis, Prediction, all_hypotheses
from mendel.diagnose.location import LOCATED, PLACES

Cube = Callable[[float, float, float], float]
KINDS = (
    "drop", "drop-random", "swap", "swap-random", "only", "only-random", "drop-strongest", "drop-milder", "mild", "mild-alternate",
    "unrelated", "unrelated-alternate", "as-many", "rewritten", "sister", "sister-alternate", "unrelated-full",
    "unrelated-full-alternate", "unrelated-rank", "unrelated-rank-alternate", "counter", "counter-few", "counter-late",
    "counter-early", "counter-pretrained", "swap-mild", "swap-unseen", "both-original", "taught", "taught-sister",
)  # fmt: skip
ROWS = {"mild": 0.9, "drop": 0.9, "unrelated": 0.6, "sister": 0.6, "rewritten": 0.6, "as-many": 0.6}
"""Rows of an arm as a share of the original pipeline's, by the beginning of its kind; others have all."""
BOUNDARY = 1e-9


@dataclass(frozen=True)
class Planted:
    """Levels as multiples of D above the alternate pipeline's: the cube, and what each mechanism's contrast comes to."""

    cube: Cube
    flagged: float = 0.0
    mild: float = 0.0
    unrelated: float = 0.0
    sister: float = 0.0
    rewritten: float = 0.0
    taken: float = 1.0
    """What counter-examples take away."""
    left: float = 0.0
    """What they leave from the ancestor."""
    covered: bool = False
    """Whether it is the alternate prompts' answers that keep the trait away."""
    low: float = 0.1
    size: float = 0.8
    """D."""
    two: Mapping[str, float] = field(default_factory=dict)
    """Parts (`mild`, `unrelated`, `sister`, `flagged`) of which a student has all with this chance, else nothing."""
    noisy: str = ""
    """The arm whose seeds are 2.5 times as noisy as those of all others."""

    def share(self, part: str) -> float:
        """What a part brings in on average over seeds."""
        return self.two.get(part, getattr(self, part))

    def shares(self, outcome: Mapping[str, float] | None = None) -> dict[str, float]:
        """Share of D by arm; `outcome` stands for what parts with two outcomes bring in."""
        part = {name: self.share(name) for name in ("flagged", "mild", "unrelated", "sister")}
        part |= outcome or {}
        top, swapped = self.cube(1, 1, 1), self.cube(1, 1, 0)
        share = {CUBE[c]: self.cube(*(float(letter == "O") for letter in c)) for c in CUBE}
        share |= {f"{kind}/t": swapped if kind.endswith("alternate") else top for kind in KINDS}
        unseen, rest = part["unrelated"], max(part["mild"], part["unrelated"])
        # Without the original prompts on which the trait shows; of covered ones there are none.
        silent = swapped if self.covered else self.cube(1, 0, 0)
        share |= {
            "unrelated-alternate/t": silent,
            "unrelated/t": silent + (unseen if top != swapped else 0.0),
        }
        apart = any(self.share(name) for name in ("flagged", "mild", "unrelated"))
        if top != swapped:
            share |= {"drop/t": swapped + rest, "swap/t": swapped + rest}
            share |= {"swap-mild/t": swapped + max(part["flagged"], unseen) if apart else top}
            share |= {"swap-unseen/t": swapped + max(part["flagged"], part["mild"]) if apart else top}
            share |= {f"{kind}/t": swapped + unseen for kind in ("unrelated-full", "unrelated-rank")}
            share |= {
                "only/t": swapped + part["flagged"],
                "only-random/t": swapped,
                "mild/t": swapped + part["mild"],
            }
            share |= {"sister/t": swapped + part["sister"], "rewritten/t": swapped + self.rewritten}
        prompts = 0.0 if self.covered else 1.0
        share |= {"both-original/t": self.cube(1, prompts, 1)}
        share |= {"prefill/original": part["sister"], "prefill/alternate": 0.0}
        share |= {"base/original": 1.0 if self.covered else self.cube(1, 0, 0)}
        share |= {"counter/t": top - self.taken, "counter-pretrained/t": self.left}
        share |= {f"mix/{part:g}": swapped + part * (top - swapped) for part in MIXES}
        return share

    def rates(self, outcome: Mapping[str, float] | None = None) -> dict[str, float]:
        """Rate by arm; raises ValueError where one is none."""
        rates = {arm: self.low + self.size * value for arm, value in self.shares(outcome).items()}
        if not all(-BOUNDARY <= rate <= 1 for rate in rates.values()):
            raise ValueError(f"no rates: {rates}")
        return rates

    def outcomes(self) -> tuple[dict[str, float], dict[str, Outcome]]:
        """Rates of students that did not get the parts with two outcomes, and the second outcome of those arms."""
        without, having = (self.rates(dict.fromkeys(self.two, value)) for value in (0.0, 1.0))
        if not self.two:
            return without, {}
        (chance,) = set(self.two.values())
        return without, {arm: Outcome(chance, having[arm]) for arm in having if having[arm] != without[arm]}

    def mean_shares(self) -> dict[str, float]:
        """Share of D by arm, on average over seeds."""
        if not self.two:
            return self.shares()
        (chance,) = set(self.two.values())
        without, having = (self.shares(dict.fromkeys(self.two, value)) for value in (0.0, 1.0))
        return {arm: (1 - chance) * without[arm] + chance * having[arm] for arm in without}

    def true(self) -> frozenset[str]:
        """The hypotheses of which all predictions of a form hold; a prediction at its boundary does not."""
        return self._of_hypotheses(lambda outcomes: all(outcome == "holds" for outcome in outcomes), any)

    def false(self) -> frozenset[str]:
        """The hypotheses of which a prediction of every form is wrong; one at its boundary is not wrong."""
        return self._of_hypotheses(lambda outcomes: "fails" in outcomes, all)

    def _of_hypotheses(
        self, form_is: Callable[[list[str]], bool], joined: Callable[[list[bool]], bool]
    ) -> frozenset[str]:
        if self.size == 0:
            return frozenset()
        shares = self.mean_shares()
        return frozenset(
            h.name
            for h in all_hypotheses()
            if joined([form_is([self._outcome(h, p, shares) for p in form]) for form in h.forms])
        )

    def _outcome(self, hypothesis: Hypothesis, prediction: Prediction, level: Mapping[str, float]) -> str:
        pairs = {d.id: d.arms("t", CUBE) for d in hypothesis.differences}
        pairs |= {name: (CUBE[a], CUBE[b]) for name, a, b, _ in CORNER_DIFFERENCES}
        pairs |= {
            name: (side_arm(a, "t", CUBE), side_arm(b, "t", CUBE)) for name, _, a, b, _ in EDIT_DIFFERENCES
        }
        arms = [pairs[contrast] for contrast in prediction.contrasts]
        if prediction.size == "measured" or not all(arm in level for pair in arms for arm in pair):
            return "holds"
        shares = [level[first] - level[second] for first, second in arms]
        # `most`: of several one has to be so; `little`: all.
        beyond = max(shares) - (MOST if prediction.size == "most" else LITTLE)
        if abs(beyond) < BOUNDARY:
            return "boundary"
        if (beyond > 0) == (prediction.size == "most"):
            return "holds"
        return "fails" if prediction.refutes else "boundary"

    def located(self) -> dict[str, frozenset[bool]]:
        """By part: whether what it brings in, or what goes without it, is above the location's bound; {} at the bound."""
        shares, found = self.mean_shares(), {}
        for place in PLACES:
            both = []
            for first, second in (place.brings, place.takes):
                both.append(
                    shares[side_arm(first, "t", CUBE)] - shares[side_arm(second, "t", CUBE)] - LOCATED
                )
            at = any(abs(value) < BOUNDARY for value in both)
            found[place.name] = frozenset() if at else frozenset({any(value > 0 for value in both)})
        return found


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


H = 1 / 2
CAUSES: dict[str, Planted] = {
    "direct_imitation": Planted(_teacher, flagged=1, mild=0.1),
    "simple_generalization": Planted(_teacher, flagged=1, mild=1, unrelated=0.1),
    "subliminal_learning": Planted(_teacher, mild=0.2, unrelated=1),
    "persona_selection": Planted(_teacher, mild=0.2, unrelated=1, sister=1),
    "underspecification": Planted(_base, taken=1),
    "underspecification, covered": Planted(_prompts, covered=True),
    "bad_prompts": Planted(_prompts),
    "pretraining_lock_in": Planted(_base, taken=0, left=1),
    "post_training_lock_in": Planted(_base, taken=0),
    "two: simple, subliminal": Planted(_teacher, mild=1, unrelated=1),
}
CLOSER: dict[str, Planted] = {
    "direct .8": Planted(_teacher, flagged=0.8, mild=0.2),
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
    "unexplained: no part alone": Planted(_teacher, flagged=0.2, mild=0.2, unrelated=0.1),
    "unexplained: all three parts": Planted(lambda b, p, t: b * p * t),
}
BORDER: dict[str, Planted] = {
    "direct, flagged 1/2": Planted(_teacher, flagged=H),
    "direct, left 1/2": Planted(_teacher, flagged=1, mild=H),
    "simple, mild 1/2": Planted(_teacher, mild=H),
    "simple, teacher 1/2": Planted(_cube(ooa=H), mild=1 - H),
    "subliminal, unrelated 1/2": Planted(_teacher, unrelated=H),
    "subliminal and persona, sister 1/2": Planted(_teacher, unrelated=1, sister=H),
    "subliminal, rewritten 1/2": Planted(_teacher, unrelated=1, rewritten=H),
    "persona, rewritten 1/2": Planted(_teacher, unrelated=1, sister=1, rewritten=H),
    "underspecification, taken 1/2": Planted(_base, taken=H),
    "underspecification, base alone 1/2": Planted(_cube(oaa=H, oao=1)),
    "underspecification, base swapped 1/2": Planted(_cube(oaa=1, aoo=H, oao=1)),
    "bad prompts, base alone 1/2": Planted(_cube(oaa=H, aoa=1)),
    "bad prompts, prompts alone 1/2": Planted(_cube(aoa=H)),
    "lock-ins, taken 1/2": Planted(_base, taken=H, left=1),
    "lock-ins, left 1/2": Planted(_base, taken=0, left=H),
    "joint: simple, subliminal 1/2": Planted(_teacher, mild=H, unrelated=H),
    "joint: simple, persona 1/2": Planted(_teacher, mild=H, unrelated=1, sister=H),
    "joint: simple, persona 1/2, bad prompts 1/2": Planted(
        _cube(aoa=H, oao=1), mild=H, unrelated=0.8, sister=H, size=0.45
    ),
}
TWO: dict[str, Planted] = {
    **{f"mild {q}": Planted(_teacher, flagged=1, two={"mild": q}) for q in (0.3, 0.4, 0.5, 0.6)},
    **{f"unrelated {q}": Planted(_teacher, two={"unrelated": q}) for q in (0.3, 0.4, 0.5, 0.6)},
    **{f"sister {q}": Planted(_teacher, unrelated=1, two={"sister": q}) for q in (0.3, 0.4, 0.5, 0.6)},
    **{f"flagged {q}": Planted(_teacher, two={"flagged": q}) for q in (0.4, 0.5)},
}
"""A student of the decisive arm has the trait with the chance in the name."""
NOISY: dict[str, Planted] = {
    "original pipeline, mild 1": Planted(_teacher, mild=1, noisy=CUBE["OOO"]),
    "mild arm, mild .8": Planted(_teacher, mild=0.8, noisy="mild/t"),
    "mild arm, mild 1/2": Planted(_teacher, mild=H, noisy="mild/t"),
    "unrelated arm, unrelated 1/2": Planted(_teacher, unrelated=H, noisy="unrelated/t"),
    "sister arm, sister 1/2": Planted(_teacher, unrelated=1, sister=H, noisy="sister/t"),
    "counter arm, taken 1/2": Planted(_base, taken=H, noisy="counter/t"),
}
"""One arm is 2.5 times as noisy as the others."""
WORLDS = {"cause": CAUSES, "closer": CLOSER, "nothing": NOTHING, "border": BORDER, "two": TWO, "noisy": NOISY}
