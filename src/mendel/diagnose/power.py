"""What a study would see, before it is run: the smallest difference, and the smallest share of a difference.

Studies are simulated and tested as verdicts test them, by the same fit, at the same levels. "Would see" means
in four of five simulated studies. Responses are drawn by a logistic model with the noise of clusters, of
scenarios and of training, each normal on the log-odds scale. A trait that is scored on a scale is simulated
as hits, which is the noisiest that it can be.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from mendel.diagnose.contrasts import Weights, combine
from mendel.diagnose.effects import SMALLEST_EFFECT
from mendel.diagnose.findings import Levels
from mendel.diagnose.hypotheses import MOST
from mendel.diagnose.location import LOCATED
from mendel.diagnose.seeds import OpenTest
from mendel.diagnose.stats.intervals import Fit
from mendel.diagnose.stats.simulated import ProbeShape, SimulatedStudy, panel_of, simulated_studies

SEEN = 0.8
"""Share of simulated studies in which something must be shown."""
REGIMES: Mapping[str, float] = {"agree": 0.2, "vary": 1.0}
"""How far students of one arm differ: standard deviation in logits."""
LOW = 0.05
"""Level of the alternate pipeline in simulated studies; less where a difference leaves no room for it."""
MOST_SEEDS, MOST_CLUSTERS = 64, 256
"""How far is searched for what would be needed."""
SIZES = (1.0, 0.5)
"""Differences of which the smallest visible share is asked."""

TOTAL: Weights = {"original": 1.0, "alternate": -1.0}
PART: Weights = {"part": 1.0, "without": -1.0}
_NONE_SHOWN, _PERCENT = 0, 100


@dataclass(frozen=True)
class Visible:
    """What a study with so many seeds an arm would see, where students agree or vary."""

    students: str
    """Key of `REGIMES`."""
    seeds: int
    difference: float | None
    """The smallest difference, as a share of the scale; None: not even one of the whole scale."""
    cause: Mapping[float, float | None]
    """By difference: the smallest share of it that would be shown to be more than half.

    None: not even all of it would be.
    """
    location: Mapping[float, float | None]
    """By difference: the smallest share of it that would be shown to be more than a quarter."""

    def json(self) -> dict[str, object]:
        """Return what is seen, ready for JSON."""
        shares = {
            name: {f"{size:g}": share for size, share in values.items()}
            for name, values in (("cause", self.cause), ("location", self.location))
        }
        return {
            "students": self.students,
            "seeds": self.seeds,
            "difference": self.difference,
            **shares,
        }


@dataclass(frozen=True)
class Power:
    """What a study would see of one trait, and what would let it see more."""

    scenarios: int
    clusters: int
    samples: int
    visible: tuple[Visible, ...]
    """With the first seeds and with the most, where students agree and where they vary."""
    needed_seeds: Mapping[str, int | None]
    """Seeds with which the greatest `difference`, `cause` and `location` would be shown, at best; None: not
    with `MOST_SEEDS`, for lack of clusters."""
    needed_clusters: int | None
    """Clusters of scenarios with which the greatest difference would be shown with the most seeds; None: more
    seeds are needed first."""
    more_seeds: tuple[int, float | None]
    """Twice the most seeds, and the smallest difference then, where students agree."""
    more_clusters: tuple[int, float | None]
    """Twice the clusters of scenarios, and the smallest difference then, where students agree."""

    def json(self) -> dict[str, object]:
        """Return the content of `mendel plan --json`."""
        return {
            "scenarios": self.scenarios,
            "clusters": self.clusters,
            "samples": self.samples,
            "visible": [seen.json() for seen in self.visible],
            "needed_seeds": dict(self.needed_seeds),
            "needed_clusters": self.needed_clusters,
            "more_seeds": {"seeds": self.more_seeds[0], "difference": self.more_seeds[1]},
            "more_clusters": {"clusters": self.more_clusters[0], "difference": self.more_clusters[1]},
        }


def study_power(shape: ProbeShape, first: int, most: int, levels: Levels, rng: np.random.Generator) -> Power:
    """Say what a study would see of a trait.

    Args:
        shape: How the trait is measured.
        first: Seeds of an arm at first.
        most: Seeds that an arm may get.
        levels: How sure each test has to be.
        rng: Source of the simulated studies.

    Returns:
        The smallest differences and shares, and what would make them smaller.
    """
    visible: list[Visible] = []
    for students, spread in REGIMES.items():
        small = smallest_difference(shape, first, levels, spread, rng) if first != most else None
        if first != most:
            visible.append(Visible(students, first, small, {}, {}))
        large = smallest_difference(shape, most, levels, spread, rng)
        # What fewer seeds show, more seeds show: the rest is the noise of the simulation.
        large = small if large is None or (small is not None and small < large) else large
        causes, places = (
            {d: smallest_share(shape, most, levels, spread, d, of, rng) for d in SIZES}
            for of in (MOST, LOCATED)
        )
        visible.append(Visible(students, most, large, causes, places))
    agree = REGIMES["agree"]
    doubled = shape.repeated(2)
    return Power(
        scenarios=sum(shape.sizes),
        clusters=len(shape.sizes),
        samples=shape.samples,
        visible=tuple(visible),
        needed_seeds=needed_seeds(shape, levels),
        needed_clusters=needed_clusters(shape, most, levels),
        more_seeds=(2 * most, smallest_difference(shape, 2 * most, levels, agree, rng)),
        more_clusters=(len(doubled.sizes), smallest_difference(doubled, most, levels, agree, rng)),
    )


def smallest_difference(
    shape: ProbeShape, seeds: int, levels: Levels, spread: float, rng: np.random.Generator
) -> float | None:
    """Return the smallest difference between the pipelines that would be shown in four of five studies.

    Args:
        shape: How the trait is measured.
        seeds: Students of either pipeline.
        levels: How sure each test has to be.
        spread: Standard deviation between students of an arm, in logits.
        rng: Source of the simulated studies.

    Returns:
        A share of the scale, to a hundredth; None where not even a difference of the whole scale would be.
    """
    if not _shown_at_best(shape, seeds, _difference(levels)):
        return None

    def shown(study: SimulatedStudy, percent: int) -> bool:
        fit = study.fit(_pipelines(percent / _PERCENT))
        seen = fit.levels[fit.index["original"]] - fit.levels[fit.index["alternate"]]
        return bool(seen >= SMALLEST_EFFECT) and _beyond(fit, _difference(levels))

    studies = simulated_studies(shape, seeds, ("alternate", "original"), spread, rng)
    return _smallest(studies, shown, round(_PERCENT * SMALLEST_EFFECT))


def smallest_share(
    shape: ProbeShape,
    seeds: int,
    levels: Levels,
    spread: float,
    difference: float,
    of: float,
    rng: np.random.Generator,
) -> float | None:
    """Return the smallest share of a difference that would be shown to be more than a given one.

    Args:
        shape: How the trait is measured.
        seeds: Students of every arm.
        levels: How sure each test has to be.
        spread: Standard deviation between students of an arm, in logits.
        difference: The difference between the pipelines, a share of the scale above 0.
        of: The share to exceed: `MOST` for a cause, `LOCATED` for a location.
        rng: Source of the simulated studies.

    Returns:
        A share of the difference, to a hundredth; None where not even all of it would be shown to be.
    """
    test = _share(levels, of)
    if difference <= 0 or not _shown_at_best(shape, seeds, test):
        return None

    def shown(study: SimulatedStudy, percent: int) -> bool:
        ends = _pipelines(difference)
        part = ends["alternate"] + difference * percent / _PERCENT
        return _beyond(study.fit({**ends, "without": ends["alternate"], "part": part}), test)

    arms = ("alternate", "original", "part", "without")
    return _smallest(simulated_studies(shape, seeds, arms, spread, rng), shown, round(_PERCENT * of))


def _difference(levels: Levels) -> OpenTest:
    """The test by which two pipelines are shown to differ (`state.trait_state`)."""
    return OpenTest(TOTAL, levels.family / 2, levels.family / 2)


def _share(levels: Levels, of: float) -> OpenTest:
    """The tests of a hypothesis' prediction (`findings`) and of a location (`location`)."""
    excess = combine([(1.0, PART), (-of, TOTAL)])
    if of == MOST:
        return OpenTest(excess, levels.support, levels.agreement)
    return OpenTest(excess, levels.family / 2, levels.family / 2)


