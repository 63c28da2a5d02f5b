"""Makes an organism: a study whose cause is planted and known, and which shows its own effect before it is let out."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mendel.engine.errors import InputError, RunError, did_you_mean
from mendel.engine.progress import NullProgress, Progress
from mendel.organisms.planted.admission import shortfall
from mendel.organisms.planted.causes import (
    CAUSES,
    CONSISTENT_PAIRS,
    NONE,
    SPREADS,
    STRENGTHS,
    OrganismPlan,
    Spread,
    draw_plan,
)
from mendel.organisms.planted.organism import Planted, plant
from mendel.organisms.planted.writing import write_study

ATTEMPTS = 10
"""Draws of an organism before it is given up."""
STRENGTH_ODDS = (0.2, 0.5, 0.3)
"""How often the seed draws weak, standard and strong."""
WORK = 7.0
"""Progress of one draw: three pretrainings, the stages, the teachers, the admission."""


@dataclass(frozen=True)
class Organism:
    """A study that was made, and what was planted in it."""

    study: Path
    """Its study file."""
    cause: str
    trait: str
    """Name of the trait that carries the cause."""
    carriers: tuple[str, ...]
    """Original prompts whose rollouts were planted to carry the trait; empty where the cause is not in the data."""
    seed: int
    strength: str
    recipe: str
    """The kind of the recipe."""
    spread: str
    """Which situations of the target carry it: all, those in some wordings (clustered), those with a feature (scattered)."""
    redraws: int
    """Draws that did not show their own effect."""
    seconds: float

    def truth(self) -> dict[str, object]:
        """What the truth file holds."""
        return {
            "cause": self.cause,
            "trait": self.trait,
            "carriers": list(self.carriers),
            "seed": self.seed,
            "redraws": self.redraws,
            "strength": self.strength,
            "recipe": self.recipe,
            "spread": self.spread,
        }


def organism(
    cause: str,
    seed: int,
    out: Path,
    *,
    truth: Path | None = None,
    strength: str | None = None,
    spread: str = "all",
    progress: Progress | None = None,
) -> Organism:
    """Writes a study with that cause into the empty folder `out`, and the truth into the file `truth` alone.

    `cause` is one of `CAUSES` or two of them as `A+B`; `strength` is weak, standard or strong (None: drawn by the seed);
    `spread`, of `simple_generalization` alone, makes 1,000 prompts of which 5 to 10 % carry it, in some wordings
    (clustered) or by a hidden feature (scattered). All else is drawn by the seed. Raises InputError for an unknown cause,
    strength or spread, a pair that contradicts itself and a folder that is not empty; RunError where no draw shows its own effect.
    """
    began = time.monotonic()
    out = Path(out)
    causes = parse_cause(cause)
    _check(out, truth, strength, seed)
    own = _spread_of(causes, spread)
    told = progress or NullProgress()
    reasons: list[str] = []
    with _one_thread():
        for attempt in range(ATTEMPTS):
            planted, plan = _draw(causes, seed, attempt, strength, own, told)
            reason = shortfall(planted)
            if not reason:
                break
            reasons.append(reason)
        else:
            raise RunError(
                f"no organism of {ATTEMPTS} draws shows its own effect (the last: {reasons[-1]})",
                where=f"{cause}, seed {seed}",
                fix="Take another seed, or a higher strength.",
            )
        write_study(planted, Generators(causes, seed, attempt, own), out)
    carriers = planted.carriers()
    organism = Organism(
        study=out / "study.yaml",
        cause="+".join(causes),
        trait=planted.lexicon.traits[plan.target].name,
        carriers=carriers,
        seed=seed,
        strength=plan.strength,
        recipe=plan.recipe.kind,
        spread=spread,
        redraws=len(reasons),
        seconds=time.monotonic() - began,
    )
    if truth is not None:
        Path(truth).write_text(json.dumps(organism.truth(), indent=2) + "\n")
    return organism


def parse_cause(cause: str) -> tuple[str, ...]:
    """The causes that a name says, a pair in its listed order; raises InputError for what is none or contradicts itself."""
    names = tuple(cause.split("+"))
    for name in names:
        if name not in CAUSES:
            raise InputError("unknown cause", value=name, fix=did_you_mean(name, CAUSES))
    if len(names) == 1:
        return names
    for pair in CONSISTENT_PAIRS:
        if len(names) == 2 and set(names) == set(pair):
            return pair
    raise InputError(
        _contradiction(names),
        value=cause,
        allowed=", ".join("+".join(pair) for pair in CONSISTENT_PAIRS),
    )


def _contradiction(names: tuple[str, ...]) -> str:
    if len(names) > 2:
        return "more than two causes"
    if names[0] == names[1]:
        return "the same cause twice"
    if NONE in names:
        return "no cause beside one that is there"
    if set(names) == {"subliminal_learning", "persona_selection"}:
        return "one says that rollouts carry the trait to a sister of the base, the other that they do not"
    return "one says that the base decides whatever the data, the other that the data do"


def _check(out: Path, truth: Path | None, strength: str | None, seed: int) -> None:
    if strength is not None and strength not in STRENGTHS:
        raise InputError("unknown strength", value=strength, fix=did_you_mean(strength, STRENGTHS))
    if seed < 0:
        raise InputError("a seed is 0 or more", value=seed)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(
            "not an empty folder" if out.is_dir() else "a file, not a folder",
            where=str(out),
            fix="Name a new one: an organism is never written over something else.",
        )
    if truth is not None and Path(truth).resolve().is_relative_to(out.resolve()):
        raise InputError(
            "the truth would stand in the study's folder", where=str(truth), fix="Put it elsewhere."
        )
    if truth is not None and not Path(truth).resolve().parent.is_dir():
        raise InputError("no such folder for the truth", where=str(truth), fix="Make the folder first.")


def _spread_of(causes: tuple[str, ...], spread: str) -> Spread:
    found = next((known for known in SPREADS if known == spread), None)
    if found is None:
        raise InputError("unknown spread of carriers", value=spread, fix=did_you_mean(spread, SPREADS))
    if spread != "all" and causes != ("simple_generalization",):
        raise InputError(
            "carriers are spread in organisms of simple_generalization alone",
            value="+".join(causes),
            fix="Leave the spread out, or take simple_generalization.",
        )
    return found


def _draw(
    causes: tuple[str, ...], seed: int, attempt: int, strength: str | None, spread: Spread, told: Progress
) -> tuple[Planted, OrganismPlan]:
    rng = Generators(causes, seed, attempt, spread)
    drawn = STRENGTHS[int(rng("strength").choice(3, p=STRENGTH_ODDS))]
    plan = draw_plan(causes, strength or drawn, rng("plan"), spread)
    told.stage("organism" if not attempt else f"organism, draw {attempt + 1}", WORK)
    planted = plant(plan, rng, lambda what: told.step(1.0, what))
    return planted, plan


class Generators:
    """Generators by the names of what they make, from an organism's causes, its seed and the number of the draw.

    From the causes, too, so that organisms of one seed and several causes have nothing in common.
    """

    def __init__(self, causes: tuple[str, ...], seed: int, attempt: int, spread: Spread = "all") -> None:
        self.names = causes if spread == "all" else (*causes, spread)
        self.seed, self.attempt = seed, attempt

    def __call__(self, *names: str) -> np.random.Generator:
        """The generator of that name, always from its start."""
        return np.random.default_rng([self.seed, self.attempt, *"/".join((*self.names, *names)).encode()])


@contextmanager
def _one_thread() -> Iterator[None]:
    """One thread, and the caller's random state left as it was: the same organism however many cores there are."""
    import torch

    before, state = torch.get_num_threads(), torch.get_rng_state()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
        torch.set_rng_state(state)
