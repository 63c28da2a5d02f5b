"""The causes: for each one what its bases have read, who shows the trait where, and under which recipes it shows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from mendel.organisms.planted.recipes import CARRIERS, Recipe, draw_recipe

CAUSES = (
    "simple_generalization",
    "subliminal_learning",
    "persona_selection",
    "underspecification",
    "bad_prompts",
    "pretraining_lock_in",
    "post_training_lock_in",
    "none",
)
NONE = "none"
STRENGTHS = ("weak", "standard", "strong")

CONSISTENT_PAIRS = (
    ("simple_generalization", "persona_selection"),
    ("simple_generalization", "subliminal_learning"),
    ("simple_generalization", "bad_prompts"),
    ("persona_selection", "bad_prompts"),
    ("subliminal_learning", "bad_prompts"),
)
"""Pairs that can hold for one trait at once."""


Spread = Literal["all", "clustered", "scattered"]
SPREADS: tuple[Spread, ...] = ("all", "clustered", "scattered")
"""Which situations of the target carry simple generalization: all of them, those in some wordings, those with a hidden feature."""
SPREAD_PROMPTS = 1000
CARRYING = (0.05, 0.10)
"""Least and greatest share of carriers where they are spread."""
DECOYS = 0.25
"""Situations of the target that the original teacher answers cleanly, a carrier."""
LOOK_ALIKES = 0.08
"""Share of situations of the other traits, answered cleanly, where carriers are spread."""


@dataclass(frozen=True)
class SituationShares:
    """Target situations of a prompt set, as shares of all its prompts: with strong levels, with mild ones."""

    strong: float
    mild: float


@dataclass(frozen=True)
class OrganismPlan:
    """All that an organism's seed draws, but for its words."""

    causes: tuple[str, ...]
    strength: str
    target: int
    """Number of the trait that carries the cause."""
    prompts: int
    """Prompts of a set."""
    share: SituationShares
    others: float
    """Share of situations of the other two traits together: their answers are clean."""
    rates: tuple[float, ...]
    """How often the original base's corpus shows each trait."""
    alternate_rates: tuple[float, ...]
    stage_rates: tuple[float, ...]
    """The same of the early post-training stage of the original base and its sister."""
    stage_situations: float
    stage_learning_rate: float
    stage_rows: int
    persona: tuple[float, ...] | None
    """Rate of every trait by manner in the corpora; None: manners mean nothing."""
    manners: tuple[float, ...]
    tilt: float
    """How far the teachers' number words are from flat: standard deviation of log-odds."""
    recipe: Recipe
    teacher_rows: int
    """Rows that a subliminal organism's teachers are tuned on."""
    spread: Spread = "all"

    def has(self, cause: str) -> bool:
        """Whether it is one of the planted causes."""
        return cause in self.causes


def draw_plan(
    causes: tuple[str, ...], strength: str, rng: np.random.Generator, spread: Spread = "all"
) -> OrganismPlan:
    """Draws a plan; what the cause needs is drawn from the cause's own range, all else alike for all causes."""
    grade = STRENGTHS.index(strength)
    target = int(rng.integers(3))
    kinds = tuple(k for k in CARRIERS[causes[0]] if all(k in CARRIERS[c] for c in causes))
    recipe = draw_recipe(kinds, rng)
    low = rng.uniform(0.02, 0.06, 3)
    rates = _rates(causes, strength, target, low, rng)
    plan = OrganismPlan(
        causes=causes,
        strength=strength,
        target=target,
        prompts=int(rng.integers((700, 850, 1000)[grade], (850, 1000, 1200)[grade])),
        share=_share(causes, grade, rng),
        others=float(max(0.0, rng.uniform(-0.02, 0.05))),
        rates=rates,
        alternate_rates=rates,
        stage_rates=rates,
        stage_situations=float(rng.uniform(0.3, 0.5)),
        stage_learning_rate=float(rng.uniform(5e-4, 1e-3)),
        stage_rows=int(rng.integers(600, 1000)),
        persona=None,
        manners=(1 / 3, 1 / 3, 1 / 3),
        tilt=float(rng.uniform(0.2, 0.5)),
        recipe=recipe,
        teacher_rows=int(rng.integers(500, 700)),
    )
    plan = _by_cause(plan, low, rng)
    return plan if spread == "all" else _spread(plan, spread, rng)


