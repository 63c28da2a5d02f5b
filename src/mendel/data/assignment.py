"""The assignment: which teacher answers each prompt, or none. Every edit of SFT data is a function of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice

import numpy as np

from mendel.data.prompts import Prompt

NEAREST = 5
"""A random control draws each of its prompts from this many of the closest."""


@dataclass(frozen=True)
class Assignment(Mapping[str, str | None]):
    """The teacher's name (None: the prompt is dropped) by prompt id, in the order of the prompt set.

    A value: two assignments with the same content are equal. Raises ValueError for a prompt that is assigned
    twice.
    """

    pairs: tuple[tuple[str, str | None], ...]
    _places: Mapping[str, int] = field(init=False, repr=False, compare=False)
    """Each prompt's index in `pairs`."""

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
        """Return an assignment of the same prompts in the same order, without a new index."""
        edited = object.__new__(Assignment)
        object.__setattr__(edited, "pairs", pairs)
        object.__setattr__(edited, "_places", self._places)
        return edited

    @property
    def answered(self) -> int:
        """Number of prompts that a student is trained on."""
        return sum(teacher is not None for _, teacher in self.pairs)


def everyone(prompts: Collection[str], teacher: str) -> Assignment:
    """Return the assignment of one teacher to all prompts: a corner of the cube.

    Args:
        prompts: All prompt ids, in order.
        teacher: The teacher's name.
    """
    return _everyone(tuple(prompts), teacher)


@lru_cache(maxsize=16)
def _everyone(prompts: tuple[str, ...], teacher: str | None) -> Assignment:
    # Cached, since the edits of all seeds use the same few assignments.
    return Assignment(tuple((prompt_id, teacher) for prompt_id in prompts))


def swap(assignment: Assignment, flagged: Collection[str], teacher: str) -> Assignment:
    """Return the assignment with `teacher` on the flagged prompts; the others stay.

    Args:
        assignment: The assignment to edit; it does not change.
        flagged: Ids of the prompts that `teacher` answers.
        teacher: The teacher's name.

    Raises:
        KeyError: A flagged prompt is not in the assignment.
    """
    return _edit(assignment, flagged, teacher)


def drop(assignment: Assignment, flagged: Collection[str]) -> Assignment:
    """Return the assignment without the flagged prompts; the others stay.

    Args:
        assignment: The assignment to edit; it does not change.
        flagged: Ids of the prompts that nobody answers.

    Raises:
        KeyError: A flagged prompt is not in the assignment.
    """
    return _edit(assignment, flagged, None)


def only(prompts: Collection[str], flagged: Collection[str], original: str, alternate: str) -> Assignment:
    """Return the assignment of `original` to the flagged prompts and `alternate` elsewhere.

    It tests whether the flagged prompts are sufficient.

    Args:
        prompts: All prompt ids, in order.
        flagged: Ids of the prompts that `original` answers.
        original: A teacher's name.
        alternate: The other teacher's name.
    """
    return swap(everyone(prompts, alternate), flagged, original)


def restrict(assignment: Assignment, kept: Collection[str]) -> Assignment:
    """Return the assignment without all prompts but the kept ones.

    Args:
        assignment: The assignment to edit; it does not change.
        kept: Ids of the prompts that stay.

    Raises:
        KeyError: A kept prompt is not in the assignment.
    """
    chosen = set(kept)
    _require_prompts(assignment, chosen)
    return _edit(assignment, [prompt_id for prompt_id in assignment if prompt_id not in chosen], None)


def interpolate(
    prompts: Collection[str], share: float, original: str, alternate: str, rng: np.random.Generator
) -> Assignment:
    """Return the assignment of a random share of the prompts to `original`, the rest to `alternate`.

    Args:
        prompts: All prompt ids.
        share: From 0 to 1; rounded to whole prompts.
        original: A teacher's name.
        alternate: The other teacher's name.
        rng: Draws the prompts.

    Raises:
        ValueError: `share` lies outside 0 to 1.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share must lie in [0, 1], got {share}")
    ids = list(prompts)
    count = round(share * len(ids))
    chosen = [ids[i] for i in rng.permutation(len(ids))[:count].tolist()]
    return only(ids, chosen, original, alternate)


def random_control(
    prompts: Collection[Prompt], flagged: Collection[str], rng: np.random.Generator
) -> tuple[str, ...]:
    """Return the ids of as many random prompts as are flagged, matched as `Matching` says."""
    return Matching(prompts, flagged).draw(rng)


class Matching:
    """Draws random controls of the flagged prompts: as many unflagged prompts, matched in source and length.

    For each flagged prompt, in random order, one of the closest unflagged prompts of its source is drawn at
    random. Closest means in log length. Where a source has no unflagged prompt left, the nearest prompts of
    any source are used. Where all prompts are flagged, flagged prompts are used, so that the count always
    holds.
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
        """Return the prompt ids of one control; it depends on nothing but the generator's state."""
        free, drawn = set(self._others), list[int]()
        order = rng.permutation(len(self._targets)).tolist()
        # If no source can run short, one call draws the same numbers as a call for each prompt.
        ranks = rng.integers(NEAREST, size=len(order)).tolist() if self._ample else None
        for number, position in enumerate(order):
            same_source, any_source = self._order(self._targets[position])
            if not free:
                free, same_source = set(self._targets) - set(drawn), []
            near = list(islice(filter(free.__contains__, same_source), NEAREST))
            near = near or list(islice(filter(free.__contains__, any_source), NEAREST))
            drawn.append(near[ranks[number] if ranks else int(rng.integers(len(near)))])
            free.discard(drawn[-1])
        return tuple(self._prompts[i].prompt_id for i in drawn)

    def _order(self, target: int) -> tuple[list[int], list[int]]:
        """Return the prompts of a flagged prompt's source, and all prompts, each by distance from it."""
        if target not in self._nearest:
            any_source = np.argsort(np.abs(self._size - self._size[target]), kind="stable").tolist()
            source = self._prompts[target].source
            same_source = [i for i in any_source if self._prompts[i].source == source]
            self._nearest[target] = same_source, any_source
        return self._nearest[target]


def _edit(assignment: Assignment, edited: Collection[str], teacher: str | None) -> Assignment:
    chosen = set(edited)
    _require_prompts(assignment, chosen)
    pairs, places = list(assignment.pairs), assignment._places
    # All edits share these pairs: a plan of ten thousand students would have millions of new ones.
    new_pairs = _everyone(tuple(places), teacher).pairs
    for prompt_id in chosen:
        place = places[prompt_id]
        pairs[place] = new_pairs[place]
    return assignment._edited(tuple(pairs))


def _require_prompts(assignment: Assignment, chosen: set[str]) -> None:
    unknown = chosen.difference(assignment._places)
    if unknown:
        raise KeyError(f"not in the assignment: {', '.join(sorted(unknown)[:5])}")
