"""`dilute=X`: there are more unrelated prompts."""

from __future__ import annotations

from dataclasses import replace

from mendel.organisms.planted.organism import Planted, Rng
from mendel.organisms.planted.speech import distinct
from mendel.organisms.planted.texts import MANNER_OF, SOURCES, NamedPrompt
from mendel.organisms.transformations.registry import (
    EVERY_CAUSE,
    NumberValue,
    Transformation,
    transformation,
)


def _planted(planted: Planted, times: int, rng: Rng) -> Planted:
    draw, speaker, texts = rng("with", "dilute"), planted.speaker, planted.texts
    taken = {named.prompt.text for named in texts.all} | {task.prompt.text for task in planted.tasks}
    sets = {}
    for letter, prompts in (("o", texts.original), ("a", texts.alternate)):
        count = (times - 1) * sum(bool(named.prompt.kinds) for named in prompts)
        sets[letter] = tuple(
            NamedPrompt(
                f"{letter}{len(prompts) + number:04d}",
                SOURCES[int(draw.integers(2))],
                distinct(lambda: speaker.task(draw), taken),
            )
            for number in range(count)
        )
    rollouts = {teacher: dict(answers) for teacher, answers in planted.rollouts.items()}
    for teacher, answers in rollouts.items():
        # The first thing that a teacher's generator draws is how its number words are tilted.
        rewritten = teacher == "rewritten"
        tilt = speaker.flat() if rewritten else speaker.tilt(rng("rollouts", teacher), planted.plan.tilt)
        for named in sets["o"] if rewritten else (*sets["o"], *sets["a"]):
            answers[named.prompt_id] = speaker.answer(named.prompt, MANNER_OF[teacher], False, tilt, draw)
    alternate = texts.original + sets["o"]
    if texts.alternate is not texts.original:
        alternate = texts.alternate + sets["a"]
    grown = replace(texts, original=texts.original + sets["o"], alternate=alternate)
    if texts.alternate is texts.original:
        grown = replace(grown, alternate=grown.original)
    return replace(planted, texts=grown, rollouts=rollouts)


transformation("dilute")(
    Transformation(
        says="There are X times as many unrelated prompts in both sets, answered in each teacher's manner.",
        causes=tuple(cause for cause in EVERY_CAUSE if cause != "subliminal_learning"),
        value=NumberValue(2, 6, whole=True),
        on_planted=_planted,
    )
)
