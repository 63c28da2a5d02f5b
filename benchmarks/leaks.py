"""How often the verdicts on ladders are right, and how often the leak index's interval holds 1 where every rung is left alike.

`python benchmarks/leaks.py [--studies 200] [--seed 5]`: the tables of docs/leaks.md, one JSON object a line.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mendel.diagnose.effects import SMALLEST_EFFECT
from mendel.diagnose.leaks import Leak, _Ladder
from mendel.diagnose.stats.ladder import LadderFit
from mendel.diagnose.stats.panel import Panel
from mendel.study.cube import CORNERS

RUNGS = ("near", "wording", "register", "surface")
WIDE = ("near", "wording", "register", "language", "surface", "dialogue", "agentic")
TOP, LOW = 0.8, 0.05
SEED_SD, RUNG_SD, SCENARIO_SD = 0.4, 0.2, 0.6
"""In logits: of a student on all rungs, of a student on one rung, of a scenario."""
SIZES = ((2, 6), (3, 6), (3, 12), (3, 24), (8, 12), (8, 40))
"""Seeds an arm and scenarios a rung."""


@dataclass(frozen=True)
class Rates:
    """The trait's rates on one rung."""

    original: float
    alternate: float
    edited: float


Ladder = Mapping[str, Rates]
"""By rung."""


def everywhere(share: float, **others: float) -> Ladder:
    """A teacher's trait of which an edit leaves a share: the same on all rungs but those that are named."""
    shares = {**dict.fromkeys(RUNGS, share), **others}
    return {rung: Rates(TOP, LOW, LOW + left * (TOP - LOW)) for rung, left in shares.items()}


def beyond(original: float, edited: float) -> Ladder:
    """Cleared near and in other wordings; on five rungs these rates, where the alternate pipeline is at .05."""
    shown = {"near": Rates(TOP, LOW, LOW), "wording": Rates(TOP, LOW, LOW)}
    return {rung: shown.get(rung, Rates(original, LOW, edited)) for rung in WIDE}


PLANTED: Mapping[str, Ladder] = {
    "removed everywhere": everywhere(0.0),
    "gone near, 0.9 left far": everywhere(0.9, near=0.0),
    "gone near, left on one of three far rungs": everywhere(0.0, surface=1.0),
    "nothing removed": everywhere(1.0),
    "half removed everywhere": everywhere(0.5),
    "a third left everywhere": everywhere(1 / 3),
    "cleared on two, raised from .1 to .8 on five": beyond(0.1, 0.8),
    "cleared on two, raised from .1 to .4 on five": beyond(0.1, 0.4),
    "cleared on two, as in the alternate on five": beyond(0.05, LOW),
    "cleared on two, above both by the margin on five": beyond(0.05, LOW + SMALLEST_EFFECT),
    "cleared on two, above the original by the margin on five": beyond(0.1, 0.1 + SMALLEST_EFFECT),
}


def ladder(rates: Ladder, rng: np.random.Generator, seeds: int, scenarios: int) -> LadderFit:
    """Students of the cube, of an edit and of its control, on every rung; two samples a scenario."""
    sides = {f"cube/{c}": c[2] == "O" for c in CORNERS} | {"drop-random/t": True, "swap/t": False}
    arms = tuple(arm for arm in sorted([*sides, "drop/t"]) for _ in range(seeds))
    common = rng.normal(0, SEED_SD, len(arms))
    panels = {}
    for rung, of in rates.items():
        by_arm = {arm: of.original if side else of.alternate for arm, side in sides.items()}
        level = np.array([(by_arm | {"drop/t": of.edited})[arm] for arm in arms])
        own = common + rng.normal(0, RUNG_SD, len(arms))
        logits = (np.log(level / (1 - level)) + own)[:, None] + rng.normal(0, SCENARIO_SD, scenarios)
        hits = rng.binomial(2, 1 / (1 + np.exp(-logits))) / 2
        names = tuple(f"s{i:03d}" for i in range(len(arms)))
        panels[rung] = Panel(names, arms, hits, np.ones(scenarios), bounds=(0.0, 1.0))
    return LadderFit(panels)


def edit(fit: LadderFit) -> Leak:
    """What is said of the edit."""
    levels = {rung: {"drop/t": fit.estimate({rung: {"drop/t": 1.0}})} for rung in fit.rungs}
    return _Ladder(fit, "cube/OOO", "cube/AAA", "near").leak("drop/t", levels, "drop-random/t")


def main() -> None:
    """Prints a line for each planted ladder and size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=200)
    parser.add_argument("--seed", type=int, default=5)
    arguments = parser.parse_args()
    for name, rates in PLANTED.items():
        for seeds, scenarios in SIZES:
            rng = np.random.default_rng(arguments.seed)
            said = [edit(ladder(rates, rng, seeds, scenarios)) for _ in range(arguments.studies)]
            verdicts = Counter(leak.verdict for leak in said)
            ends = [
                (i.low, i.high)
                for i in (leak.index for leak in said)
                if i.low is not None and i.high is not None
            ]
            line: dict[str, object] = {"planted": name, "seeds": seeds, "scenarios": scenarios}
            line |= {word: count / len(said) for word, count in sorted(verdicts.items())}
            if len(set(rates.values())) == 1 and ends:
                held = float(np.mean([low <= 1 <= high for low, high in ends]))
                line |= {"index_known": len(ends) / len(said), "index_holds_1": held}
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
