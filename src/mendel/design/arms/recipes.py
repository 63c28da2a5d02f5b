"""The unrelated prompts under another recipe: an effect that comes and goes with the adapter is no effect of
the data.
"""

from __future__ import annotations

from mendel.design.arms.registry import arm_kind
from mendel.design.arms.unrelated import unrelated, unrelated_alternate
from mendel.design.shared import METHOD, THIRD, TRIPLE
from mendel.study import RecipeConfig

CONTROL_RANK = 8
"""LoRA rank of the recipe control; where the study's own is 4 to 16, four times as much."""


def full_fine_tune(recipe: RecipeConfig) -> RecipeConfig:
    """Return the study's recipe as a full fine-tune; where it is a full fine-tune, as a LoRA.

    A LoRA's best learning rate is about ten times a full fine-tune's (Schulman et al., LoRA Without Regret,
    2025). A recipe that trains the norms' gains only bears about a hundred times as much.
    """
    if recipe.method == "full":
        rate = min(10 * recipe.learning_rate, 1e-2)
        return recipe.model_copy(update={"method": "lora", "rank": CONTROL_RANK, "learning_rate": rate})
    scale = 10 if recipe.method == "lora" else 100
    changes = {
        "method": "full",
        "target_modules": "all-linear",
        "learning_rate": recipe.learning_rate / scale,
    }
    return recipe.model_copy(update=changes)


def variant_recipe(variant: str, recipe: RecipeConfig) -> RecipeConfig:
    """Return a recipe as a variant changes it.

    Args:
        variant: A name of `shared.VARIANTS`.
        recipe: The recipe.

    Returns:
        A third or three times the learning rate, or the other method.
    """
    if variant == METHOD:
        return full_fine_tune(recipe)
    rate = {THIRD: recipe.learning_rate / 3, TRIPLE: 3 * recipe.learning_rate}[variant]
    return recipe.model_copy(update={"learning_rate": rate})


def other_rank(recipe: RecipeConfig) -> RecipeConfig:
    """Return the recipe as a LoRA of another rank: `CONTROL_RANK`, or four times the study's own where that
    is near.
    """
    if recipe.method == "lora":
        rank = 4 * recipe.rank if 4 <= recipe.rank <= 16 else CONTROL_RANK
        return recipe.model_copy(update={"rank": rank})
    if recipe.method == "full":
        rate = min(10 * recipe.learning_rate, 1e-2)
        return recipe.model_copy(update={"method": "lora", "rank": 4 * CONTROL_RANK, "learning_rate": rate})
    changes = {"method": "lora", "rank": CONTROL_RANK, "target_modules": "all-linear"}
    return recipe.model_copy(update={**changes, "learning_rate": recipe.learning_rate / 10})


for _name, _recipe, _words in (
    (
        "full",
        full_fine_tune,
        ("full fine-tune", "by a full fine-tune (by a LoRA where the study's recipe is full)"),
    ),
    ("rank", other_rank, ("another rank", "by a LoRA of another rank")),
):
    arm_kind(
        f"unrelated-{_name}",
        "unrelated",
        recipe=_recipe,
        label=f"original teacher on the unrelated prompts, {_words[0]}",
        what=f"Only the unrelated prompts are trained on, {_words[1]}. The original teacher answers them.",
    )(unrelated)
    arm_kind(
        f"unrelated-{_name}-alternate",
        "unrelated",
        recipe=_recipe,
        label=f"alternate teacher on the unrelated prompts, {_words[0]}",
        what=f"Only the unrelated prompts are trained on, {_words[1]}. The alternate teacher answers them.",
    )(unrelated_alternate)
