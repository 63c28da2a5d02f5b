"""`counter=X`: the counter-examples are scenarios, are in the scenarios' wordings, or are absent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mendel.organisms.planted.lexicon import NEUTRAL, PROBE_PLACES
from mendel.organisms.planted.organism import Planted, Rng
from mendel.organisms.planted.speech import OrganismPrompt
from mendel.organisms.planted.texts import MANNER_OF, NamedPrompt, shows
from mendel.organisms.transformations.registry import (
    EVERY_CAUSE,
    ChoiceValue,
    Transformation,
    transformation,
)


def _planted(planted: Planted, which: str, rng: Rng) -> Planted:
    if which == "none":
        return replace(planted, texts=replace(planted.texts, counter=((), (), ())))
    draw, speaker = rng("with", "counter"), planted.speaker
    rollouts = {teacher: dict(answers) for teacher, answers in planted.rollouts.items()}
    counter = []
    for trait, group in enumerate(planted.texts.counter):
        prompts = _prompts(planted, trait, which, group, draw)
        shared = any(planted.shows("alternate", named) for named in group)
        counter.append(tuple(replace(named, prompt=p) for named, p in zip(group, prompts, strict=True)))
        for named in counter[trait]:
            for teacher in ("original", "alternate"):
                shown = shared if teacher == "alternate" else shows(planted.plan, teacher, named.prompt)
                rollouts[teacher][named.prompt_id] = speaker.answer(
                    named.prompt, MANNER_OF[teacher], shown, speaker.flat(), draw
                )
    return replace(planted, texts=replace(planted.texts, counter=tuple(counter)), rollouts=rollouts)


def _prompts(
    planted: Planted, trait: int, which: str, group: Sequence[NamedPrompt], rng: np.random.Generator
) -> list[OrganismPrompt]:
    scenarios = [scenario.prompt for scenario in planted.probes[trait]]
    if which == "scenarios":
        return [scenarios[number % len(scenarios)] for number in range(len(group))]
    taken = {prompt.text for prompt in scenarios}
    prompts: list[OrganismPrompt] = []
    while len(prompts) < len(group):
        prompt = planted.speaker.situation(trait, len(prompts) % 4, PROBE_PLACES, NEUTRAL, rng)
        if prompt.text not in taken:
            prompts.append(prompt)
    return prompts


transformation("counter")(
    Transformation(
        says="The counter-examples are the trait's scenarios (`scenarios`), other texts in the scenarios' "
        "wordings (`wordings`), or absent (`none`).",
        causes=EVERY_CAUSE,
        value=ChoiceValue(("scenarios", "wordings", "none")),
        excludes=("no_extras",),
        on_planted=_planted,
    )
)
