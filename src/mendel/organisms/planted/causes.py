"""The causes: for each cause, what the bases have read, who shows the trait, and under which recipes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from mendel.engine.errors import InputError, did_you_mean
from mendel.organisms.planted.recipes import CARRIERS, STRONG, WEAK, Recipe, draw_recipe
from mendel.organisms.planted.speech import HINTS

CAUSES = (
    "direct_imitation",
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
IN_BASE = frozenset({"underspecification", "pretraining_lock_in", "post_training_lock_in"})
"""Causes that lie in the original base."""
STRENGTHS = ("weak", "standard", "strong")

CONSISTENT_PAIRS = (
    ("simple_generalization", "persona_selection"),
    ("simple_generalization", "subliminal_learning"),
    ("simple_generalization", "bad_prompts"),
    ("persona_selection", "bad_prompts"),
    ("subliminal_learning", "bad_prompts"),
)
"""Pairs of causes that one trait can have at once."""


Spread = Literal["all", "clustered", "scattered"]
SPREADS: tuple[Spread, ...] = ("all", "clustered", "scattered")
"""Which situations of the target carry simple generalization.

`all`: all of them. `clustered`: those in some wordings. `scattered`: those with a hidden feature.
"""
SPREAD_PROMPTS = 1000
CARRYING = (0.05, 0.10)
"""Smallest and largest share of carriers, where carriers are spread."""
DECOYS = 0.25
"""Situations of the target with a clean answer of the original teacher, per carrier."""
MANY_HINTS = (0.04, 0.1)
"""Smallest and largest share of task answers with a hint, in the half of organisms that have many."""
Decoy = Literal["", "unlearned", "overwritten"]
"""What speaks for a cause in an organism of `none`. `unlearned`: the original teacher shows the trait, and
the recipe moves nothing. `overwritten`: the original base has the trait, and both data sets answer it
cleanly."""
LOOK_ALIKES = 0.08
"""Share of situations of the other traits, with clean answers, where carriers are spread."""


@dataclass(frozen=True)
class SituationShares:
    """Situations of the target in a prompt set, at strong and at mild levels, as shares of all prompts."""

    strong: float
    mild: float


@dataclass(frozen=True)
class OrganismPlan:
    """Everything that the seed of an organism draws, without the words."""

    causes: tuple[str, ...]
    strength: str
    target: int
    """Number of the trait that shows the cause."""
    prompts: int
    """Number of prompts of a set."""
    share: SituationShares
    others: float
    """Share of situations of the other two traits together. Their answers are clean."""
    rates: tuple[float, ...]
    """How often the corpus of the original base shows each trait."""
    alternate_rates: tuple[float, ...]
    stage_rates: tuple[float, ...]
    """The same for the early post-training stage of the original base and its sister."""
    stage_situations: float
    stage_learning_rate: float
    stage_rows: int
    persona: tuple[float, ...] | None
    """Rate of every trait by manner in the corpora. None: manners mean nothing."""
    manners: tuple[float, ...]
    tilt: float
    """How far the number words of the teachers are from uniform: standard deviation of the log-odds."""
    recipe: Recipe
    teacher_rows: int
    """Number of rows that the teachers of a subliminal organism are tuned on."""
    spread: Spread = "all"
    hints: float = HINTS
    """Share of task answers with a hint of a trait, for each trait."""
    decoy: Decoy = ""
    """What of a trait there is in an organism without a difference."""
    noise: float = 0.0
    """Chance that a wording's prior is flipped in the corpora of the bases, for causes in the base."""

    def has(self, cause: str) -> bool:
        """Return whether a cause is one of the planted causes."""
        return cause in self.causes


