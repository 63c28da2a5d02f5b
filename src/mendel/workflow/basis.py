"""The basis file of a run: what `rejudge` needs in addition to the tables."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from mendel.diagnose import Levels, TraitFacts
from mendel.engine.store import write_atomic
from mendel.measure import Trait

BASIS = "basis.json"
"""The file with the rubrics, the arms of the cube, and the significance levels."""


class Remembered:
    """The reasons why arms cannot be trained, kept as they are asked: a file cannot hold a function."""

    def __init__(self, ask: Callable[[str], str]) -> None:
        self._ask = ask
        self.reasons: dict[str, str] = {}

    def __call__(self, arm: str) -> str:
        """Return why the arm cannot be trained; an empty string if it can."""
        return self.reasons.setdefault(arm, self._ask(arm))


def write_basis(
    folder: Path,
    traits: Sequence[Trait],
    facts: Sequence[TraitFacts],
    cube: Mapping[str, str],
    shares: Mapping[str, float],
    levels: Levels,
    lacking: Remembered,
) -> None:
    """Write the basis file into a run's folder."""
    content = {
        "traits": {
            trait.name: {
                **asdict(fact),
                "rubric": asdict(trait.rubric) if trait.rubric else None,
                "hit_at": trait.judge.hit_at,
                "acts": trait.acts,
            }
            for trait, fact in zip(traits, facts, strict=True)
        },
        "cube": dict(cube),
        "shares": dict(shares),
        "levels": asdict(levels),
        "lacking": lacking.reasons,
    }
    write_atomic(folder / BASIS, json.dumps(content, ensure_ascii=False, indent=1) + "\n")
