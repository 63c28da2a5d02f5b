"""How often one decisive test errs where the truth lies exactly at its boundary: the far tails of the intervals.

    python benchmarks/tails.py --studies 1000        # about 3 minutes

A prediction of a hypothesis is a one-sided test of "contrast - D / 2". Here the contrast is at half of D exactly, so that
every rejection is an error. Arms of the star and of the contrast (and, in the second row, of five more); tested with 2, 4,
8 and 12 seeds, and at any of the four, by the variances alone at a one-sided 5 % divided by 3, 5, 9 and 16, and by the
package's test, which also asks what agreeing students leave open.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass

import numpy as np
from causes import BORDER
from scipy.special import stdtr
from simulated import CUBE, Floats, Simulator, World

from mendel.diagnose import Levels
from mendel.diagnose.contrasts import combine
from mendel.diagnose.hypotheses import MOST
from mendel.diagnose.stats.intervals import Fit
from mendel.study.cube import STAR

DIVISORS = (3, 5, 9, 16)
SEEDS = (2, 4, 8, 12)
LEVELS = Levels(2)
SETTINGS = ((40, 0.5), (20, 0.1), (20, 1.0), (60, 0.1), (60, 1.0))
"""Scenarios and the seeds' standard deviation in logits."""
MORE = ("unrelated/t", "unrelated-alternate/t", "sister/t", "sister-alternate/t", "rewritten/t")


@dataclass(frozen=True)
class Case:
    """A test at its boundary, half of D: `most` errs above it, `little` below."""

    world: str
    pair: tuple[str, str]
    above: bool
    more: tuple[str, ...] = ()

    @property
    def arms(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*(CUBE[corner] for corner in STAR), *self.pair, *self.more)))


CASES = (
    Case("simple, mild 1/2", ("mild/t", "mild-alternate/t"), above=True),
    Case("simple, mild 1/2", ("mild/t", "mild-alternate/t"), above=True, more=MORE),
    Case("subliminal and persona, sister 1/2", ("sister/t", "sister-alternate/t"), above=False),
    Case("underspecification, taken 1/2", (CUBE["OOO"], "counter/t"), above=True, more=(CUBE["OAA"],)),
    Case(
        "lock-ins, left 1/2",
        ("counter-pretrained/t", CUBE["AAA"]),
        above=False,
        more=(CUBE["OAA"],),
    ),
)


def p_values(
    case: Case, scenarios: int, sd: float, studies: int, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """(studies, looks): one-sided p-values of the same studies by the variances, and whether the package's test errs."""
    weights = combine(
        [
            (1.0, {case.pair[0]: 1.0, case.pair[1]: -1.0}),
            (-MOST, {CUBE["OOO"]: 1.0, CUBE["AAA"]: -1.0}),
        ]
    )
    rates, found = BORDER[case.world].rates(), np.ones((studies, len(SEEDS)))
    errs = np.zeros_like(found)
    full = Simulator(World("", scenarios, True, max(SEEDS), seed_sd=sd, arms=case.arms), rng, rates)
    looks = [
        Simulator(World("", scenarios, True, seeds, seed_sd=sd, arms=case.arms), rng, rates)
        for seeds in SEEDS
    ]
    for study in range(studies):
        cells = full.draw()
        for look, (seeds, simulator) in enumerate(zip(SEEDS, looks, strict=True)):
            (excess,) = Fit(simulator.panel(cells[:, :seeds])).estimate([weights])
            assert excess.estimate is not None
            assert excess.se is not None
            t = excess.estimate / max(excess.se, 1e-12)
            found[study, look] = stdtr(excess.df, -t if case.above else t)
            ends = excess.interval(1 - 2 * LEVELS.support, LEVELS.agreement)
            errs[study, look] = ends is not None and (ends[0] > 0 if case.above else ends[1] < 0)
    return found, errs


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    for scenarios, sd in SETTINGS:
        for case in CASES:
            p, errs = p_values(case, scenarios, sd, options.studies, rng)
            said = [f"{case.world:30} {scenarios:3d} scenarios  sd {sd:3.1f}  {len(case.arms):2d} arms"]
            for divisor in DIVISORS:
                wrong = p < 0.05 / divisor
                by_look = " ".join(f"{share:5.2%}" for share in wrong.mean(axis=0))
                said.append(f"/{divisor}: {by_look} any {wrong.any(axis=1).mean():5.2%}")
            by_look = " ".join(f"{share:5.2%}" for share in errs.mean(axis=0))
            said.append(f"the package's: {by_look} any {errs.any(axis=1).mean():5.2%}")
            sys.stdout.write(" | ".join(said) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
