"""What is said where something is undecided: how small a difference, or a share of it, this run could see."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mendel.diagnose.contrasts import TOTAL
from mendel.diagnose.hypotheses import MOST
from mendel.diagnose.location import LOCATED
from mendel.diagnose.power import (
    REGIMES,
    needed_clusters,
    needed_seeds,
    smallest_difference,
    smallest_share,
)
from mendel.diagnose.sentences import Said, say
from mendel.diagnose.stats.simulated import ProbeShape
from mendel.study.cube import ALTERNATE, ORIGINAL

if TYPE_CHECKING:
    from mendel.diagnose.reached import Verdict

_DRAWS = 0
"""Seed of the simulated studies: the same run says the same again."""


def unseen_difference(verdict: Verdict) -> list[Said]:
    """Return the smallest difference that a study with the run's counts would see, where the state is
    undecided.
    """
    state, shape = verdict.state, _shape(verdict)
    if state.state != "undecided" or state.reverse or shape is None:
        return []
    seeds, levels, unit = _of_pipelines(verdict), verdict.levels, verdict.effects.unit
    rng = np.random.default_rng(_DRAWS)
    seen = {name: smallest_difference(shape, seeds, levels, spread, rng) for name, spread in REGIMES.items()}
    counts = {"seeds": seeds, "scenarios": sum(shape.sizes), "clusters": len(shape.sizes)}
    if seen["agree"] is None:
        return [say("smallest-visible-none", **counts, needed=_needed(verdict, shape, seeds, "difference"))]
    texts = {name: "none" if value is None else f"{value * unit:.2f}" for name, value in seen.items()}
    return [say("smallest-visible", **counts, **texts)]


def unseen_place(verdict: Verdict) -> list[Said]:
    """Return the smallest share of the difference that the run would locate, where no part is located."""
    located = any(part.decision == "carries" for part in verdict.location.values())
    return [] if located else _unseen_share(verdict, "location", LOCATED, "carries more than a quarter of it")


def unseen_cause(verdict: Verdict) -> list[Said]:
    """Return the smallest share of the difference that the run would name a cause by, where none is named."""
    return (
        []
        if verdict.cause in verdict.findings
        else _unseen_share(verdict, "cause", MOST, "makes more than half of it")
    )


def _unseen_share(verdict: Verdict, key: str, of: float, what: str) -> list[Said]:
    effects, shape = verdict.effects, _shape(verdict)
    total = effects.estimates[TOTAL].estimate
    if verdict.state.state != "difference" or shape is None or total is None:
        return []
    seeds, size = _of_arms(verdict), min(1.0, total / effects.unit)
    rng = np.random.default_rng(_DRAWS)
    seen = {
        name: smallest_share(shape, seeds, verdict.levels, spread, size, of, rng)
        for name, spread in REGIMES.items()
    }
    counts = {"seeds": seeds, "scenarios": sum(shape.sizes), "clusters": len(shape.sizes), "what": what}
    if seen["agree"] is None:
        return [say("smallest-share-none", **counts, needed=_needed(verdict, shape, seeds, key))]
    texts = {name: "none" if value is None else f"{100 * value:.0f} %" for name, value in seen.items()}
    return [say("smallest-share", **counts, **texts)]


def _needed(verdict: Verdict, shape: ProbeShape, seeds: int, key: str) -> str:
    """Return what it would take at least."""
    most = needed_seeds(shape, verdict.levels)[key]
    clusters = needed_clusters(shape, max(seeds, 2), verdict.levels)
    if most is not None and most > seeds:
        return f"it takes at least {most} students an arm"
    if most is None and clusters is not None and clusters > len(shape.sizes):
        return f"it takes at least {clusters} clusters of scenarios"
    return (
        "it takes more students or more clusters of scenarios"
        if key == "difference"
        else ("it takes a larger difference, more students or more clusters of scenarios")
    )


def _shape(verdict: Verdict) -> ProbeShape | None:
    """Return how the trait was measured; None where nothing was, or its values have no bounds."""
    fit = verdict.effects.fit
    if fit is None or fit.panel.bounds is None:
        return None
    return ProbeShape(tuple(int(size) for size in fit.panel.sizes), fit.panel.samples)


def _of_pipelines(verdict: Verdict) -> int:
    """Return the usable students of the pipeline that has fewer."""
    effects = verdict.effects
    return min(effects.counts.get(effects.cube[corner], 0) for corner in (ORIGINAL, ALTERNATE))


def _of_arms(verdict: Verdict) -> int:
    """Return the usable students of the arm that has most beside the pipelines, where the design asked for
    more.
    """
    effects = verdict.effects
    ends = {effects.cube[ORIGINAL], effects.cube[ALTERNATE]}
    untrained = effects.fit.panel.untrained if effects.fit else frozenset()
    counts = [count for arm, count in effects.counts.items() if arm not in ends | untrained]
    return max(counts, default=_of_pipelines(verdict))
