"""Recipes: which causes a recipe can show, and how a recipe is drawn.

The draw is alike for all causes that a recipe can show, and for `none`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

STRONG = ("full", "lora", "norms")
WEAK = ("weak full", "weak lora", "weak norms")
CARRIERS: dict[str, tuple[str, ...]] = {
    "none": STRONG + WEAK,
    "direct_imitation": STRONG,
    "simple_generalization": STRONG,
    "persona_selection": STRONG,
    "bad_prompts": STRONG,
    "underspecification": STRONG + WEAK,
    "subliminal_learning": ("norms",),
    "pretraining_lock_in": WEAK,
    "post_training_lock_in": WEAK,
}
"""Kinds of recipes under which each cause was measured to show (docs/organisms.md).

A weak recipe cannot change a firm decision of the base, so it shows the lock-ins only.
"""


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
    "weak full": (1e-5, 2e-5),
    "weak lora": (1e-4, 2e-4),
    "weak norms": (1e-3, 3e-3),
}
"""Lowest and highest learning rate of each kind. For LoRA, at rank 2."""


def draw_recipe(kinds: tuple[str, ...], rng: np.random.Generator) -> Recipe:
    """Return a recipe of one of the kinds. Everything but the kind is drawn independent of the cause."""
    kind = kinds[int(rng.integers(len(kinds)))]
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
    recipe = Recipe(kind, method, rate, epochs, 64 if method == "norms" else 32, scheduler, rank)
    # A constant rate does as much as a falling rate in twice the steps.
    return replace(recipe, learning_rate=rate / 2) if scheduler == "constant" else recipe
