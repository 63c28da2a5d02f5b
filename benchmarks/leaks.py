"""How often the verdicts on ladders are right, and how often the leak index's interval holds 1 where every rung is left alike.

`python benchmarks/leaks.py [--studies 200] [--seed 5]`: the tables of docs/leaks.md, one JSON object a line.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Mapping

import numpy as np

from mendel.diagnose.leaks import Leak, _Ladder
from mendel.diagnose.stats.ladder import LadderFit
from mendel.diagnose.stats.panel import Panel
from mendel.study.cube import CORNERS

RUNGS = ("near", "wording", "register", "surface")
TOP, LOW = 0.8, 0.05
SEED_SD, RUNG_SD, SCENARIO_SD = 0.4, 0.2, 0.6
"""In logits: of a student on all rungs, of a student on one rung, of a scenario."""
SIZES = ((2, 6), (3, 6), (3, 12), (3, 24))
"""Seeds an arm and scenarios a rung."""


def everywhere(share: float, **others: float) -> dict[str, float]:
    """What is left by rung: the same on all but those that are named."""
    return {**dict.fromkeys(RUNGS, share), **others}


PLANTED: Mapping[str, Mapping[str, float]] = {
    "removed everywhere": everywhere(0.0),
    "gone near, 0.9 left far": everywhere(0.9, near=0.0),
    "gone near, left on one of three far rungs": everywhere(0.0, surface=1.0),
    "nothing removed": everywhere(1.0),
    "half removed everywhere": everywhere(0.5),
    "a third left everywhere": everywhere(1 / 3),
}


def ladder(left: Mapping[str, float], rng: np.random.Generator, seeds: int, scenarios: int) -> LadderFit:
    """A teacher's trait on every rung, of which an edit leaves these shares; two samples a scenario."""
    corners = {f"cube/{c}": TOP if c[2] == "O" else LOW for c in CORNERS}
    rates = {**corners, "drop-random/t": TOP, "swap/t": LOW}
    arms = tuple(arm for arm in sorted([*rates, "drop/t"]) for _ in range(seeds))
    common = rng.normal(0, SEED_SD, len(arms))
    panels = {}
    for rung, share in left.items():
        level = np.array([(rates | {"drop/t": LOW + share * (TOP - LOW)})[arm] for arm in arms])
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
    for name, left in PLANTED.items():
        for seeds, scenarios in SIZES:
            rng = np.random.default_rng(arguments.seed)
            said = [edit(ladder(left, rng, seeds, scenarios)) for _ in range(arguments.studies)]
            verdicts = Counter(leak.verdict for leak in said)
            ends = [
                (i.low, i.high)
                for i in (leak.index for leak in said)
                if i.low is not None and i.high is not None
            ]
            line: dict[str, object] = {"planted": name, "seeds": seeds, "scenarios": scenarios}
            line |= {word: count / len(said) for word, count in sorted(verdicts.items())}
            if len(set(left.values())) == 1 and ends:
                held = float(np.mean([low <= 1 <= high for low, high in ends]))
                line |= {"index_known": len(ends) / len(said), "index_holds_1": held}
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