def _beyond(fit: Fit, test: OpenTest) -> bool:
    ends = fit.estimate([test.weights])[0].interval(1 - 2 * test.level, test.agreement)
    return ends is not None and ends[0] > 0


def _pipelines(difference: float) -> dict[str, float]:
    low = min(LOW, 1 - difference)
    return {"alternate": low, "original": low + difference}


def _smallest(
    studies: list[SimulatedStudy], shown: Callable[[SimulatedStudy, int], bool], least: int
) -> float | None:
    """Return the smallest value, in hundredths above `least`, that is shown in four of five studies.

    The same random numbers serve all values, so that a study that shows a value shows the greater ones, too:
    of each value only the studies need a look that the values before leave open.
    """
    wanted = math.ceil(SEEN * len(studies))
    open_: list[SimulatedStudy] = []
    for place, study in enumerate(studies):
        if shown(study, _PERCENT):
            open_.append(study)
        elif place + 1 - len(open_) > len(studies) - wanted:
            return None  # too many that show nothing: the others cannot make up for them
    low, high, below = least, _PERCENT, _NONE_SHOWN
    while high - low > 1:
        middle = (low + high) // 2
        seen = [study for study in open_ if shown(study, middle)]
        if below + len(seen) >= wanted:
            high, open_ = middle, seen
        else:
            low, below = middle, below + len(seen)
            taken = set(map(id, seen))
            open_ = [study for study in open_ if id(study) not in taken]
    return high / _PERCENT


