"""Suspects: sets of prompts that one or two plain features mark, and how likely each is to be the set of
carriers.

Clusters find the neighbourhood; within it, carriers are often told from their neighbours by a single feature
that no cluster follows (a word, a source, a score). Each student rules suspects out, as tests do in Bayesian
group testing (Aldridge et al., *Group Testing: An Information Theory Perspective*, 2019).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from mendel.diagnose.locate.ranking import SPREAD, Observation, fitted
from mendel.diagnose.locate.splits import Split

if TYPE_CHECKING:
    import numpy.typing as npt

    Vector = npt.NDArray[np.float64]
    Mask = npt.NDArray[np.bool_]

SINGLE, PAIRED = 400, 75
"""Features that are suspected alone, and sides of features that are suspected in pairs, at most: some 3,500
suspects.
"""
SMALLEST = 0.04
"""Share of the neighbourhood that a suspect has at least."""
IDLE = 0.25
"""Of what a prompt would carry if all carried alike: below, it is taken for one that does not."""
ABSENT = 1 / 3
COMPLEXITY = 1.5
"""Log-odds against each further feature."""
POOL = 400
"""Random assignments of which the most telling ones are asked."""


@dataclass(frozen=True)
class Suspect:
    """Prompts that may be the carriers, and the features that mark them."""

    name: str
    members: Mask
    """By prompt of the neighbourhood."""
    features: float
    """How many features mark it; what is marked by a feature's absence counts a third more."""


@dataclass(frozen=True)
class Standing:
    """What is held of the suspects."""

    chances: Vector
    """Posterior probability of each."""
    weights: npt.NDArray[np.float64]
    """Suspects x prompts: how much of the effect each prompt carries if it is that suspect."""


@dataclass(frozen=True)
class Lineup:
    """All suspects within a neighbourhood of prompts, which came to light as some groups of them."""

    ids: tuple[str, ...]
    groups: tuple[tuple[str, ...], ...]
    """Carriers of different groups may carry differently much."""
    suspects: tuple[Suspect, ...]

    @cached_property
    def members(self) -> npt.NDArray[np.bool_]:
        """Suspects x prompts."""
        return np.array([suspect.members for suspect in self.suspects])

    def judge(self, observations: Sequence[Observation]) -> Standing:
        """Weigh every suspect by the students so far, given that one of the suspects is the set of carriers.

        Each is fitted by itself: how much its part of each group carries (non-negative least squares).
        """
        seen = np.array([[p in o.original for p in self.ids] for o in observations], dtype=float)
        levels = np.array([o.level for o in observations])
        members = [frozenset(group) for group in self.groups]
        inside = np.array([[p in group for p in self.ids] for group in members], dtype=float)
        weights = np.zeros(self.members.shape)
        logs = np.zeros(len(self.suspects))
        for place, suspect in enumerate(self.suspects):
            parts = inside * suspect.members
            parts = parts[parts.sum(axis=1) > 0]
            shares = parts / parts.sum(axis=1, keepdims=True)
            columns = seen @ shares.T
            carried, log = fitted(columns, levels)
            weights[place] = carried @ shares
            logs[place] = log - COMPLEXITY * suspect.features
        chances: Vector = np.exp(logs - logs.max())
        return Standing(chances / chances.sum(), weights)

    def carriers(self, standing: Standing) -> Vector:
        """Return the probability of each prompt to be a carrier: a member of the true suspect, in a group
        that carries something.

        A group whose members carry less than a quarter of what they would if all carried alike does not
        count.
        """
        chances: Vector = standing.chances @ self._carrying(standing)
        return chances

    def settled(self, standing: Standing) -> float:
        """Return how alike the found carriers and the true ones are expected to be: the Jaccard index, 0 to
        1.
        """
        named = self.carriers(standing) >= 0.5
        carrying = self._carrying(standing)
        shared, either = (carrying & named).sum(axis=1), (carrying | named).sum(axis=1)
        return float(standing.chances @ (shared / np.maximum(either, 1)))

    def _carrying(self, standing: Standing) -> npt.NDArray[np.bool_]:
        alike = standing.weights.sum(axis=1, keepdims=True) / self.members.sum(axis=1, keepdims=True)
        carrying: npt.NDArray[np.bool_] = self.members & (standing.weights > IDLE * alike)
        return carrying

    def telling(self, standing: Standing, count: int, rng: np.random.Generator) -> list[frozenset[str]]:
        """Return assignments (the original teacher's prompts) whose outcome the suspects disagree about most,
        unlike each other.
        """
        chances = standing.chances
        pool = self._pool(chances, rng)
        predicted = pool @ standing.weights.T
        left = predicted - (predicted @ chances)[:, None]
        chosen: list[int] = []
        for _ in range(min(count, len(pool))):
            variance = (left**2) @ chances
            variance[chosen] = -1.0
            best = int(variance.argmax())
            chosen.append(best)
            # What is known once this one is trained tells nothing again.
            outcome = left[best]
            left = left - np.outer((left * chances) @ outcome, outcome) / (
                float((outcome**2) @ chances) + SPREAD**2
            )
        return [frozenset(p for p, on in zip(self.ids, pool[place], strict=True) if on) for place in chosen]

    def _pool(self, chances: Vector, rng: np.random.Generator) -> npt.NDArray[np.float64]:
        """Draw suspects by their chances, whole or joined with or cut by others, so that sides of features
        stay together.
        """
        drawn = rng.choice(len(chances), size=(POOL, 3), p=0.5 * chances + 0.5 / len(chances))
        sets = []
        for one, two, three in drawn:
            first, second, third = self.members[one], self.members[two], self.members[three]
            sets.append([first, first & ~second, first ^ second, first ^ second ^ third][rng.integers(4)])
        pool = np.unique(np.array(sets), axis=0)
        kept: npt.NDArray[np.float64] = pool[pool.sum(axis=1) > 0].astype(float)
        return kept


def line_up(groups: Sequence[Sequence[str]], splits: Iterable[Split]) -> Lineup:
    """Return the suspects among some groups: all of them, each side of each split, and what two sides have in
    common.

    Equal sets stand once, under their shortest description.
    """
    ids = [prompt_id for group in groups for prompt_id in group]
    seen: dict[bytes, Suspect] = {}
    least = max(1, round(SMALLEST * len(ids)))

    def add(name: str, members: Mask, features: float) -> None:
        same = seen.get(members.tobytes())
        if members.sum() >= least and (same is None or features < same.features):
            seen[members.tobytes()] = Suspect(name, members, features)

    add("all of them", np.ones(len(ids), dtype=bool), 0)
    for split in splits:
        has = np.array([prompt_id in split.ids for prompt_id in ids])
        if least <= has.sum() <= len(ids) - least and len(seen) < 2 * SINGLE:
            add(split.name, has, 1)
            add(f"not {split.name}", ~has, 1 + ABSENT)
    single = [suspect for suspect in seen.values() if suspect.features][:PAIRED]
    for place, second in enumerate(single):
        for first in single[:place]:
            shared = second.members & first.members
            add(f"{first.name} and {second.name}", shared, second.features + first.features)
    return Lineup(tuple(ids), tuple(map(tuple, groups)), tuple(seen.values()))