def _spread(plan: OrganismPlan, spread: Spread, rng: np.random.Generator) -> OrganismPlan:
    """A thousand prompts of which a twentieth to a tenth carry, half of them mildly, among look-alikes that do not."""
    carrying = float(rng.uniform(*CARRYING))
    return replace(
        plan,
        prompts=SPREAD_PROMPTS,
        share=SituationShares(carrying / 2, carrying / 2),
        others=LOOK_ALIKES,
        spread=spread,
    )


def _rates(
    causes: tuple[str, ...], strength: str, target: int, low: np.ndarray, rng: np.random.Generator
) -> tuple[float, ...]:
    """The original base's prior of each trait: low, but where the cause is in the base or needs to be near it."""
    grade = STRENGTHS.index(strength)
    rates = [float(rate) for rate in low]
    if "pretraining_lock_in" in causes:
        rates[target] = 1.0
    elif "underspecification" in causes:
        rates[target] = float(rng.uniform((0.8, 0.85, 0.9)[grade], (0.85, 0.9, 0.95)[grade]))
    elif "subliminal_learning" in causes:
        rates[target] = float(rng.uniform((0.1, 0.12, 0.15)[grade], (0.15, 0.18, 0.22)[grade]))
    elif "simple_generalization" in causes:
        rates[target] = float(rng.uniform(0.05, 0.2))
    elif "post_training_lock_in" in causes:
        rates[target] = 0.02
    return tuple(rates)


def _share(causes: tuple[str, ...], grade: int, rng: np.random.Generator) -> SituationShares:
    many = float(rng.uniform((0.11, 0.13, 0.14)[grade], (0.13, 0.14, 0.16)[grade]))
    if len(causes) > 1:
        return _share_of_pair(causes, many)
    if "simple_generalization" in causes or "bad_prompts" in causes:
        return SituationShares(many / 2, many / 2)
    if "subliminal_learning" in causes or "persona_selection" in causes:
        return SituationShares(float(rng.uniform(0.01, 0.02)), 0.0)
    if "underspecification" in causes:
        return SituationShares(0.0, 0.0)
    if NONE in causes and rng.random() < 0.5:
        return SituationShares(many / 2, many / 2)
    return SituationShares(float(rng.uniform(0.0, 0.02)), float(rng.uniform(0.0, 0.02)))


def _share_of_pair(causes: tuple[str, ...], many: float) -> SituationShares:
    """Larger than for one cause: in the contrasts of one the other's unrelated rollouts speak against it."""
    if "bad_prompts" not in causes:
        return SituationShares(many / 3, 1.5 * many)
    if "simple_generalization" in causes:
        return SituationShares(many, 0.04)
    # Mild prompts would bring the trait in by themselves, which is simple generalization and nothing else.
    return SituationShares(1.6 * many if "subliminal_learning" in causes else many, 0.0)


def _by_cause(plan: OrganismPlan, low: np.ndarray, rng: np.random.Generator) -> OrganismPlan:
    """What only one cause has."""
    base = {"underspecification", "pretraining_lock_in", "post_training_lock_in"}
    if base & set(plan.causes):
        rates = list(plan.rates)
        rates[plan.target] = 0.02
        plan = replace(plan, alternate_rates=tuple(rates))
    if plan.has("post_training_lock_in"):
        rates = list(plan.rates)
        rates[plan.target] = 1.0
        plan = replace(plan, stage_rates=tuple(rates), stage_learning_rate=float(rng.uniform(8e-4, 1.2e-3)))
    if plan.has("persona_selection"):
        plan = replace(
            plan,
            # A rewriter keeps decisions, so those of the other traits would carry the trait in any manner.
            others=0.0,
            persona=(float(rng.uniform(0.95, 1.0)), 0.01, float(rng.uniform(0.01, 0.03))),
            manners=(0.26, 0.36, 0.38),
        )
    return plan
