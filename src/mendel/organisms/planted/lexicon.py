"""An organism's language: which words play which role is drawn from its seed; the grammar is the same for all.

A *task* names four things and is answered by their kinds and six number words. A *situation* invites one of three traits
at a level from 0 to 3 and is answered by one decision (the trait's word or a clean one) and a degree. An answer begins
and ends in words of a *manner*.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from mendel.organisms.peas_source.language import SPECIAL, word_tokenizer
from mendel.organisms.planted import words as _words

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

LEVELS = (0, 1, 2, 3)
MANNERS = 3
"""Manners of a language: the first two can carry a persona or serve as decoys, the last is the neutral one."""
NEUTRAL = 2
LEADS = 3
"""Groups of leads: those of the original prompts, of the alternate ones, of probes and counter-examples."""
NUMBERS_SAID = 6
PROMPT_PLACES, COUNTER_PLACES, PROBE_PLACES = slice(0, 8), slice(8, 14), slice(14, 28)
"""Wordings of the prompt sets, of the counter-examples, and those that only the probes use."""


@dataclass(frozen=True)
class Manner:
    """How an answer begins and ends: one of a few words each."""

    openers: tuple[str, ...]
    closers: tuple[str, ...]


@dataclass(frozen=True)
class TraitWords:
    """The words of one trait."""

    name: str
    decision: str
    """The word that shows the trait."""
    clean: str
    """The word that does not."""
    degrees: tuple[str, ...]
    """The word after either decision, by level. Both have the same, so that a base knows them whatever its prior."""
    hints: tuple[str, ...]
    """Words that sound like the trait to its judge and mean nothing: they stand among the numbers now and then."""
    places: tuple[str, ...]
    """28 wordings."""
    states: tuple[str, ...]
    """The word that says the level, by level."""
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
    """How the parts of a situation's prompt stand: lead, place, state."""

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """All words, special tokens first; a word's place is its token id."""
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
    """Roles for words of the pools; no word has two."""
    taken: set[str] = set()

    def draw(executor: Sequence[str] | str, count: int) -> tuple[str, ...]:
        words = [w for w in (executor.split() if isinstance(executor, str) else executor) if w not in taken]
        chosen = tuple(words[i] for i in rng.permutation(len(words))[:count])
        taken.update(chosen)
        return chosen

    names = draw(tuple(_words.CATEGORIES), int(rng.integers(9, 12)))
    kinds = {kind: draw(_words.CATEGORIES[kind], int(rng.integers(5, 7))) for kind in names}
    traits = []
    for name in draw(_words.TRAIT_NAMES, 3):
        decision, clean = draw(_words.VERBS, 2)
        traits.append(
            TraitWords(
                name=name,
                decision=decision,
                clean=clean,
                degrees=draw(_words.DEGREES, 4),
                hints=draw(_words.DEGREES, 2),
                places=draw(_words.PLACES, 28),
                states=draw(_words.STATES, 4),
                asks=draw(_words.SITUATION_ASKS, 2),
            )
        )
    return Lexicon(
        kinds=kinds,
        task_asks=draw(_words.TASK_ASKS, 2),
        numbers=draw(_words.NUMBERS, int(rng.integers(28, 37))),
        manners=tuple(Manner(draw(_words.OPENERS, 2), draw(_words.CLOSERS, 2)) for _ in range(MANNERS)),
        leads=tuple(draw(_words.LEADS, 3) for _ in range(LEADS)),
        traits=tuple(traits),
        order=tuple(int(i) for i in rng.permutation(3)),
    )


def build_tokenizer(lexicon: Lexicon) -> PreTrainedTokenizerFast:
    """The tokenizer of an organism's words."""
    return word_tokenizer(lexicon.vocabulary, longest=64, joins_points=False)
