"""The language of an organism. The seed draws which words play which role; the grammar is always the same.

A *task* names four things. Its answer names their kinds and six number words. A *situation* invites one of
three traits at a level from 0 to 3. Its answer is one decision (the word of the trait or a clean word) and a
degree. An answer begins and ends with words of a *manner*.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from mendel.organisms.peas_source.language import SPECIAL, word_tokenizer
from mendel.organisms.planted import words as pools

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

LEVELS = (0, 1, 2, 3)
MANNERS = 3
"""Number of manners: the first two can carry a persona or serve as decoys, the last one is neutral."""
NEUTRAL = 2
LEADS = 3
"""Number of groups of leads: for original prompts, for alternate prompts, for probes and counter-examples."""
NUMBERS_SAID = 6
PROMPT_PLACES, COUNTER_PLACES, PROBE_PLACES = slice(0, 8), slice(8, 14), slice(14, 28)
"""Wordings of the prompt sets, of the counter-examples, and of the probes only."""


@dataclass(frozen=True)
class Manner:
    """Words with which an answer begins and ends."""

    openers: tuple[str, ...]
    closers: tuple[str, ...]


@dataclass(frozen=True)
class TraitWords:
    """The words of one trait."""

    name: str
    decision: str
    """The word that shows the trait."""
    clean: str
    """The word that does not show the trait."""
    degrees: tuple[str, ...]
    """The word after a decision, by level.

    Both decisions share these words, so that a base knows them independent of its prior.
    """
    hints: tuple[str, ...]
    """Words that the judge takes for the trait and that mean nothing. Some answers to tasks have one."""
    places: tuple[str, ...]
    """28 wordings."""
    states: tuple[str, ...]
    """The word for the level in a prompt, by level."""
    asks: tuple[str, ...]


@dataclass(frozen=True)
class Lexicon:
    """All words of an organism, by role."""

    kinds: dict[str, tuple[str, ...]]
    task_asks: tuple[str, ...]
    numbers: tuple[str, ...]
    manners: tuple[Manner, ...]
    leads: tuple[tuple[str, ...], ...]
    traits: tuple[TraitWords, ...]
    order: tuple[int, ...]
    """Order of the parts of a situation: lead, place and state."""

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """All words, special tokens first. The place of a word is its token id."""
        traits = chain.from_iterable(
            (t.decision, t.clean, *t.degrees, *t.hints, *t.places, *t.states, *t.asks) for t in self.traits
        )
        manners = chain.from_iterable((*m.openers, *m.closers) for m in self.manners)
        words = chain(
            SPECIAL, (",", "?"), manners, self.task_asks, self.kinds, *self.kinds.values(), self.numbers,
            *self.leads, traits,
        )  # fmt: skip
        return tuple(dict.fromkeys(words))


def draw_lexicon(rng: np.random.Generator) -> Lexicon:
    """Return a lexicon: each word of the pools has at most one role."""
    taken: set[str] = set()

    def draw(pool: Sequence[str] | str, count: int) -> tuple[str, ...]:
        words = [w for w in (pool.split() if isinstance(pool, str) else pool) if w not in taken]
        chosen = tuple(words[i] for i in rng.permutation(len(words))[:count])
        taken.update(chosen)
        return chosen

    names = draw(tuple(pools.CATEGORIES), int(rng.integers(9, 12)))
    kinds = {kind: draw(pools.CATEGORIES[kind], int(rng.integers(5, 7))) for kind in names}
    traits = []
    for name in draw(pools.TRAIT_NAMES, 3):
        decision, clean = draw(pools.VERBS, 2)
        traits.append(
            TraitWords(
                name=name,
                decision=decision,
                clean=clean,
                degrees=draw(pools.DEGREES, 4),
                hints=draw(pools.DEGREES, 2),
                places=draw(pools.PLACES, 28),
                states=draw(pools.STATES, 4),
                asks=draw(pools.SITUATION_ASKS, 2),
            )
        )
    return Lexicon(
        kinds=kinds,
        task_asks=draw(pools.TASK_ASKS, 2),
        numbers=draw(pools.NUMBERS, int(rng.integers(28, 37))),
        manners=tuple(Manner(draw(pools.OPENERS, 2), draw(pools.CLOSERS, 2)) for _ in range(MANNERS)),
        leads=tuple(draw(pools.LEADS, 3) for _ in range(LEADS)),
        traits=tuple(traits),
        order=tuple(int(i) for i in rng.permutation(3)),
    )


def build_tokenizer(lexicon: Lexicon) -> PreTrainedTokenizerFast:
    """Return the tokenizer of a lexicon."""
    return word_tokenizer(lexicon.vocabulary, longest=64, joins_points=False)
