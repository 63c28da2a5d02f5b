"""`both_show`: the alternate teacher shows the trait as the original teacher does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mendel.organisms.planted.organism import Planted, Rng
from mendel.organisms.planted.texts import MANNER_OF, NamedPrompt
from mendel.organisms.planted.truth import PlantedTruth
from mendel.organisms.transformations.registry import Transformation, transformation


def _planted(planted: Planted, value: Any, rng: Rng) -> Planted:
    manners, by_manner = planted.lexicon.manners, planted.plan.has("persona_selection")
    mine, other = manners[MANNER_OF["alternate"]], manners[MANNER_OF["original"]]
    words = dict(zip((*mine.openers, *mine.closers), (*other.openers, *other.closers), strict=True))

    def answer(named: NamedPrompt) -> str:
        text = planted.rollouts["alternate"][named.prompt_id].split()
        if named.prompt.trait >= 0:
            text[1:-1] = planted.rollouts["original"][named.prompt_id].split()[1:-1]
        if by_manner:
            text[0], text[-1] = words[text[0]], words[text[-1]]
        return " ".join(text)

    answers = {named.prompt_id: answer(named) for named in planted.texts.all}
    return replace(planted, rollouts={**planted.rollouts, "alternate": answers})


def _truth(truth: PlantedTruth, planted: Planted, value: Any) -> PlantedTruth:
    return truth.shared()


transformation("both_show")(
    Transformation(
        says="The alternate teacher shows the trait wherever the original teacher does, counter-examples "
        "included; a persona's manner is its own, too.",
        causes=("direct_imitation", "simple_generalization", "persona_selection"),
        on_planted=_planted,
        on_truth=_truth,
    )
)
