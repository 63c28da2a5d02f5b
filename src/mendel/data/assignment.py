"""The assignment: for every prompt, which teacher answers it, or nobody. All edits of SFT data are functions of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice

import numpy as np

from mendel.data.prompts import Prompt

NEAREST = 5
"""Among so many of the closest prompts a random control draws."""


@dataclass(frozen=True)
class Assignment(Mapping[str, str | None]):
    """Teacher's name (None: dropped) by prompt id, in the order of the prompt set. A value: equal if its content is."""

    pairs: tuple[tuple[str, str | None], ...]
    _places: Mapping[str, int] = field(init=False, repr=False, compare=False)
    """Where each prompt stands in `pairs`."""

    def __post_init__(self) -> None:
        places = {prompt_id: place for place, (prompt_id, _) in enumerate(self.pairs)}
        if len(places) != len(self.pairs):
            raise ValueError("a prompt is assigned twice")
        object.__setattr__(self, "_places", places)

    def __getitem__(self, prompt_id: str) -> str | None:
        return self.pairs[self._places[prompt_id]][1]

    def __iter__(self) -> Iterator[str]:
        return (prompt_id for prompt_id, _ in self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    def __hash__(self) -> int:
        return hash(self.pairs)

    def _edited(self, pairs: tuple[tuple[str, str | None], ...]) -> Assignment:
        """The same prompts in the same places, which are not looked for again."""
        edited = object.__new__(Assignment)
        object.__setattr__(edited, "pairs", pairs)
        object.__setattr__(edited, "_places", self._places)
        return edited

    @property
    def answered(self) -> int:
        """How many prompts are trained on."""
        return sum(teacher is not None for _, teacher in self.pairs)


def everyone(prompts: Collection[str], teacher: str) -> Assignment:
    """One teacher for all prompts: a corner of the cube."""
    return _everyone(tuple(prompts), teacher)


@lru_cache(maxsize=16)
def _everyone(prompts: tuple[str, ...], teacher: str | None) -> Assignment:
    # Remembered, since the edits of all seeds come down to these few.
    return Assignment(tuple((prompt_id, teacher) for prompt_id in prompts))


def swap(assignment: Assignment, flagged: Collection[str], teacher: str) -> Assignment:
    """`teacher` answers the flagged prompts, everyone else stays. Raises KeyError for an unknown prompt."""
    return _edit(assignment, flagged, teacher)


def drop(assignment: Assignment, flagged: Collection[str]) -> Assignment:
    """Nobody answers the flagged prompts, everyone else stays. Raises KeyError for an unknown prompt."""
    return _edit(assignment, flagged, None)


def only(prompts: Collection[str], flagged: Collection[str], original: str, alternate: str) -> Assignment:
    """Is it sufficient? `original` on the flagged prompts, `alternate` elsewhere."""
    return swap(everyone(prompts, alternate), flagged, original)


def restrict(assignment: Assignment, kept: Collection[str]) -> Assignment:
    """Nobody answers any prompt but the kept ones. Raises KeyError for an unknown prompt."""
    chosen = set(kept)
    _known(assignment, chosen)
    return _edit(assignment, [prompt_id for prompt_id in assignment if prompt_id not in chosen], None)


def interpolate(
    prompts: Collection[str], share: float, original: str, alternate: str, rng: np.random.Generator
) -> Assignment:
    """`original` answers a random `share` (0 to 1, rounded to whole prompts), `alternate` the rest."""
    if not 0 <= share <= 1:
        raise ValueError(f"share must lie in [0, 1], got {share}")
    ids = list(prompts)
    count = round(share * len(ids))
    chosen = [ids[i] for i in rng.permutation(len(ids))[:count].tolist()]
    return only(ids, chosen, original, alternate)


def random_control(
    prompts: Collection[Prompt], flagged: Collection[str], rng: np.random.Generator
) -> tuple[str, ...]:
    """As many prompts as are flagged, drawn at random, matched in source and length; see `Matching`."""
    return Matching(prompts, flagged).draw(rng)


class Matching:
    """Draws random controls of the flagged prompts: as many unflagged ones, matched in source and length.

    For each flagged prompt (in random order) one of the closest unflagged prompts of its source is drawn: closest
    in log length, at random among the nearest. Where a source has no unflagged prompt left, the nearest of any
    source serves; where all prompts are flagged, flagged ones do, so that the count always holds.
    """

    def __init__(self, prompts: Collection[Prompt], flagged: Collection[str]) -> None:
        chosen = set(flagged)
        self._prompts = tuple(prompts)
        self._size = np.array([np.log1p(prompt.length) for prompt in self._prompts])
        self._targets = [i for i, prompt in enumerate(self._prompts) if prompt.prompt_id in chosen]
        self._others = [i for i, prompt in enumerate(self._prompts) if prompt.prompt_id not in chosen]
        self._nearest: dict[int, tuple[list[int], list[int]]] = {}
        spare = Counter(self._prompts[i].source for i in self._others)
        spare.subtract(Counter(self._prompts[i].source for i in self._targets))
        self._ample = all(spare[self._prompts[i].source] >= NEAREST for i in self._targets)

    def draw(self, rng: np.random.Generator) -> tuple[str, ...]:
        """The ids of one control; nothing but the generator's state makes two of them differ."""
        free, picked = set(self._others), list[int]()
        order = rng.permutation(len(self._targets)).tolist()
        # Where no source ever runs short, one call draws the same numbers as one for each.
        ranks = rng.integers(NEAREST, size=len(order)).tolist() if self._ample else None
        for number, position in enumerate(order):
            own, every = self._order(self._targets[position])
            if not free:
                free, own = set(self._targets) - set(picked), []
            near = list(islice(filter(free.__contains__, own), NEAREST))
            near = near or list(islice(filter(free.__contains__, every), NEAREST))
            picked.append(near[ranks[number] if ranks else int(rng.integers(len(near)))])
            free.discard(picked[-1])
        return tuple(self._prompts[i].prompt_id for i in picked)

    def _order(self, target: int) -> tuple[list[int], list[int]]:
        """The prompts of a flagged one's source, and all prompts, by their distance from it."""
        if target not in self._nearest:
            every = np.argsort(np.abs(self._size - self._size[target]), kind="stable").tolist()
            source = self._prompts[target].source
            self._nearest[target] = [i for i in every if self._prompts[i].source == source], every
        return self._nearest[target]


def _edit(assignment: Assignment, edited: Collection[str], teacher: str | None) -> Assignment:
    chosen = set(edited)
    _known(assignment, chosen)
    pairs, places = list(assignment.pairs), assignment._places
    # The same pairs for all edits, not new ones: a plan of ten thousand students has millions of them.
    theirs = _everyone(tuple(places), teacher).pairs
    for prompt_id in chosen:
        place = places[prompt_id]
        pairs[place] = theirs[place]
    return assignment._edited(tuple(pairs))


def _known(assignment: Assignment, chosen: set[str]) -> None:
    unknown = chosen.difference(assignment._places)
    if unknown:
        raise KeyError(f"not in the assignment: {', '.join(sorted(unknown)[:5])}")
