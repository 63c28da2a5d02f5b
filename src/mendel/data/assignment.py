"""The assignment: for every prompt, which teacher answers it, or nobody. All edits of SFT data are functions of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from mendel.data.prompts import Prompt


@dataclass(frozen=True)
class Assignment(Mapping[str, str | None]):
    """Teacher's name (None: dropped) by prompt id, in the order of the prompt set. A value: equal if its content is."""

    pairs: tuple[tuple[str, str | None], ...]
    _index: dict[str, str | None] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        index = dict(self.pairs)
        if len(index) != len(self.pairs):
            raise ValueError("a prompt is assigned twice")
        object.__setattr__(self, "_index", index)

    def __getitem__(self, prompt_id: str) -> str | None:
        return self._index[prompt_id]

    def __iter__(self) -> Iterator[str]:
        return (prompt_id for prompt_id, _ in self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    def __hash__(self) -> int:
        return hash(self.pairs)

    @property
    def answered(self) -> int:
        """How many prompts are trained on."""
        return sum(teacher is not None for _, teacher in self.pairs)


def everyone(prompts: Collection[str], teacher: str) -> Assignment:
    """One teacher for all prompts: a corner of the cube."""
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
    return Assignment(tuple((p, t if p in chosen else None) for p, t in assignment.pairs))


def interpolate(
    prompts: Collection[str], share: float, original: str, alternate: str, rng: np.random.Generator
) -> Assignment:
    """`original` answers a random `share` (0 to 1, rounded to whole prompts), `alternate` the rest."""
    if not 0 <= share <= 1:
        raise ValueError(f"share must lie in [0, 1], got {share}")
    ids = list(prompts)
    count = round(share * len(ids))
    chosen = [ids[i] for i in rng.permutation(len(ids))[:count]]
    return only(ids, chosen, original, alternate)


def random_control(
    prompts: Collection[Prompt], flagged: Collection[str], rng: np.random.Generator
) -> tuple[str, ...]:
    """As many prompts as are flagged, drawn at random, matched in source and length.

    For each flagged prompt (in random order) one of the closest unflagged prompts of its source is drawn: closest
    in log length, at random among the 5 nearest. Where a source has no unflagged prompt left, the nearest of any
    source serves; where all prompts are flagged, flagged ones do, so that the count always holds.
    """
    flagged_ids = set(flagged)
    targets = [prompt for prompt in prompts if prompt.prompt_id in flagged_ids]
    free = [prompt for prompt in prompts if prompt.prompt_id not in flagged_ids]
    chosen: list[str] = []
    for position in rng.permutation(len(targets)):
        target = targets[position]
        pool = [prompt for prompt in free if prompt.source == target.source] or free
        if not pool:
            pool = free = [p for p in targets if p.prompt_id not in chosen]
        distance = [abs(np.log1p(prompt.length) - np.log1p(target.length)) for prompt in pool]
        nearest = np.argsort(distance, kind="stable")[:5]
        pick = pool[int(rng.choice(nearest))]
        chosen.append(pick.prompt_id)
        free = [prompt for prompt in free if prompt.prompt_id != pick.prompt_id]
    return tuple(chosen)


def _edit(assignment: Assignment, flagged: Collection[str], teacher: str | None) -> Assignment:
    chosen = set(flagged)
    _known(assignment, chosen)
    return Assignment(tuple((p, teacher if p in chosen else t) for p, t in assignment.pairs))


def _known(assignment: Assignment, chosen: set[str]) -> None:
    unknown = chosen - set(assignment)
    if unknown:
        raise KeyError(f"not in the assignment: {', '.join(sorted(unknown)[:5])}")
