"""Make an organism: a study whose cause is planted and known, admitted only if its effect is measured."""

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
"""Number of draws before an organism is given up."""
STRENGTH_ODDS = (0.2, 0.5, 0.3)
"""Chances that the seed draws weak, standard and strong."""
STEPS_OF_A_DRAW = 7.0
"""Progress steps of one draw: three pretrainings, the early stages, the teachers, the admission."""


@dataclass(frozen=True)
class Organism:
    """A study with a planted cause, and the truth about that cause."""

    study: Path
    """The study file."""
    cause: str
    trait: str
    """Name of the trait that shows the cause."""
    carriers: tuple[str, ...]
    """Original prompts whose planted rollouts show the trait. Empty if the cause is not in the data."""
    seed: int
    strength: str
    recipe: str
    """The kind of the recipe."""
    spread: str
    """Which situations of the target carry the trait.

    `all`: all of them. `clustered`: those in some wordings. `scattered`: those with a hidden feature.
    """
    redraws: int
    """Number of draws that did not show their own effect."""
    seconds: float
    """Wall time of the generation."""

    def truth(self) -> dict[str, object]:
        """Return the content of the truth file."""
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
    """Make a study with a planted cause.

    Args:
        cause: One of `CAUSES`, or two of them as `A+B`.
        seed: Random seed. The seed draws everything that the other arguments leave open.
        out: An empty folder for the study, or a folder that does not exist yet.
        truth: A file for the truth, outside `out`. No other file contains the truth. None: no such file.
        strength: `weak`, `standard` or `strong`. None: the seed draws the strength.
        spread: Which prompts carry the trait, for `simple_generalization` only. `all`: all situations of the
            target. `clustered` and `scattered`: 5 to 10 % of 1,000 prompts, in some wordings or with a hidden
            feature.
        progress: Where progress is shown. None: nowhere.

    Returns:
        The organism, with the path of its study file and its truth.

    Raises:
        InputError: The cause, strength or spread is unknown, two causes contradict each other, the folder is
            not empty, or the truth file cannot be written there.
        RunError: No draw shows its own effect.
    """
    began = time.monotonic()
    out = Path(out)
    causes = parse_cause(cause)
    _check(out, truth, strength, seed)
    checked_spread = _check_spread(causes, spread)
    shown = progress or NullProgress()
    reasons: list[str] = []
    with _one_thread():
        for attempt in range(ATTEMPTS):
            planted, plan = _draw(causes, seed, attempt, strength, checked_spread, shown)
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
        write_study(planted, Generators(causes, seed, attempt, checked_spread), out)
    made = Organism(
        study=out / "study.yaml",
        cause="+".join(causes),
        trait=planted.lexicon.traits[plan.target].name,
        carriers=planted.carriers(),
        seed=seed,
        strength=plan.strength,
        recipe=plan.recipe.kind,
        spread=spread,
        redraws=len(reasons),
        seconds=time.monotonic() - began,
    )
    if truth is not None:
        Path(truth).write_text(json.dumps(made.truth(), indent=2) + "\n")
    return made


def parse_cause(cause: str) -> tuple[str, ...]:
    """Return the causes of a name, a pair in the order of `CONSISTENT_PAIRS`.

    Raises:
        InputError: A cause is unknown, or two causes contradict each other.
    """
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


def _check_spread(causes: tuple[str, ...], spread: str) -> Spread:
    checked = next((name for name in SPREADS if name == spread), None)
    if checked is None:
        raise InputError("unknown spread of carriers", value=spread, fix=did_you_mean(spread, SPREADS))
    if spread != "all" and causes != ("simple_generalization",):
        raise InputError(
            "carriers are spread in organisms of simple_generalization alone",
            value="+".join(causes),
            fix="Leave the spread out, or take simple_generalization.",
        )
    return checked


def _draw(
    causes: tuple[str, ...], seed: int, attempt: int, strength: str | None, spread: Spread, progress: Progress
) -> tuple[Planted, OrganismPlan]:
    rng = Generators(causes, seed, attempt, spread)
    drawn = STRENGTHS[int(rng("strength").choice(3, p=STRENGTH_ODDS))]
    plan = draw_plan(causes, strength or drawn, rng("plan"), spread)
    progress.stage("organism" if not attempt else f"organism, draw {attempt + 1}", STEPS_OF_A_DRAW)
    planted = plant(plan, rng, lambda what: progress.step(1.0, what))
    return planted, plan


class Generators:
    """Random generators by name, from the causes of an organism, its seed and the number of the draw.

    The causes are part of the seed, so that organisms of one seed and several causes share nothing.
    """

    def __init__(self, causes: tuple[str, ...], seed: int, attempt: int, spread: Spread = "all") -> None:
        self.names = causes if spread == "all" else (*causes, spread)
        self.seed, self.attempt = seed, attempt

    def __call__(self, *names: str) -> np.random.Generator:
        """Return a new generator for a name. The same name gives the same numbers."""
        return np.random.default_rng([self.seed, self.attempt, *"/".join((*self.names, *names)).encode()])


@contextmanager
def _one_thread() -> Iterator[None]:
    """Context manager: use one thread, and restore the random state of torch at the end.

    Sums depend on the number of threads, so that one thread makes the same organism on every machine.
    """
    import torch

    before, state = torch.get_num_threads(), torch.get_rng_state()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
        torch.set_rng_state(state)
