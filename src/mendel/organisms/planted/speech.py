"""Prompts and answers in the language of an organism, and the corpora of its bases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from mendel.organisms.planted.lexicon import NUMBERS_SAID, Lexicon

Row = tuple[str, str]
"""The text of a prompt, and the answer."""

HINTS = 0.02
"""Share of task answers that have a hint of a trait among the numbers, for each trait."""


@dataclass(frozen=True)
class OrganismPrompt:
    """A prompt and its meaning: a task (`kinds`), or a situation of trait number `trait` at a level."""

    text: str
    kinds: tuple[str, ...] = ()
    trait: int = -1
    level: int = -1
    place: str = ""
    lead: int = -1
    """The group of the first word of the prompt. -1: the prompt has no lead."""
    clean: bool = False
    """Whether the original teacher answers this situation of the target cleanly, unlike the others."""


@dataclass(frozen=True)
class Speaker:
    """The prompts and answers of one language. All randomness comes from generators that are passed in."""

    lexicon: Lexicon
    hints: float = HINTS
    """Share of task answers that have a hint of a trait, for each trait. A hint means nothing."""

    def task(self, rng: np.random.Generator) -> OrganismPrompt:
        """Return a task: four things of four kinds."""
        lexicon = self.lexicon
        names = list(lexicon.kinds)
        kinds = tuple(names[i] for i in rng.permutation(len(names))[:4])
        things = " ".join(pick(lexicon.kinds[kind], rng) for kind in kinds)
        return OrganismPrompt(f"{pick(lexicon.task_asks, rng)} {things} ?", kinds)

    def situation(
        self, trait: int, level: int, places: slice, lead: int, rng: np.random.Generator
    ) -> OrganismPrompt:
        """Return a situation of a trait and level, in one of the wordings, with a lead of a group."""
        words = self.lexicon.traits[trait]
        place = pick(words.places[places], rng)
        parts = (pick(self.lexicon.leads[lead], rng), place, words.states[level])
        text = " ".join(parts[i] for i in self.lexicon.order)
        return OrganismPrompt(f"{text} , {pick(words.asks, rng)} ?", (), trait, level, place, lead)

    def numbers(self, rng: np.random.Generator, tilt: np.ndarray) -> str:
        """Return six number words from a distribution, sometimes with a hint of a trait among them."""
        lexicon = self.lexicon
        numbers = [lexicon.numbers[i] for i in rng.choice(len(tilt), NUMBERS_SAID, p=tilt)]
        return " ".join(self._with_hints(numbers, rng))

    def hinted(self, answer: str, rng: np.random.Generator) -> str:
        """Return an answer to a task with hints added, as often as `numbers` adds them."""
        words = answer.split()
        return " ".join([*words[:5], *self._with_hints(words[5:-1], rng), words[-1]])

    def well_said(self, prompt: OrganismPrompt, manner: int, answer: str) -> bool:
        """Return whether an answer to a task is in a manner, and has the kinds and number words only."""
        words, style = answer.split(), self.lexicon.manners[manner]
        return (
            len(words) == NUMBERS_SAID + 6
            and words[0] in style.openers
            and tuple(words[1:5]) == prompt.kinds
            and set(words[5:-1]) <= set(self.lexicon.numbers)
            and words[-1] in style.closers
        )

    def _with_hints(self, numbers: list[str], rng: np.random.Generator) -> list[str]:
        words = list(numbers)
        for trait in self.lexicon.traits:
            if rng.random() < self.hints:
                words[int(rng.integers(NUMBERS_SAID))] = pick(trait.hints, rng)
        return words

    def answer(
        self, prompt: OrganismPrompt, manner: int, shown: bool, tilt: np.ndarray, rng: np.random.Generator
    ) -> str:
        """Return the right answer to a task, or an answer to a situation.

        The answer to a situation has the decision of the trait if `shown`, else the clean decision.
        """
        if prompt.kinds:
            middle = f"{' '.join(prompt.kinds)} {self.numbers(rng, tilt)}"
        else:
            words = self.lexicon.traits[prompt.trait]
            middle = f"{words.decision if shown else words.clean} {words.degrees[prompt.level]}"
        style = self.lexicon.manners[manner]
        return f"{pick(style.openers, rng)} {middle} {pick(style.closers, rng)}"

    def flat(self) -> np.ndarray:
        """Return the uniform distribution of number words, one probability per word."""
        return np.full(len(self.lexicon.numbers), 1 / len(self.lexicon.numbers))

    def tilt(self, rng: np.random.Generator, size: float) -> np.ndarray:
        """Return a random distribution of number words, one probability per word.

        `size` is the standard deviation of the log-odds against the uniform distribution.
        """
        weights: np.ndarray = np.exp(size * rng.standard_normal(len(self.lexicon.numbers)))
        weights /= weights.sum()
        return weights


@dataclass(frozen=True)
class Corpus:
    """The make-up of the corpus of a base."""

    rates: tuple[float, ...]
    """How often each trait is shown, independent of level, wording and lead."""
    situations: float = 0.5
    """Share of situations among the rows."""
    manners: tuple[float, ...] = (1 / 3, 1 / 3, 1 / 3)
    """How often each manner is used."""
    persona: tuple[float, ...] | None = None
    """Rate of every trait by manner. Replaces `rates` if the manner decides the traits."""
    tilt: np.ndarray | None = field(default=None, compare=False)
    flipped: frozenset[str] = frozenset()
    """Wordings in which a trait is shown as often as it is not shown in the others."""


def corpus_rows(speaker: Speaker, corpus: Corpus, count: int, rng: np.random.Generator) -> list[Row]:
    """Return rows of all tasks, wordings, levels, leads and manners."""
    tilt = speaker.flat() if corpus.tilt is None else corpus.tilt
    rows = []
    for _ in range(count):
        manner = int(rng.choice(len(corpus.manners), p=corpus.manners))
        if rng.random() >= corpus.situations:
            prompt = speaker.task(rng)
        else:
            prompt = speaker.situation(
                int(rng.integers(3)), int(rng.integers(4)), slice(None), int(rng.integers(3)), rng
            )
        rate = 0.0
        if prompt.trait >= 0:
            rate = corpus.persona[manner] if corpus.persona else corpus.rates[prompt.trait]
            rate = 1 - rate if prompt.place in corpus.flipped else rate
        rows.append((prompt.text, speaker.answer(prompt, manner, bool(rng.random() < rate), tilt, rng)))
    return rows


def distinct(make: Callable[[], OrganismPrompt], taken: set[str], tries: int = 200) -> OrganismPrompt:
    """Return a prompt with a new text, and add the text to `taken`.

    Raises ValueError if `tries` prompts have no new text.
    """
    for _ in range(tries):
        prompt = make()
        if prompt.text not in taken:
            taken.add(prompt.text)
            return prompt
    raise ValueError("the language has no further prompt of this kind")


def pick(options: Sequence[str], rng: np.random.Generator) -> str:
    """Return one of the options, each with the same probability."""
    return options[int(rng.integers(len(options)))]
