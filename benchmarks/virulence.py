"""How often the intervals of `mendel.diagnose.virulence` cover the truth, on simulated students.

    python benchmarks/virulence.py --studies 1000

A student's hits are logistic: the curve at its share, plus its subset, its seed, the cluster, the scenario and the
student by scenario. The curves are symmetric about one half at the half-way share, so that the truth is known.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mendel.diagnose.stats.panel import Panel
from mendel.diagnose.virulence import ShareStudent, assess, compare

Floats = NDArray[np.float64]
Curve = Callable[[float], float]
SHARES = (0.01, 0.02, 0.05, 0.1, 0.25, 0.5)
CURVES: Mapping[str, tuple[Curve, float]] = {
    "linear": (lambda s: s, 0.5),
    "saturating": (lambda s: 1 - (1 - s) ** 3, 1 - 0.5 ** (1 / 3)),
    "virulent": (lambda s: 1 - (1 - s) ** 20, 1 - 0.5 ** (1 / 20)),
    "sluggish": (lambda s: s**3, 0.5 ** (1 / 3)),
}
"""Each with its true half-way share."""
SAMPLES = 2


def students(subsets: int = 6, ends: int = 2, twice: float | None = 0.1) -> list[ShareStudent]:
    """The students of one study: `ends` at the shares 0 and 1, `subsets` once at each share between, twice at one."""
    made = [ShareStudent(f"{share:g}-{i}", share, "all") for share in (0.0, 1.0) for i in range(ends)]
    for share in SHARES:
        seeds = 2 if share == twice else 1
        made += [
            ShareStudent(f"{share:g}-{i}-{k}", share, str(i)) for i in range(subsets) for k in range(seeds)
        ]
    return made


def draw(
    trained: Sequence[ShareStudent],
    curve: Curve,
    rng: np.random.Generator,
    *,
    clusters: int = 10,
    size: int = 3,
    subset_sd: float = 0.7,
    seed_sd: float = 0.5,
    subsets: Mapping[tuple[float, str], float] | None = None,
) -> Panel:
    """One trait's panel; `subsets` are the subsets' effects (logits), where another trait shares them."""
    own = {(t.share, t.subset): float(rng.normal()) for t in trained} if subsets is None else subsets
    scenario = np.repeat(rng.normal(0, 0.5, clusters), size) + rng.normal(0, 1, clusters * size)
    rows = []
    for one in trained:
        at = float(np.clip(curve(one.share), 0.02, 0.98))
        inside = 0 < one.share < 1
        logit = np.log(at / (1 - at)) + rng.normal(0, seed_sd)
        logit += subset_sd * own[one.share, one.subset] if inside else 0.0
        chance = 1 / (1 + np.exp(-(logit + scenario + rng.normal(0, 0.3, clusters * size))))
        hits = rng.binomial(SAMPLES, chance) / SAMPLES
        rows.append(hits.reshape(clusters, size).sum(axis=1))
    return Panel(
        tuple(t.student for t in trained),
        tuple(f"share/{t.share:.6g}" for t in trained),
        np.stack(rows),
        np.full(clusters, float(size)),
        bounds=(0.0, 1.0),
    )


def coverage(name: str, studies: int, rng: np.random.Generator) -> str:
    """How often the half-way share's interval holds the truth, and how wide it is."""
    curve, truth = CURVES[name]
    trained = students()
    by_name = {t.student: t for t in trained}
    held, inside, widths = 0, 0, []
    for _ in range(studies):
        found = assess(draw(trained, curve, rng), by_name, "t")
        half = found.half_way
        assert half.low is not None
        assert half.high is not None
        held += half.low <= truth <= half.high
        inside += found.below is not None and found.above is not None and found.below <= truth <= found.above
        widths.append(half.high - half.low)
    return (
        f"{name:11} half-way {truth:.3f}: covered {held / studies:.1%} (width {np.median(widths):.3f}), "
        f"bracket {inside / studies:.1%}"
    )


def compared(first: str, second: str, together: float, studies: int, rng: np.random.Generator) -> str:
    """The same of the difference between two traits whose subsets' effects correlate by `together`."""
    trained = students()
    by_name = {t.student: t for t in trained}
    truth = CURVES[first][1] - CURVES[second][1]
    held, said = 0, {"more virulent": 0, "less virulent": 0, "undecided": 0}
    for _ in range(studies):
        keys = {(t.share, t.subset) for t in trained}
        one = {key: float(rng.normal()) for key in sorted(keys)}
        two = {k: together * v + float(np.sqrt(1 - together**2) * rng.normal()) for k, v in one.items()}
        panels = [draw(trained, CURVES[n][0], rng, subsets=s) for n, s in ((first, one), (second, two))]
        found = compare(*(assess(panel, by_name, "t") for panel in panels))
        difference = found.difference
        assert difference.low is not None
        assert difference.high is not None
        held += difference.low <= truth <= difference.high
        said[found.says] += 1
    shares = ", ".join(f"{word} {count / studies:.1%}" for word, count in said.items())
    return f"{first} - {second}, subsets together {together:g}: covered {held / studies:.1%}; {shares}"


def components(subset_sd: float, studies: int, rng: np.random.Generator) -> str:
    """How often the interval of the spread between subsets holds the truth, in the middle of the scale."""
    trained = students(twice=0.5)
    by_name = {t.student: t for t in trained}
    # The truth: subsets' levels over very many scenarios, from the same simulation without noise of training.
    many = [ShareStudent(f"{i}", 0.5, str(i)) for i in range(400)]
    exact = draw(many, CURVES["linear"][0], rng, clusters=400, subset_sd=subset_sd, seed_sd=0.0)
    truth = float((exact.sums.sum(axis=1) / exact.sizes.sum()).std())
    held, above = 0, 0
    for _ in range(studies):
        panel = draw(trained, CURVES["linear"][0], rng, subset_sd=subset_sd)
        dose = next(d for d in assess(panel, by_name, "t").curve if d.share == 0.5)
        assert dose.subsets is not None
        found = dose.subsets.between
        assert found.low is not None
        assert found.high is not None
        held += found.low <= truth <= found.high
        above += found.low > 0
    return f"spread between subsets {truth:.3f}: covered {held / studies:.1%}, shown above 0 {above / studies:.1%}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    for name in CURVES:
        print(coverage(name, arguments.studies, rng), flush=True)
    for pair in (("saturating", "linear"), ("linear", "linear")):
        for together in (-0.7, 0.0, 0.7):
            print(compared(*pair, together, arguments.studies, rng), flush=True)
    for sd in (0.0, 0.7, 1.5):
        print(components(sd, arguments.studies, rng), flush=True)


if __name__ == "__main__":
    main()
