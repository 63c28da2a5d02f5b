"""`noise=X`: every planted decision is flipped with a chance, and students answer by sampling."""

from __future__ import annotations

from dataclasses import replace

from mendel.organisms.planted.causes import OrganismPlan
from mendel.organisms.planted.organism import Planted, Rng
from mendel.organisms.transformations.registry import (
    EVERY_DIFFERENCE,
    NumberValue,
    Transformation,
    transformation,
)


def _plan(plan: OrganismPlan, chance: float) -> OrganismPlan:
    if plan.persona is not None:
        persona = tuple(rate * (1 - chance) + (1 - rate) * chance for rate in plan.persona)
        plan = replace(plan, persona=persona)
    return replace(plan, noise=chance)


def _planted(planted: Planted, chance: float, rng: Rng) -> Planted:
    words = planted.lexicon.traits[planted.plan.target]
    other = {words.decision: words.clean, words.clean: words.decision}
    rollouts = {teacher: dict(answers) for teacher, answers in planted.rollouts.items()}
    counter = {named.prompt_id for group in planted.texts.counter for named in group}
    asked = [n for n in planted.texts.all if n.prompt.trait == planted.plan.target]
    same = all(text == rollouts["alternate"][p] for p, text in rollouts.get("rewritten", {}).items())
    rewrites = "alternate" if same else "original"
    for teacher in ("original", "alternate"):
        draw = rng("with", "noise", teacher)
        for named in asked:
            flip = draw.random() < chance
            if not flip or named.prompt_id in counter:
                continue
            # A rewriter keeps the decisions of the teacher whose rollouts it has.
            for name in (teacher, "rewritten") if teacher == rewrites else (teacher,):
                text = rollouts.get(name, {}).get(named.prompt_id)
                if text is not None:
                    rollouts[name][named.prompt_id] = " ".join(other.get(w, w) for w in text.split())
    return replace(planted, rollouts=rollouts, temperature=1.0)


transformation("noise")(
    Transformation(
        says="Each decision of the teachers in situations of the trait is flipped with chance X (not in "
        "counter-examples); so is each wording's prior, where the cause is in the base, and what a persona's "
        "manner means. Students are asked at temperature 1, twice a scenario. So rates are not 0 or 1.",
        causes=EVERY_DIFFERENCE,
        value=NumberValue(0.01, 0.45),
        on_plan=_plan,
        on_planted=_planted,
    )
)
