"""The search for carriers: a screen of all prompts by clusters, then a line-up of the features that may mark
them.

Each student is trained on a random assignment of the two teachers to groups of prompts, so that it informs
about all of them at once; the last round's outcome decides what the next one asks. Which students there are
does not depend on how many workers train them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mendel.diagnose.locate.clusters import Features
from mendel.diagnose.locate.ranking import Observation, rank
from mendel.diagnose.locate.screening import balanced_design
from mendel.diagnose.locate.splits import Split
from mendel.diagnose.locate.suspects import Lineup, Standing, line_up

LEAST = 0.1
"""A cluster that is less likely to carry a part of the effect is left behind."""
SATURATED = 0.85
"""Median level of students in which half of the prompts are the original teacher's: above, a part of any half
is enough.
"""
USABLE = 0.6
"""Share of a screen's students that has to be usable: with fewer, the clusters are told apart by chance."""
SETTLED = 0.97
"""The line-up ends when what is found is held to be as like as this to what carries."""


@dataclass(frozen=True)
class SearchPlan:
    """How much is spent."""

    clusters: int = 16
    screened: int = 14
    """Students of the screen."""
    shares: tuple[float, ...] = (0.5, 0.15)
    """Share of the clusters that the original teacher answers in the screen.

    The next one where the first shows the trait in all.
    """
    batch: int = 4
    """Students of a round of the line-up: few, so that the next ones can be better chosen.

    Not one, so that workers have work.
    """
    budget: int = 30
    """Students of the whole search at most: a second screen leaves the line-up fewer."""


@dataclass(frozen=True)
class Round:
    """What one round found."""

    kind: str
    """`screen` or `line-up`."""
    students: int
    """As many as were asked for; those that broke are not among the levels."""
    reads: str
    levels: tuple[tuple[float, float], ...]
    """By student: the share of the prompts that were the original teacher's, and how much of the effect it
    shows.
    """


@dataclass
class Search:
    """A search under way: `propose` says which students to train, `learn` takes their levels, until
    `finished`.
    """

    features: Features
    splits: Sequence[Split]
    plan: SearchPlan = field(default_factory=SearchPlan)
    seed: int = 0
    rounds: list[Round] = field(default_factory=list)
    virulent: bool = False
    """Whether even small random parts of the original teacher's rollouts bring the whole trait."""
    broken: bool = False
    """Whether too few of a screen's students were usable."""

    def __post_init__(self) -> None:
        everything = frozenset(self.features.ids)
        self.observations = [Observation(frozenset(), 0.0), Observation(everything, 1.0)]
        self.groups = self.features.split(self.features.ids, self.plan.clusters, self.seed)
        self.lineup: Lineup | None = None
        self.standing: Standing | None = None
        self._screens = 0
        self._asked = self._pending = 0
        self._over = False

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to ask."""
        return self._over

    @property
    def found(self) -> tuple[str, ...]:
        """The prompts that are held to carry the trait, in the features' order.

        None where no part of them does.
        """
        if self.lineup is None or self.standing is None:
            return ()
        chances = self.lineup.carriers(self.standing)
        held = {p for p, chance in zip(self.lineup.ids, chances, strict=True) if chance >= 0.5}
        return tuple(prompt_id for prompt_id in self.features.ids if prompt_id in held)

    @property
    def mark(self) -> str:
        """The feature that most likely marks the carriers within the clusters that may carry it, in words.

        '' before the line-up.
        """
        if self.lineup is None or self.standing is None:
            return ""
        return self.lineup.suspects[int(self.standing.chances.argmax())].name

    def propose(self) -> list[frozenset[str]]:
        """Return the prompts that the original teacher answers in each of the round's students.

        The alternate one answers the rest.
        """
        rng = np.random.default_rng([self.seed, len(self.rounds)])
        if self.lineup is not None and self.standing is not None:
            asked = self.lineup.telling(self.standing, min(self.plan.batch, self._left), rng)
        else:
            share = self.plan.shares[self._screens]
            design = balanced_design(self.plan.screened, len(self.groups), rng, share)
            asked = [
                frozenset(p for group, on in zip(self.groups, row, strict=True) if on for p in group)
                for row in design
            ]
        self._pending = len(asked)
        self._asked += len(asked)
        return asked

    def learn(self, seen: Sequence[Observation]) -> None:
        """Take the usable ones of the round's students with their levels (0: as the alternate teacher's, 1:
        as the original's).
        """
        if self.lineup is None:
            self._screened(seen)
        else:
            self._lined_up(seen)

    @property
    def _left(self) -> int:
        return self.plan.budget - self._asked

    def _screened(self, seen: Sequence[Observation]) -> None:
        self._screens += 1
        if len(seen) < USABLE * self._pending:
            self._over = self.broken = True
            self._note("screen", seen, f"only {len(seen)} of {self._pending} students are usable")
            return
        middle = float(np.median([o.level for o in seen]))
        if middle > SATURATED:
            # Who has half of the prompts has enough carriers, whichever half it is: nothing tells the
            # clusters apart, so these students, and the one that has all, say nothing to a model in which
            # carriers add up.
            self.observations = self.observations[:1]
            self._note("screen", seen, f"a middle student shows {middle:.0%} of the effect")
            self.virulent = self._screens == len(self.plan.shares)
            self._over = self.virulent or self._left < self.plan.screened
            return
        self.observations += seen
        ranking = rank(self.groups, self.observations)
        chances = zip(self.groups, ranking.chances, strict=True)
        kept = [group for group, chance in chances if chance >= LEAST]
        prompts = sum(map(len, kept))
        self._note(
            "screen", seen, f"{len(kept)} of {len(self.groups)} clusters may carry it, {prompts} prompts"
        )
        if not kept:
            self._over = True
            return
        self.lineup = line_up(kept, self.splits)
        self.standing = self.lineup.judge(self.observations)
        self._over = self._left < 1

    def _lined_up(self, seen: Sequence[Observation]) -> None:
        assert self.lineup is not None, "the screen made it"
        self.observations += seen
        self.standing = self.lineup.judge(self.observations)
        self._note("line-up", seen, f"{len(self.found)} prompts, marked by: {self.mark}")
        self._over = self._left < 1 or self.lineup.settled(self.standing) >= SETTLED

    def _note(self, kind: str, seen: Sequence[Observation], reads: str) -> None:
        count = len(self.features.ids)
        levels = tuple((len(o.original) / count, o.level) for o in seen)
        self.rounds.append(Round(kind, self._pending, reads, levels))
