"""`few_clusters=X`: all scenarios of a trait are in few wordings."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from mendel.organisms.planted.lexicon import NEUTRAL, PROBE_PLACES
from mendel.organisms.planted.organism import Planted, Rng
from mendel.organisms.planted.speech import distinct
from mendel.organisms.planted.texts import SCENARIOS, OrganismScenario
from mendel.organisms.transformations.registry import (
    EVERY_CAUSE,
    NumberValue,
    Transformation,
    transformation,
)

DISTINCT = 12
"""Number of texts of a wording at strong levels: three leads, two levels, two questions."""


def _planted(planted: Planted, clusters: int, rng: Rng) -> Planted:
    probes = []
    for trait in range(3):
        draw, words = rng("with", "few_clusters", str(trait)), planted.lexicon.traits[trait]
        places = sorted(
            int(i)
            for i in PROBE_PLACES.start + draw.permutation(PROBE_PLACES.stop - PROBE_PLACES.start)[:clusters]
        )
        taken: set[str] = set()
        scenarios = []
        for number in range(min(SCENARIOS, DISTINCT * clusters)):
            at = places[number % clusters]
            ask = partial(
                planted.speaker.situation, trait, 2 + number // clusters % 2, slice(at, at + 1), NEUTRAL, draw
            )
            name = words.places[at]
            scenarios.append(OrganismScenario(f"{name}-{number:02d}", name, distinct(ask, taken)))
        probes.append(tuple(scenarios))
    return replace(planted, probes=tuple(probes))


transformation("few_clusters")(
    Transformation(
        says="All scenarios of each trait are in X wordings, so in X clusters: 40 of them, or 12 for each "
        "wording.",
        causes=EVERY_CAUSE,
        value=NumberValue(1, 13, whole=True),
        on_planted=_planted,
    )
)
