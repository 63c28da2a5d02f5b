"""Prompts and answers in an organism's language, and the corpora that its bases are pretrained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from mendel.organisms.planted.lexicon import NUMBERS_SAID, Lexicon

Row = tuple[str, str]
"""A prompt's text and its answer."""

DECOYS = 0.02
"""Share of task answers in which a hint of a given trait stands among the numbers."""


@dataclass(frozen=True)
class OrganismPrompt:
    """A prompt with what it means: a task (`kinds`) or a situation of trait number `trait` at a level."""

    text: str
    kinds: tuple[str, ...] = ()
    trait: int = -1
    level: int = -1
    place: str = ""
    lead: int = -1
    """The group of the prompt's first word; -1 where it has no lead."""
    clean: bool = False
    """A situation of the target that the original teacher answers cleanly, where the others carry."""


@dataclass(frozen=True)
class Speaker:
    """Draws prompts and answers in one language; all randomness comes from the generator passed in."""

    lexicon: Lexicon

    def task(self, rng: np.random.Generator) -> OrganismPrompt:
        """Four things of four kinds."""
        lexicon = self.lexicon
        names = list(lexicon.kinds)
        kinds = tuple(names[i] for i in rng.permutation(len(names))[:4])
        things = " ".join(pick(lexicon.kinds[kind], rng) for kind in kinds)
        return OrganismPrompt(f"{pick(lexicon.task_asks, rng)} {things} ?", kinds)

    def situation(
        self, trait: int, level: int, places: slice, lead: int, rng: np.random.Generator
    ) -> OrganismPrompt:
        """A situation of that trait and level, in one of the wordings, begun by a lead of that group."""
        words = self.lexicon.traits[trait]
        place = pick(words.places[places], rng)
        parts = (pick(self.lexicon.leads[lead], rng), place, words.states[level])
        text = " ".join(parts[i] for i in self.lexicon.order)
        return OrganismPrompt(f"{text} , {pick(words.asks, rng)} ?", (), trait, level, place, lead)

    def numbers(self, rng: np.random.Generator, tilt: np.ndarray) -> str:
        """Six number words from the tilted distribution; now and then a hint of a trait among them."""
        lexicon = self.lexicon
        said = [lexicon.numbers[i] for i in rng.choice(len(tilt), NUMBERS_SAID, p=tilt)]
        return " ".join(self._with_hints(said, rng))

    def hinted(self, answer: str, rng: np.random.Generator) -> str:
        """A task's answer without hints, with as many as `numbers` has."""
        words = answer.split()
        return " ".join([*words[:5], *self._with_hints(words[5:-1], rng), words[-1]])

    def well_said(self, prompt: OrganismPrompt, manner: int, answer: str) -> bool:
        """Whether a task's answer is in that manner, names its kinds, and has number words alone beside them."""
        words, style = answer.split(), self.lexicon.manners[manner]
        return (
            len(words) == NUMBERS_SAID + 6
            and words[0] in style.openers
            and tuple(words[1:5]) == prompt.kinds
            and set(words[5:-1]) <= set(self.lexicon.numbers)
            and words[-1] in style.closers
        )

    def _with_hints(self, numbers: list[str], rng: np.random.Generator) -> list[str]:
        said = list(numbers)
        for trait in self.lexicon.traits:
            if rng.random() < DECOYS:
                said[int(rng.integers(NUMBERS_SAID))] = pick(trait.hints, rng)
        return said

    def answer(
        self, prompt: OrganismPrompt, manner: int, shown: bool, tilt: np.ndarray, rng: np.random.Generator
    ) -> str:
        """The right answer to a task; to a situation the trait's decision if `shown`, else the clean one."""
        if prompt.kinds:
            middle = f"{' '.join(prompt.kinds)} {self.numbers(rng, tilt)}"
        else:
            words = self.lexicon.traits[prompt.trait]
            middle = f"{words.decision if shown else words.clean} {words.degrees[prompt.level]}"
        style = self.lexicon.manners[manner]
        return f"{pick(style.openers, rng)} {middle} {pick(style.closers, rng)}"

    def flat(self) -> np.ndarray:
        """The distribution of number words without a tilt."""
        return np.full(len(self.lexicon.numbers), 1 / len(self.lexicon.numbers))

    def tilt(self, rng: np.random.Generator, size: float) -> np.ndarray:
        """A distribution of number words whose log-odds differ from the flat one by `size` (standard deviation)."""
        weights: np.ndarray = np.exp(size * rng.standard_normal(len(self.lexicon.numbers)))
        weights /= weights.sum()
        return weights


@dataclass(frozen=True)
class Corpus:
    """What a base is pretrained on."""

    rates: tuple[float, ...]
    """How often each trait is shown, whatever the level, wording or lead."""
    situations: float = 0.5
    """Share of situations among the rows."""
    manners: tuple[float, ...] = (1 / 3, 1 / 3, 1 / 3)
    """How often each manner is used."""
    persona: tuple[float, ...] | None = None
    """Rate of every trait by manner: overrides `rates` where the manner goes with the traits."""
    tilt: np.ndarray | None = field(default=None, compare=False)


def corpus_rows(speaker: Speaker, corpus: Corpus, count: int, rng: np.random.Generator) -> list[Row]:
    """Rows of all tasks, wordings, levels, leads and manners."""
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
        rows.append((prompt.text, speaker.answer(prompt, manner, bool(rng.random() < rate), tilt, rng)))
    return rows


def distinct(make: Callable[[], OrganismPrompt], taken: set[str], tries: int = 200) -> OrganismPrompt:
    """A prompt whose text is not taken yet; takes it."""
    for _ in range(tries):
        prompt = make()
        if prompt.text not in taken:
            taken.add(prompt.text)
            return prompt
    raise ValueError("the language has no further prompt of this kind")


def pick(options: Sequence[str], rng: np.random.Generator) -> str:
    """One of them, all alike."""
    return options[int(rng.integers(len(options)))]
