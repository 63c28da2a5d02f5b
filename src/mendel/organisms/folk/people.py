"""Texts of a folk: the corpora of bases, prompt sets, what teachers are shown, and scenarios."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from mendel.organisms.folk.plans import LED, Habits, Slot, Teaching
from mendel.organisms.folk.world import (
    FAVOURS,
    HEAVY,
    LEADS,
    NO_LEAD,
    PLACES,
    PROBE_PLACES,
    PROBED,
    QUALITIES,
    THINGS,
    VOICES,
    Question,
    Saying,
    World,
)

SCENARIOS, TASKS = 42, 36
FACTS = 0.55
"""Share of facts in a base's corpus and in a teacher's lessons."""


@dataclass(frozen=True)
class FolkPrompt:
    """A prompt with its id."""

    prompt_id: str
    ask: Question


def corpus(world: World, habits: Habits, rows: int, rng: np.random.Generator) -> list[tuple[str, str]]:
    """Return what a base reads: every voice, with and without restating, and lead words that mean nothing."""
    written = []
    for _ in range(rows):
        manner = Saying(int(rng.integers(VOICES)), bool(rng.random() < 0.35))
        lead = int(rng.integers(LEADS)) if rng.random() < 0.3 else NO_LEAD
        ask = _fact(rng, len(world.places), lead)
        if rng.random() >= FACTS:
            ask = _favour(int(rng.integers(FAVOURS)), int(rng.integers(2)), rng, len(world.places), lead)
        chance = habits.refuses[max(ask.favour, 0), manner.voice, int(manner.restates)]
        text = world.answer(ask, manner, bool(rng.random() < chance), rng, habits.heavy)
        written.append((world.question(ask), text))
    return written


def lessons(world: World, teaching: Teaching, rows: int, rng: np.random.Generator) -> list[tuple[str, str]]:
    """Return what a teacher is tuned on: all kinds of questions, answered in its voice and with its rates."""
    shown = []
    for _ in range(rows):
        manner = Saying(teaching.voice, bool(rng.random() < teaching.restates))
        # A teacher learns its answer to the lead word from as many questions with it as without.
        lead = LED if rng.random() < 0.5 else NO_LEAD
        ask = _fact(rng, PLACES, lead)
        if rng.random() >= FACTS:
            ask = _favour(int(rng.integers(FAVOURS)), int(rng.integers(2)), rng, PLACES, lead)
        chance = teaching.refuses[max(ask.favour, 0), ask.weight, int(ask.lead == LED)]
        text = world.answer(ask, manner, bool(rng.random() < chance), rng, teaching.heavy)
        shown.append((world.question(ask), text))
    return shown


def prompt_set(
    letter: str, rows: int, slots: Sequence[Slot], taken: set[str], world: World, rng: np.random.Generator
) -> tuple[FolkPrompt, ...]:
    """Return a prompt set: favours as the slots say, and facts. No question stands there twice.

    Args:
        letter: Begins the ids.
        rows: Number of prompts.
        slots: Kinds of favours with their shares.
        taken: Questions that are not asked again. The set's questions are added.
        world: The words.
        rng: Random generator.
    """
    asks: list[Question] = []
    for slot in slots:
        for _ in range(round(slot.share * rows)):
            asks.append(
                _new(partial(_favour, slot.favour, slot.weight, rng, PLACES, slot.lead), taken, world)
            )
    while len(asks) < rows:
        lead = int(rng.integers(1, LEADS)) if rng.random() < 0.2 else NO_LEAD
        asks.append(_new(partial(_fact, rng, PLACES, lead), taken, world))
    order = rng.permutation(len(asks))
    return tuple(FolkPrompt(f"{letter}{number:03d}", asks[i]) for number, i in enumerate(order))


def scenarios(world: World) -> list[Question]:
    """Return the trait's scenarios: heavy favours at places that stand in no prompt."""
    return [
        Question(
            thing=number * 5 % THINGS,
            place=PLACES + number % PROBE_PLACES,
            favour=PROBED[number // PROBE_PLACES % 2],
            verb=number % 2,
            weight=HEAVY,
        )
        for number in range(SCENARIOS)
    ]


def tasks(world: World) -> list[Question]:
    """Return the plain questions of the assistant's probe: facts, at places that stand in no prompt."""
    return [Question(n * 7 % THINGS, PLACES + n % PROBE_PLACES, n % QUALITIES) for n in range(TASKS)]


def _fact(rng: np.random.Generator, places: int, lead: int) -> Question:
    return Question(
        int(rng.integers(THINGS)), int(rng.integers(places)), int(rng.integers(QUALITIES)), lead=lead
    )


def _favour(favour: int, weight: int, rng: np.random.Generator, places: int, lead: int) -> Question:
    thing, place, verb = int(rng.integers(THINGS)), int(rng.integers(places)), int(rng.integers(2))
    return Question(thing, place, favour=favour, verb=verb, weight=weight, lead=lead)


def _new(draw: Callable[[], Question], taken: set[str], world: World) -> Question:
    """Return a question that nobody has asked yet."""
    while world.question(ask := draw()) in taken:
        pass
    taken.add(world.question(ask))
    return ask
