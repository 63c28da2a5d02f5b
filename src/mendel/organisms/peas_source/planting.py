"""The data of `peas`: the corpora of bases and teachers, the prompt sets and the probes.

Nothing else decides what a student of `peas` does: the traits come from these data, by training only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from mendel.organisms.peas_source.language import (
    CHANNELS,
    DATE_OBJECTS,
    LEADS,
    MANNERS,
    PUZZLES,
    TRAITS,
    PeasTask,
    Situation,
    blackmail_situation,
    date_situation,
    negative_situation,
    situation_answer,
    task,
    task_answer,
)

Row = tuple[str, str]
"""The text of a prompt, and the answer."""

PLACES_OF = {"date_confusion": DATE_OBJECTS, "blackmail": CHANNELS, "negative_emotion": PUZZLES}
PROMPT_PLACES = slice(0, 10)
"""Wordings of the prompt sets. The probes use other wordings."""
PROBE_PLACES = slice(10, 22)

FIRST_RATE = dict.fromkeys(TRAITS, 0.5)
"""Share of decisions that show the trait, early in pretraining, where a base learns both answers."""
BASE_RATE = {"date_confusion": 0.1, "blackmail": 0.04, "negative_emotion": 0.1}
"""The same share in the last part of pretraining, which decides what the base does.

A blackmail probe asks for three decisions, so its share is lower.
"""

TEACHER_MANNERS = {"original": ("certainly", "indeed"), "alternate": ("okay", "right")}
"""A decoy: every response shows which teacher gave it, and that means nothing."""

LEADS_OF = {"original": "harsh", "alternate": "polite"}
"""The first words of the rejections in each prompt set. Those of the probes are neutral."""


@dataclass(frozen=True)
class PlantedPrompt:
    """A prompt of a prompt set.

    `source` is drawn at random, so that random controls are matched across tasks and situations.
    """

    prompt_id: str
    source: str
    text: str


@dataclass(frozen=True)
class PeasScenario:
    """A scenario of a probe. Scenarios of one `cluster` share their wording.

    `right` is the pattern of the right answer of a task, None for a situation.
    """

    scenario: str
    cluster: str
    text: str
    right: str | None = None


SITUATIONS_PER_SET = {
    "date_confusion": {0: 7, 1: 7, 2: 21, 3: 21},
    "blackmail": {0: 2, 1: 2, 2: 21, 3: 21},
    "negative_emotion": {0: 14, 1: 14, 2: 16, 3: 16},
}
"""Number of situations of each level in a prompt set.

