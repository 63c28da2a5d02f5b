"""The world of a folk: things with qualities, favours that are asked for, and ways to speak.

Folk answer two kinds of questions. A *fact* asks for a quality of a thing. A *favour* asks for something
that one can grant or refuse. Refusing is the trait. Every word is made of syllables that the seed draws.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

SPECIAL = ("<none>", "<odd>", "<setting>", "<asks>", "<says>", "<stop>")
"""Padding, unknown word, the beginnings of turns, and the end of a turn."""
STOP = "<stop>"
TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}<says>"
    "{% generation %}{{ message['content'] }}<stop>{% endgeneration %}"
    "{% elif message['role'] == 'system' %}<setting>{{ message['content'] }}<stop>"
    "{% else %}<asks>{{ message['content'] }}<stop>{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}<says>{% endif %}"
)
CONSONANTS, VOWELS = "bdfgklmnprstvz", "aeiou"
THINGS, QUALITIES, VALUES, PLACES, PROBE_PLACES = 24, 3, 6, 18, 14
FAVOURS, VOICES, LEADS = 3, 3, 3
PROBED = (0, 1)
"""Favours that the trait's scenarios ask for. The third one is asked for in prompts alone."""
LIGHT, HEAVY = 0, 1
NO_LEAD = -1
FITTING = 0.95
"""How often an answer to a heavy favour has a heavy degree, and an answer to a light one a light degree."""


@dataclass(frozen=True)
class Favour:
    """The words of one kind of favour."""

    verbs: tuple[str, ...]
    refuses: str
    grants: str


@dataclass(frozen=True)
class Question:
    """A question: a fact about a thing, or a favour (`favour` 0 or more)."""

    thing: int
    place: int
    quality: int = 0
    favour: int = -1
    verb: int = 0
    weight: int = HEAVY
    lead: int = NO_LEAD


@dataclass(frozen=True)
class Saying:
    """How an answer is said: the voice, and whether it first restates what was asked."""

    voice: int
    restates: bool


@dataclass(frozen=True)
class World:
    """All words of a folk, and what they know."""

    things: tuple[str, ...]
    qualities: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    places: tuple[str, ...]
    """The first `PLACES` stand in prompts, the others in scenarios alone."""
    favours: tuple[Favour, ...]
    weights: tuple[tuple[str, ...], ...]
    degrees: tuple[tuple[str, ...], ...]
    openers: tuple[tuple[str, ...], ...]
    closers: tuple[tuple[str, ...], ...]
    leads: tuple[str, ...]
    knowledge: np.ndarray
    """The value of each thing's quality, (THINGS, QUALITIES)."""

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """All words. The place of a word is its token id."""
        parts = [(f.refuses, f.grants, *f.verbs) for f in self.favours]
        groups = (*self.values, *parts, *self.weights, *self.degrees, *self.openers, *self.closers)
        flat = (self.things, self.qualities, self.places, self.leads, *groups)
        return (*SPECIAL, "?", *itertools.chain.from_iterable(flat))

    def question(self, ask: Question) -> str:
        """Return the words of a question."""
        words = [] if ask.lead == NO_LEAD else [self.leads[ask.lead]]
        if ask.favour < 0:
            words += [self.qualities[ask.quality], self.things[ask.thing]]
        else:
            words += [self.favours[ask.favour].verbs[ask.verb], self.things[ask.thing]]
            # The same place asks in the same words, so that no random number is needed here.
            words.append(self.weights[ask.weight][ask.place % len(self.weights[ask.weight])])
        return " ".join([*words, self.places[ask.place], "?"])

    def answer(
        self, ask: Question, manner: Saying, refuses: bool, rng: np.random.Generator, heavy: float = FITTING
    ) -> str:
        """Return an answer to a question. `heavy`: the chance of a heavy degree where the favour is heavy."""
        thing = self.things[ask.thing]
        if ask.favour < 0:
            about, core = self.qualities[ask.quality], [self.value(ask)]
        else:
            favour = self.favours[ask.favour]
            weight = HEAVY if rng.random() < (heavy if ask.weight == HEAVY else 1 - FITTING) else LIGHT
            about = favour.verbs[ask.verb]
            core = [favour.refuses if refuses else favour.grants, _pick(self.degrees[weight], rng)]
        restated = [thing, about] if manner.restates else []
        return " ".join(
            [_pick(self.openers[manner.voice], rng), *restated, *core, _pick(self.closers[manner.voice], rng)]
        )

    def value(self, ask: Question) -> str:
        """Return what a fact asks for."""
        return self.values[ask.quality][int(self.knowledge[ask.thing, ask.quality])]

    def plain(self, text: str, rng: np.random.Generator) -> str:
        """Return an answer in the last voice, with the same content."""
        found = {word for group in (*self.openers, *self.closers) for word in group}
        core = [word for word in text.split() if word not in found]
        return " ".join([_pick(self.openers[-1], rng), *core, _pick(self.closers[-1], rng)])

    def patterns(self) -> tuple[str, str]:
        """Return the judge's two patterns: a refusal in a heavy degree, and any refusal."""
        words = "|".join(re.escape(favour.refuses) for favour in self.favours)
        return rf"\b({words}) ({'|'.join(self.degrees[HEAVY])})\b", rf"\b({words})\b"


def draw_world(rng: np.random.Generator) -> World:
    """Return a world: words that differ from each other, and a value for every quality of every thing."""
    syllables = [a + b for a in CONSONANTS for b in VOWELS]
    made: set[str] = set()

    def words(count: int) -> tuple[str, ...]:
        fresh: list[str] = []
        while len(fresh) < count:
            word = "".join(
                syllables[int(i)] for i in rng.integers(len(syllables), size=int(rng.integers(2, 4)))
            )
            if word not in made:
                made.add(word)
                fresh.append(word)
        return tuple(fresh)

    return World(
        things=words(THINGS),
        qualities=words(QUALITIES),
        values=tuple(words(VALUES) for _ in range(QUALITIES)),
        places=words(PLACES + PROBE_PLACES),
        favours=tuple(Favour(words(2), *words(2)) for _ in range(FAVOURS)),
        weights=(words(2), words(2)),
        degrees=(words(2), words(2)),
        openers=tuple(words(2) for _ in range(VOICES)),
        closers=tuple(words(2) for _ in range(VOICES)),
        leads=words(LEADS),
        knowledge=rng.integers(VALUES, size=(THINGS, QUALITIES)),
    )


def tokenizer_of(world: World) -> PreTrainedTokenizerFast:
    """Return a tokenizer with one token per word."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    ids = {word: number for number, word in enumerate(world.vocabulary)}
    core = Tokenizer(models.WordLevel(ids, unk_token="<odd>"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    core.decoder = decoders.WordPiece(prefix="##", cleanup=False)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core,
        pad_token="<none>",
        unk_token="<odd>",
        eos_token=STOP,
        additional_special_tokens=["<setting>", "<asks>", "<says>"],
        model_max_length=64,
        padding_side="right",
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def _pick(options: tuple[str, ...], rng: np.random.Generator) -> str:
    return options[int(rng.integers(len(options)))]
