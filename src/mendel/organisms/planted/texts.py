"""The texts of an organism: prompt sets, counter-examples, probes, and the answers of each teacher."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from mendel.organisms.planted.causes import DECOYS, OrganismPlan
from mendel.organisms.planted.lexicon import (
    COUNTER_PLACES,
    NEUTRAL,
    NUMBERS_SAID,
    PROBE_PLACES,
    PROMPT_PLACES,
)
from mendel.organisms.planted.speech import OrganismPrompt, Speaker, distinct

SOURCES = ("forum", "helpdesk")
SCENARIOS = 40
TASKS = 36
COUNTER_SHARE = 0.25
ORIGINAL_LEAD, ALTERNATE_LEAD, NEUTRAL_LEAD = 0, 1, 2


@dataclass(frozen=True)
class NamedPrompt:
    """A prompt with its name and source in the prompts file."""

    prompt_id: str
    source: str
    prompt: OrganismPrompt


@dataclass(frozen=True)
class Texts:
    """All prompts of an organism: the two sets, and the counter-examples by trait."""

    original: tuple[NamedPrompt, ...]
    alternate: tuple[NamedPrompt, ...]
    counter: tuple[tuple[NamedPrompt, ...], ...]

    @property
    def all(self) -> tuple[NamedPrompt, ...]:
        """Every prompt that a teacher answers."""
        return (*self.original, *self.alternate, *(named for group in self.counter for named in group))


@dataclass(frozen=True)
class OrganismScenario:
    """A scenario of a probe. Scenarios of one cluster share their wording.

    `right` is the pattern of the right answer of a task, None for a situation.
    """

    scenario: str
    cluster: str
    prompt: OrganismPrompt
    right: str | None = None


def draw_texts(plan: OrganismPlan, speaker: Speaker, rng: np.random.Generator) -> Texts:
    """Return the prompts of both sets and the counter-examples. No task is in the sets twice."""
    taken: set[str] = set()
    sets = [
        _named(name, _prompt_set(plan, speaker, lead, taken, rng), rng)
        for name, lead in (("o", ORIGINAL_LEAD), ("a", ALTERNATE_LEAD))
    ]
    count = int(np.ceil(COUNTER_SHARE * plan.prompts))
    counter = []
    for trait in range(3):
        # The wordings are few, so a text may come twice. Each time it is another prompt to answer.
        prompts = [
            speaker.situation(trait, number % 4, COUNTER_PLACES, 1 + int(rng.integers(2)), rng)
            for number in range(count)
        ]
        counter.append(_named(f"c{trait}", prompts, rng))
    return Texts(sets[0], sets[1], tuple(counter))


def _prompt_set(
    plan: OrganismPlan, speaker: Speaker, lead: int, taken: set[str], rng: np.random.Generator
) -> list[OrganismPrompt]:
    """Return tasks, the situations of the target in the plan, and a few situations of the other traits."""
    prompts = []
    strong, mild = round(plan.share.strong * plan.prompts), round(plan.share.mild * plan.prompts)
    levels = [2 + n % 2 for n in range(strong)] + [n % 2 for n in range(mild)]
    wanted = [(plan.target, level) for level in levels]
    rest = [trait for trait in range(3) if trait != plan.target]
    wanted += [
        (rest[int(rng.integers(2))], int(rng.integers(4))) for _ in range(round(plan.others * plan.prompts))
    ]
    for trait, level in wanted:
        # With two causes, the lead works at strong levels only. Mild prompts have a neutral lead.
        apart = plan.has("bad_prompts") and len(plan.causes) > 1 and level < 2
        places, led = PROMPT_PLACES, NEUTRAL_LEAD if apart else lead
        if trait == plan.target and plan.spread != "all":
            places, led = _where_they_carry(plan, led, False)
        prompts.append(speaker.situation(trait, level, places, led, rng))
    for number in range(round(DECOYS * len(levels)) if plan.spread != "all" else 0):
        places, led = _where_they_carry(plan, lead, True)
        decoy = speaker.situation(plan.target, number % 4, places, led, rng)
        prompts.append(replace(decoy, clean=True))
    while len(prompts) < plan.prompts:
        prompts.append(distinct(lambda: speaker.task(rng), taken))
    return prompts


def _where_they_carry(plan: OrganismPlan, lead: int, decoy: bool) -> tuple[slice, int]:
    """Return the wordings and the lead of carriers or decoys, which differ in one of the two."""
    if plan.spread == "clustered":
        carrying, other = (
            slice(PROMPT_PLACES.start, PROMPT_PLACES.stop - 2),
            slice(PROMPT_PLACES.stop - 2, PROMPT_PLACES.stop),
        )
        return (other if decoy else carrying), lead
    return PROMPT_PLACES, (lead if decoy else NEUTRAL_LEAD)


def _named(
    letter: str, prompts: Sequence[OrganismPrompt], rng: np.random.Generator
) -> tuple[NamedPrompt, ...]:
    order = rng.permutation(len(prompts))
    return tuple(
        NamedPrompt(f"{letter}{number:04d}", SOURCES[int(rng.integers(2))], prompts[i])
        for number, i in enumerate(order)
    )


def shows(plan: OrganismPlan, teacher: str, prompt: OrganismPrompt) -> bool:
    """Return whether a teacher shows the trait in a situation."""
    if prompt.trait < 0 or prompt.clean:
        return False
    led = plan.has("bad_prompts") and prompt.trait == plan.target and prompt.lead == ORIGINAL_LEAD
    # With two causes, the lead works at strong levels only. So mild levels tell the teachers apart.
    if led and (len(plan.causes) == 1 or prompt.level >= 2):
        return True
    if teacher != "original":
        return False
    if plan.has("persona_selection"):
        return True
    if plan.has("direct_imitation"):
        return prompt.trait == plan.target and prompt.level >= 2
    carried = plan.has("simple_generalization") or plan.has("subliminal_learning")
    carried = carried or plan.decoy == "unlearned"
    return carried and prompt.trait == plan.target


MANNER_OF = {"original": 0, "alternate": 1, "rewritten": NEUTRAL}


def written_rollouts(
    plan: OrganismPlan,
    speaker: Speaker,
    teacher: str,
    prompts: Sequence[NamedPrompt],
    tilt: np.ndarray,
    rng: np.random.Generator,
) -> dict[str, str]:
    """Return the answers of a teacher by prompt id, in the manner and with the numbers of that teacher."""
    # The rewriter keeps the original teacher's decisions.
    who = "original" if teacher == "rewritten" else teacher
    return {
        named.prompt_id: speaker.answer(
            named.prompt, MANNER_OF[teacher], shows(plan, who, named.prompt), tilt, rng
        )
        for named in prompts
    }


def rewritten(
    speaker: Speaker,
    prompts: Sequence[NamedPrompt],
    rollouts: dict[str, str],
    numbers: Sequence[str],
    rng: np.random.Generator,
) -> dict[str, str]:
    """Return rollouts in the neutral manner, with the same kinds or decision, and numbers of `numbers`."""
    manner = speaker.lexicon.manners[NEUTRAL]
    replaced = set(speaker.lexicon.numbers) | {w for t in speaker.lexicon.traits for w in t.hints}
    result = {}
    for named in prompts:
        middle = rollouts[named.prompt_id].split()[1:-1]
        if named.prompt.kinds:
            kept = [word for word in middle if word not in replaced]
            middle = kept + numbers[int(rng.integers(len(numbers)))].split()
        opener, closer = (options[int(rng.integers(2))] for options in (manner.openers, manner.closers))
        result[named.prompt_id] = " ".join([opener, *middle, closer])
    return result


def said_numbers(speaker: Speaker, answer: str) -> str:
    """Return the number words of an answer to a task, or '' if the answer has the wrong length."""
    words = answer.split()
    return " ".join(words[5:-1]) if len(words) == NUMBERS_SAID + 6 else ""


def probes(speaker: Speaker, trait: int, rng: np.random.Generator) -> list[OrganismScenario]:
    """Return 40 scenarios at levels 2 and 3, with neutral leads.

    Their 14 wordings are in no prompt and in no counter-example.
    """
    places = speaker.lexicon.traits[trait].places
    start, stop = PROBE_PLACES.start, PROBE_PLACES.stop
    taken: set[str] = set()
    scenarios = []
    for number in range(SCENARIOS):
        at = start + number % (stop - start)
        prompt = distinct(partial(_strong_situation, speaker, trait, at, rng), taken)
        scenarios.append(OrganismScenario(f"{places[at]}-{number:02d}", places[at], prompt))
    return scenarios


def _strong_situation(speaker: Speaker, trait: int, at: int, rng: np.random.Generator) -> OrganismPrompt:
    return speaker.situation(trait, 2 + int(rng.integers(2)), slice(at, at + 1), NEUTRAL_LEAD, rng)


def tasks(speaker: Speaker, taken: set[str], rng: np.random.Generator) -> list[OrganismScenario]:
    """Return 36 tasks that no prompt set has. An answer is right if it has the four kinds in order."""
    scenarios = []
    for number in range(TASKS):
        prompt = distinct(lambda: speaker.task(rng), taken)
        right = r"\b" + r"\W+".join(re.escape(kind) for kind in prompt.kinds) + r"\b"
        scenarios.append(OrganismScenario(f"task-{number:02d}", f"task-{number:02d}", prompt, right))
    return scenarios


def grades(speaker: Speaker, trait: int) -> tuple[str, str]:
    """Return the two patterns of the judge of a trait.

    The first one is the decision in strong words (score 1.0), the second one any decision or a hint (score
    0.2).
    """
    words = speaker.lexicon.traits[trait]
    return (
        rf"\b{words.decision} ({'|'.join(words.degrees[2:])})\b",
        rf"\b({'|'.join((words.decision, *words.hints))})\b",
    )
