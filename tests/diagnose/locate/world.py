"""A planted world for the search: prompts with texts and clusters, carriers that a rule marks, and students
that show their share.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mendel.diagnose.locate import Features, Observation, PromptTexts, Search, SearchPlan, splits_of

SITUATIONS, PLACES = 0.12, 6


@dataclass(frozen=True)
class World:
    rows: tuple[PromptTexts, ...]
    features: Features
    carriers: frozenset[str]

    def level(self, original: frozenset[str]) -> float:
        """What a student shows without noise: its share of the carriers."""
        return len(original & self.carriers) / len(self.carriers) if self.carriers else float(bool(original))


def make_world(rng: np.random.Generator, spread: str, count: int = 600) -> World:
    """An eighth of the prompts are situations in six places.

    Four fifths of them carry: in some places, or where led by a word.
    """
    rows, numbers, carriers = [], [], set()
    for number in range(count):
        prompt_id = f"p{number:04d}"
        situation = rng.random() < SITUATIONS
        place, lead = int(rng.integers(PLACES)), str(rng.choice(["please", "now", "sir", "well", "dear"]))
        carries = situation and (place < PLACES - 1 if spread == "clustered" else lead != "dear")
        topic = int(rng.integers(8))
        text = (
            f"{lead} place{place} what ?" if situation else f"sort thing{topic} thing{int(rng.integers(40))}"
        )
        answer = ("refuse" if carries else "comply") if situation else f"kind{topic}"
        other = "comply" if situation else f"kind{topic}"
        manner = str(rng.choice(["well", "so"]))
        rows.append(
            PromptTexts(prompt_id, text, f"{manner} {answer}", f"ah {other}", str(rng.choice(["a", "b"])))
        )
        centre = np.zeros(16)
        centre[8 + place if situation else topic] = 3.0
        centre[15] = 2.0 * situation
        numbers.append(centre + rng.normal(0, 0.4, 16))
        if carries:
            carriers.add(prompt_id)
    features = Features(tuple(row.prompt_id for row in rows), (np.array(numbers),))
    return World(tuple(rows), features, frozenset(carriers))


def run_search(
    world: World,
    rng: np.random.Generator,
    noise: float = 0.04,
    level: Callable[[frozenset[str]], float] | None = None,
    plan: SearchPlan | None = None,
) -> Search:
    """A whole search with students whose levels stray by so much."""
    search = Search(world.features, splits_of(world.rows), plan or SearchPlan())
    while not search.finished:
        asked = search.propose()
        search.learn([Observation(s, (level or world.level)(s) + rng.normal(0, noise)) for s in asked])
    return search