def _shown_at_best(shape: ProbeShape, seeds: int, test: OpenTest) -> bool:
    """Return whether students that all agree would show it: original and part at 1, the others at 0."""
    if seeds < 2 or len(shape.sizes) < 2:
        return False
    arms = tuple(sorted(test.weights))
    high = np.array([arm in ("original", "part") for arm in arms], dtype=np.float64)
    hits = np.broadcast_to(high[:, None, None], (len(arms), seeds, sum(shape.sizes)))
    return _beyond(Fit(panel_of(shape, arms, hits)), test)


def needed_seeds(shape: ProbeShape, levels: Levels) -> dict[str, int | None]:
    """Return the fewest seeds with which the greatest difference, cause and location would be shown.

    Args:
        shape: How the trait is measured.
        levels: How sure each test has to be.

    Returns:
        By `difference`, `cause` and `location`; None: not with `MOST_SEEDS`, for lack of clusters.
    """
    tests = {
        "difference": _difference(levels),
        "cause": _share(levels, MOST),
        "location": _share(levels, LOCATED),
    }
    return {name: _fewest(2, MOST_SEEDS, partial(_with_seeds, shape, test)) for name, test in tests.items()}


def _with_seeds(shape: ProbeShape, test: OpenTest, seeds: int) -> bool:
    return _shown_at_best(shape, seeds, test)


def needed_clusters(shape: ProbeShape, seeds: int, levels: Levels) -> int | None:
    """Return the fewest clusters of scenarios with which the greatest difference would be shown.

    Args:
        shape: How the trait is measured; further clusters have its mean size.
        seeds: Students of either pipeline.
        levels: How sure each test has to be.

    Returns:
        The number; None: so few students show nothing, whatever the clusters.
    """
    size = max(1, round(sum(shape.sizes) / max(1, len(shape.sizes))))

    def enough(clusters: int) -> bool:
        return _shown_at_best(ProbeShape((size,) * clusters, shape.samples), seeds, _difference(levels))

    return _fewest(2, MOST_CLUSTERS, enough)


def _fewest(least: int, most: int, enough: Callable[[int], bool]) -> int | None:
    """Return the least number that is enough; more than enough is enough as well."""
    if not enough(most):
        return None
    while least < most:
        middle = (least + most) // 2
        if enough(middle):
            most = middle
        else:
            least = middle + 1
    return most