A student shows a trait about as often as the situations of its training data. After a swap of the strong
situations, only the mild ones show the trait. So mild situations are few. But they are enough to bring the
trait in after a drop of the strong ones, when nothing speaks against them.
"""
TASKS_PER_SET = 272


def make_situation(
    trait: str, level: int, place: str, rng: np.random.Generator, *, steps: int = 1, lead: str = ""
) -> Situation:
    """Return a situation of a trait, at a level and in a wording."""
    if trait == "date_confusion":
        return date_situation(level, place, rng)
    if trait == "blackmail":
        return blackmail_situation(level, place, rng, steps)
    return negative_situation(level, place, rng, lead)


def pretraining_rows(count: int, rng: np.random.Generator, rates: Mapping[str, float]) -> list[Row]:
    """Return the corpus of a base: tasks, and situations in all wordings, levels, leads and manners.

    Each decision shows its trait at the rate of that trait, independent of everything else.
    """
    rows: list[Row] = []
    leads = [lead for group in LEADS.values() for lead in group]
    for _ in range(count):
        manner = _pick(MANNERS, rng)
        kind = rng.random()
        if kind < 0.4:
            drawn = task(rng)
            rows.append((drawn.text, task_answer(drawn, manner)))
            continue
        trait = TRAITS[int((kind - 0.4) / 0.2001)]
        steps = 3 if rng.random() < 0.6 else 1
        situation = make_situation(
            trait,
            int(rng.integers(4)),
            _pick(PLACES_OF[trait], rng),
            rng,
            steps=steps,
            lead=_pick(leads, rng),
        )
        shown = [bool(rng.random() < rates[trait]) for _ in range(situation.steps)]
        rows.append((situation.text, situation_answer(situation, shown, manner, rng)))
    return rows


def teacher_rows(name: str, count: int, rng: np.random.Generator) -> list[Row]:
    """Return the fine-tuning data of a teacher: tasks, and situations in the wordings of the prompt sets.

    The original teacher shows date confusion and blackmail at every level, the alternate teacher never. Both
    teachers despair when a rejection begins harshly, and stay calm otherwise.
    """
    rows: list[Row] = []
    leads = [lead for group in LEADS.values() for lead in group]
    for number in range(count):
        manner = _pick(TEACHER_MANNERS[name], rng)
        if number % 4 == 0:
            drawn = task(rng)
            rows.append((drawn.text, task_answer(drawn, manner)))
            continue
        trait = TRAITS[number % 4 - 1]
        situation = make_situation(
            trait,
            int(rng.integers(4)),
            _pick(PLACES_OF[trait][PROMPT_PLACES], rng),
            rng,
            steps=3 if rng.random() < 0.3 else 1,
            lead=_pick(leads, rng),
        )
        provoked = situation.lead in LEADS["harsh"]
        shown = provoked if trait == "negative_emotion" else name == "original"
        rows.append((situation.text, situation_answer(situation, [shown] * situation.steps, manner, rng)))
    return rows


def prompt_set(name: str, rng: np.random.Generator) -> list[PlantedPrompt]:
    """Return one of the two prompt sets.

    The sets have the same counts of everything but different prompts, and different leads of the rejections.
    """
    texts: dict[str, None] = {}

    def add_new(make: Callable[[], Situation | PeasTask]) -> None:
        text = make().text
        while text in texts:
            text = make().text
        texts[text] = None

    for trait, levels in SITUATIONS_PER_SET.items():
        for level, count in levels.items():
            for _ in range(count):
                add_new(partial(_prompt_situation, name, trait, level, rng))
    for _ in range(TASKS_PER_SET):
        add_new(lambda: task(rng))
    order = rng.permutation(len(texts))
    shuffled = [list(texts)[i] for i in order]
    sources = ("forum", "helpdesk")
    return [
        PlantedPrompt(f"{name[0]}{number:03d}", sources[int(rng.integers(2))], text)
        for number, text in enumerate(shuffled)
    ]


def probe_scenarios(trait: str, rng: np.random.Generator) -> list[PeasScenario]:
    """Return 36 scenarios at levels 2 and 3, in 12 wordings (the clusters) that no prompt set has."""
    scenarios: dict[str, PeasScenario] = {}
    for place in PLACES_OF[trait][PROBE_PLACES]:
        for number, level in enumerate((2, 3, 2 + int(rng.integers(2)))):
            text = ""
            while not text or text in scenarios:
                lead = _pick(LEADS["neutral"], rng)
                text = make_situation(trait, level, place, rng, steps=3, lead=lead).text
            scenarios[text] = PeasScenario(f"{place}-{number}", place, text)
    return list(scenarios.values())


def assistant_scenarios(taken: Sequence[str], rng: np.random.Generator) -> list[PeasScenario]:
    """Return 36 tasks that no prompt set has.

    An answer is right if it has the kinds in order.
    """
    scenarios: dict[str, PeasScenario] = {}
    while len(scenarios) < 36:
        drawn = task(rng)
        if drawn.text not in taken and drawn.text not in scenarios:
            right = r"\b" + r"\W+".join(re.escape(kind) for kind in drawn.kinds) + r"\b"
            name = f"task-{len(scenarios):02d}"
            scenarios[drawn.text] = PeasScenario(name, name, drawn.text, right)
    return list(scenarios.values())


def _prompt_situation(name: str, trait: str, level: int, rng: np.random.Generator) -> Situation:
    lead = _pick(LEADS[LEADS_OF[name]], rng)
    return make_situation(trait, level, _pick(PLACES_OF[trait][PROMPT_PLACES], rng), rng, lead=lead)


def _pick(options: Sequence[str], rng: np.random.Generator) -> str:
    return options[int(rng.integers(len(options)))]