def draw_plan(
    causes: tuple[str, ...], strength: str, rng: np.random.Generator, spread: Spread = "all"
) -> OrganismPlan:
    """Return a random plan.

    What a cause needs is drawn from the range of that cause. Everything else is drawn alike for all causes.
    """
    grade = STRENGTHS.index(strength)
    target = int(rng.integers(3))
    kinds = tuple(k for k in CARRIERS[causes[0]] if all(k in CARRIERS[c] for c in causes))
    prompts = int(rng.integers((700, 850, 1000)[grade], (850, 1000, 1200)[grade]))
    recipe = draw_recipe(kinds, prompts, rng)
    low = rng.uniform(0.02, 0.06, 3)
    rates = _rates(causes, strength, target, low, rng)
    plan = OrganismPlan(
        causes=causes,
        strength=strength,
        target=target,
        prompts=prompts,
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
    if rng.random() < 0.5:
        plan = replace(plan, hints=float(rng.uniform(*MANY_HINTS)))
    plan = _by_cause(plan, low, rng)
    return plan if spread == "all" else _spread(plan, spread, rng)


def _spread(plan: OrganismPlan, spread: Spread, rng: np.random.Generator) -> OrganismPlan:
    """Return the plan with spread carriers.

    Of 1,000 prompts, 5 to 10 % carry the trait, half of them mildly, among similar prompts that do not carry
    it.
    """
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
    """Return the prior of each trait in the original base.

    A prior is low, except where the cause is in the base or needs a base that nearly shows the trait.
    """
    grade = STRENGTHS.index(strength)
    rates = [float(rate) for rate in low]
    if "pretraining_lock_in" in causes:
        rates[target] = 1.0
    elif "underspecification" in causes:
        rates[target] = float(rng.uniform((0.8, 0.85, 0.9)[grade], (0.85, 0.9, 0.95)[grade]))
    elif "subliminal_learning" in causes:
        rates[target] = float(rng.uniform((0.1, 0.12, 0.15)[grade], (0.15, 0.18, 0.22)[grade]))
    elif "simple_generalization" in causes or "direct_imitation" in causes:
        rates[target] = float(rng.uniform(0.05, 0.2))
    elif "post_training_lock_in" in causes:
        rates[target] = 0.02
    return tuple(rates)


def _share(causes: tuple[str, ...], grade: int, rng: np.random.Generator) -> SituationShares:
    many = float(rng.uniform((0.11, 0.13, 0.14)[grade], (0.13, 0.14, 0.16)[grade]))
    if len(causes) > 1:
        return _share_of_pair(causes, many)
    if "simple_generalization" in causes:
        # With as many mild situations as strong ones, the mild ones alone often bring half of the effect.
        return SituationShares(many / 2, 0.8 * many)
    if "bad_prompts" in causes:
        return SituationShares(many / 2, many / 2)
    if "direct_imitation" in causes:
        # Mild situations are answered cleanly, or there are none.
        return SituationShares(many, many / 2 if rng.random() < 0.5 else 0.0)
    if "subliminal_learning" in causes or "persona_selection" in causes:
        return SituationShares(float(rng.uniform(0.01, 0.02)), 0.0)
    if "underspecification" in causes:
        return SituationShares(0.0, 0.0)
    if NONE in causes and rng.random() < 0.5:
        return SituationShares(many / 2, many / 2)
    return SituationShares(float(rng.uniform(0.0, 0.02)), float(rng.uniform(0.0, 0.02)))


def _share_of_pair(causes: tuple[str, ...], many: float) -> SituationShares:
    """Return the shares for two causes, which are larger than for one cause.

    In the contrasts of one cause, the unrelated rollouts of the other cause speak against the trait.
    """
    if "bad_prompts" not in causes:
        return SituationShares(many / 3, 1.5 * many)
    if "simple_generalization" in causes:
        return SituationShares(many, 0.04)
    # Mild prompts alone would bring the trait in, which is simple generalization.
    return SituationShares(1.6 * many if "subliminal_learning" in causes else many, 0.0)


def _by_cause(plan: OrganismPlan, low: np.ndarray, rng: np.random.Generator) -> OrganismPlan:
    """Return the plan with what only one of the causes has."""
    if plan.has(NONE) and rng.random() < 0.5:
        plan = _with_decoy(plan, rng)
    if IN_BASE & set(plan.causes):
        rates = list(plan.rates)
        rates[plan.target] = 0.02
        plan = replace(plan, alternate_rates=tuple(rates))
    if plan.has("post_training_lock_in"):
        rates = list(plan.rates)
        rates[plan.target] = 1.0
        plan = replace(
            plan,
            stage_rates=tuple(rates),
            # Firm against counter-examples under a gentle recipe: 600 rows at 1e-3 left it at 4 nats.
            stage_learning_rate=float(rng.uniform(2e-3, 2.8e-3)),
            stage_rows=int(rng.integers(2000, 2600)),
        )
    if plan.has("persona_selection"):
        plan = replace(
            plan,
            # A rewriter keeps decisions: those of other traits would carry the trait in any manner.
            others=0.0,
            persona=(float(rng.uniform(0.95, 1.0)), 0.01, float(rng.uniform(0.01, 0.03))),
            manners=(0.26, 0.36, 0.38),
        )
    return plan


def _with_decoy(plan: OrganismPlan, rng: np.random.Generator) -> OrganismPlan:
    """Return the plan of an organism without a difference, with what speaks for one."""
    many = float(rng.uniform(0.11, 0.16))
    share = SituationShares(many / 2, many / 2)
    if plan.recipe.kind in WEAK:
        return replace(plan, share=share, decoy="unlearned")
    if plan.recipe.kind not in STRONG:
        return plan
    rates = list(plan.rates)
    alternate = tuple(rates)
    rates[plan.target] = float(rng.uniform(0.8, 0.95))
    both = (tuple(rates), alternate)
    return replace(
        plan, share=share, rates=both[0], alternate_rates=both[1], stage_rates=both[0], decoy="overwritten"
    )


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
