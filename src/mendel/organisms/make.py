"""Make an organism: a study whose cause is planted, admitted only if its pipelines differ as planted."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from mendel.engine.errors import InputError, RunError, did_you_mean
from mendel.engine.progress import NullProgress, Progress
from mendel.models.local.quiet import quiet
from mendel.organisms.folk.organism import check_folk_cause, write_admitted_folk
from mendel.organisms.folk.writing import TRAIT_NAME
from mendel.organisms.planted.admission import shortfall
from mendel.organisms.planted.causes import (
    SPREADS,
    STRENGTHS,
    OrganismPlan,
    Spread,
    draw_plan,
    parse_cause,
)
from mendel.organisms.planted.organism import Planted, plant
from mendel.organisms.planted.shown import OrganismRates, measure_ends, measure_parts, unclear_parts
from mendel.organisms.planted.truth import PlantedTruth, truth_of
from mendel.organisms.planted.writing import write_study
from mendel.organisms.transformations import ChosenTransformation, choose

ATTEMPTS = 10
"""Number of draws before an organism is given up."""
GENERATORS = ("planted", "folk")
"""Generators of organisms. They share no language, no model and no way to plant a cause."""
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
    """The cause of the difference between the pipelines. `none`: there is no difference."""
    planted: str
    """The cause that was planted. A transformation may change which one makes the difference, if any does."""
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
    state: str = "difference"
    """`difference`: only the original pipeline has the trait. `shared`: both have it. `absent`: neither."""
    location: tuple[str, ...] = ()
    """The parts of the pipeline that were planted to carry the trait, named as in a verdict's `location`."""
    unclear: tuple[str, ...] = ()
    """Parts whose measured shares do not agree with what was planted."""
    transformations: tuple[str, ...] = ()
    """The transformations, as `NAME` or `NAME=VALUE`."""
    shown: Mapping[str, Any] = field(default_factory=dict)
    """What students of the generator showed: levels of both pipelines, and the share of each part."""
    generator: str = "planted"

    def truth(self) -> dict[str, object]:
        """Return the content of the truth file."""
        return {
            "generator": self.generator,
            "cause": self.cause,
            "trait": self.trait,
            "carriers": list(self.carriers),
            "seed": self.seed,
            "redraws": self.redraws,
            "strength": self.strength,
            "recipe": self.recipe,
            "spread": self.spread,
            "planted": self.planted,
            "state": self.state,
            "location": list(self.location),
            "unclear": list(self.unclear),
            "transformations": list(self.transformations),
            "shown": dict(self.shown),
        }


def organism(
    cause: str,
    seed: int,
    out: Path,
    *,
    truth: Path | None = None,
    strength: str | None = None,
    spread: str = "all",
    transformations: Sequence[str] = (),
    generator: str = "planted",
    progress: Progress | None = None,
) -> Organism:
    """Make a study with a planted cause.

    Args:
        cause: One of `CAUSES`, or two of them as `A+B`. For the generator `folk`: one of `FOLK_CAUSES`.
        seed: Random seed. The seed draws everything that the other arguments leave open.
        out: An empty folder for the study, or a folder that does not exist yet.
        truth: A file for the truth, outside `out`. No other file contains the truth. None: no such file.
        strength: `weak`, `standard` or `strong`. None: the seed draws the strength.
        spread: Which prompts carry the trait, for `simple_generalization` only. `all`: all situations of the
            target. `clustered` and `scattered`: 5 to 10 % of 1,000 prompts, in some wordings or with a hidden
            feature.
        transformations: Changes that a real study may have, as `NAME` or `NAME=VALUE`, such as
            `judge_recall=.5`. They are made in this order. With or without them the seed draws the same.
        generator: `planted`, or `folk`, which has another design (docs/folk.md). `folk` draws every strength
            itself.
        progress: Where progress is shown. None: nowhere.

    Returns:
        The organism, with the path of its study file and its truth.

    Raises:
        InputError: The cause, strength or spread is unknown, two causes contradict each other, the folder is
            not empty, the truth file cannot be written there, or a transformation is unknown, has a value
            that is not allowed, or does not apply.
        RunError: No draw shows a difference between the pipelines, or one shows where none was planted.
    """
    began = time.monotonic()
    out = Path(out)
    check_generator(generator)
    if generator == "folk":
        if transformations:
            raise InputError(
                "transformations are for organisms of the generator planted",
                value=",".join(transformations),
                fix="Leave the transformations or the generator out.",
            )
        made = _folk(cause, seed, out, truth, strength, spread, progress or NullProgress())
        if truth is not None:
            Path(truth).write_text(json.dumps(made.truth(), indent=2) + "\n")
        return made
    causes = parse_cause(cause)
    _check(out, truth, strength, seed)
    checked_spread = _check_spread(causes, spread)
    chosen = choose(transformations, causes)
    progress = progress or NullProgress()
    reasons: list[str] = []
    with _one_thread():
        for attempt in range(ATTEMPTS):
            rng = Generators(causes, seed, attempt, checked_spread)
            planted = _draw(rng, strength, chosen, progress)
            true = transformed_truth(planted, chosen)
            shown = measure_ends(planted)
            reason = shortfall(shown, true, others_may_move=planted.plan.has("persona_selection"))
            if not reason:
                break
            reasons.append(reason)
        else:
            raise RunError(
                f"no organism of {ATTEMPTS} draws shows its own effect (the last: {reasons[-1]})",
                where=",".join((f"{cause}, seed {seed}", *map(str, chosen))),
                fix="Take another seed, a higher strength, or other transformations.",
            )
        write_study(planted, rng, out)
        shown = replace(shown, parts=measure_parts(planted, shown))
    made = _organism(planted, true, shown, out, seed=seed, redraws=len(reasons), chosen=chosen, began=began)
    if truth is not None:
        Path(truth).write_text(json.dumps(made.truth(), indent=2) + "\n")
    return made


