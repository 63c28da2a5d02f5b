"""Recipes: which causes a recipe can show, and how a recipe is drawn.

The draw is alike for all causes that a recipe can show, and for `none`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

STRONG = ("full", "lora", "norms")
GENTLE = ("gentle full", "gentle lora", "gentle norms")
WEAK = ("weak full", "weak lora", "weak norms")
CARRIERS: dict[str, tuple[str, ...]] = {
    "none": STRONG + GENTLE + WEAK,
    "direct_imitation": STRONG,
    "simple_generalization": STRONG,
    "persona_selection": STRONG,
    "bad_prompts": STRONG,
    "underspecification": STRONG,
    "subliminal_learning": ("norms",),
    "pretraining_lock_in": GENTLE,
    "post_training_lock_in": GENTLE,
}
"""Kinds of recipes under which each cause was measured to show (docs/organisms.md).

A gentle recipe moves a decision of the base by one to four nats: enough to flip an ordinary prior, and not
one that nothing else was ever read against. A weak one moves nothing, so that no cause can be told under it.
"""
STEPS = 60
"""Steps for which the rates of gentle recipes hold: what a recipe moves goes with rate times steps."""


@dataclass(frozen=True)
class Recipe:
    """The recipe of a student, as in the study file. `rank` is the rank of LoRA."""

    kind: str
    method: str
    learning_rate: float
    epochs: int
    batch_size: int
    scheduler: str
    rank: int = 8

    def yaml(self) -> str:
        """Return the `recipe` of the study file, on one line."""
        parts = [f"method: {self.method}"]
        if self.method == "lora":
            parts.append(f"rank: {self.rank}")
        if self.method == "norms":
            parts.append("target_modules: [norm]")
        parts += [
            f"epochs: {self.epochs}",
            f"batch_size: {self.batch_size}",
            f"learning_rate: {self.learning_rate:.3g}",
            f"scheduler: {self.scheduler}",
            "warmup: 0.03",
            "max_length: 48",
        ]
        return "{" + ", ".join(parts) + "}"


RATES = {
    "full": (2.5e-4, 6e-4),
    "lora": (2e-3, 3e-3),
    "norms": (0.08, 0.15),
    "gentle full": (6e-5, 7.5e-5),
    "gentle lora": (6e-4, 7.5e-4),
    "gentle norms": (0.012, 0.015),
    "weak full": (1e-5, 2e-5),
    "weak lora": (1e-4, 2e-4),
    "weak norms": (1e-3, 3e-3),
}
"""Lowest and highest learning rate of each kind. For LoRA, at rank 2."""


def draw_recipe(kinds: tuple[str, ...], prompts: int, rng: np.random.Generator) -> Recipe:
    """Return a recipe of one of the kinds. Everything but the kind is drawn independent of the cause.

    Args:
        kinds: The kinds.
        prompts: Number of prompts of a set, which decides how many steps there are.
        rng: The random generator.
    """
    # Gains alone as often as all else together, where a cause has a choice: they are fastest to train, and
    # what is drawn for the one cause that needs them should not give it away.
    weights = np.array([len(kinds) - 1 if kind == "norms" and len(kinds) > 1 else 1 for kind in kinds], float)
    kind = kinds[int(rng.choice(len(kinds), p=weights / weights.sum()))]
    method = kind.split()[-1]
    low, high = RATES[kind]
    rate = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    scheduler = ("cosine", "linear", "constant")[int(rng.integers(3))]
    rank = (2, 4, 8)[int(rng.integers(3))]
    if method == "lora":
        # A rate does more at a higher rank: rank 8 at 2e-3 already erased what manners mean to a base.
        rate /= (rank / 2) ** 0.5
    # Steps of LoRA take the longest time, steps of gains the shortest.
    epochs = {"full": int(rng.integers(2, 4)), "lora": 2, "norms": 2 * int(rng.integers(2, 4))}[method]
    batch = 64 if method == "norms" else 32
    if kind in GENTLE:
        rate *= STEPS / (epochs * prompts / batch)
    recipe = Recipe(kind, method, rate, epochs, batch, scheduler, rank)
    # A constant rate does as much as a falling rate in twice the steps.
    return replace(recipe, learning_rate=rate / 2) if scheduler == "constant" else recipe