def _organism(
    planted: Planted,
    true: PlantedTruth,
    shown: OrganismRates,
    out: Path,
    *,
    seed: int,
    redraws: int,
    chosen: Sequence[ChosenTransformation],
    began: float,
) -> Organism:
    plan = planted.plan
    return Organism(
        study=out / "study.yaml",
        cause=true.cause,
        planted="+".join(plan.causes),
        trait=planted.lexicon.traits[plan.target].name,
        carriers=planted.carriers(),
        seed=seed,
        strength=plan.strength,
        recipe=plan.recipe.kind,
        spread=plan.spread,
        redraws=redraws,
        seconds=time.monotonic() - began,
        state=true.state,
        location=true.location,
        unclear=unclear_parts(true.location, shown.parts),
        transformations=tuple(map(str, chosen)),
        shown=shown.as_json(),
    )


def check_generator(generator: str) -> None:
    """Raise InputError for a generator that there is not."""
    if generator not in GENERATORS:
        raise InputError("unknown generator", value=generator, fix=did_you_mean(generator, GENERATORS))


def _folk(
    cause: str,
    seed: int,
    out: Path,
    truth: Path | None,
    strength: str | None,
    spread: str,
    progress: Progress,
) -> Organism:
    """Make an organism of the second generator."""
    began = time.monotonic()
    check_folk_cause(cause)
    if strength is not None or spread != "all":
        raise InputError(
            "the generator folk draws strengths and spreads itself",
            value=strength or spread,
            fix="Leave the strength and the spread out.",
        )
    _check(out, truth, strength, seed)
    with _one_thread(), quiet():
        folk, redraws = write_admitted_folk(
            cause, lambda attempt: Generators(("folk", cause), seed, attempt), ATTEMPTS, out, progress
        )
    return Organism(
        study=out / "study.yaml",
        cause="none" if cause == "shared" else cause,
        planted=cause,
        trait=TRAIT_NAME,
        carriers=folk.carriers(),
        seed=seed,
        strength="",
        recipe=folk.plan.recipe.method,
        spread="all",
        redraws=redraws,
        seconds=time.monotonic() - began,
        generator="folk",
        state=folk.plan.state,
        location=folk.plan.planted,
        unclear=folk.unclear(),
        shown={
            "levels": dict(folk.levels),
            "parts": {name: dict(part) for name, part in folk.shares.items()},
        },
    )


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
    rng: Generators, strength: str | None, chosen: Sequence[ChosenTransformation], progress: Progress
) -> Planted:
    drawn = STRENGTHS[int(rng("strength").choice(3, p=STRENGTH_ODDS))]
    plan = draw_plan(rng.causes, strength or drawn, rng("plan"), rng.spread)
    attempt = rng.attempt
    progress.stage("organism" if not attempt else f"organism, draw {attempt + 1}", STEPS_OF_A_DRAW)
    return transformed(plan, rng, chosen, lambda what: progress.step(1.0, what))


def transformed(
    plan: OrganismPlan,
    rng: Generators,
    chosen: Sequence[ChosenTransformation],
    say: Callable[[str], None] = lambda _: None,
    planting: Callable[[OrganismPlan, Generators, Callable[[str], None]], Planted] = plant,
) -> Planted:
    """Return an organism with its transformations, in the order given.

    Args:
        plan: The plan without transformations.
        rng: The generators of the organism.
        chosen: The transformations. First all of them change the plan, then all of them what was planted.
        say: Receives what is being done.
        planting: Makes the organism from the plan.
    """
    for one in chosen:
        plan = one.transformation.on_plan(plan, one.value)
    planted = planting(plan, rng, say)
    for one in chosen:
        planted = one.transformation.on_planted(planted, one.value, rng)
    return planted


def transformed_truth(planted: Planted, chosen: Sequence[ChosenTransformation]) -> PlantedTruth:
    """Return the truth about an organism after its transformations."""
    truth = truth_of(planted.plan.causes)
    for one in chosen:
        truth = one.transformation.on_truth(truth, planted, one.value)
    return truth


class Generators:
    """Random generators by name, from the causes of an organism, its seed and the number of the draw.

    The causes are part of the seed, so that organisms of one seed and several causes share nothing.
    """

    def __init__(self, causes: tuple[str, ...], seed: int, attempt: int, spread: Spread = "all") -> None:
        self.names = causes if spread == "all" else (*causes, spread)
        self.causes, self.spread = causes, spread
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
