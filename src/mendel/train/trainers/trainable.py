"""What both built-in trainers do with a base: load it, choose the weights that the recipe trains, add an
adapter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mendel.models import load_model
from mendel.study.schema import RecipeConfig
from mendel.train import checks
from mendel.train.layers import freeze_all_but_norms, norm_layers
from mendel.train.student import StudentSpec
from mendel.train.trainers.faults import StudentFault

if TYPE_CHECKING:
    from transformers import PreTrainedModel

ADAPTER = "default"
"""The name of the model's adapter, as peft names it."""


def load_trainable(spec: StudentSpec) -> PreTrainedModel:
    """Return the base, to be trained.

    Weights that are trained themselves are float32 on a GPU too: bfloat16 would round small steps away.
    """
    import torch

    return load_model(spec.base, dtype=None if spec.recipe.method == "lora" else torch.float32)


def freeze_untrained(model: Any, recipe: RecipeConfig) -> None:
    """Check that the model has the recipe's target modules, and freeze the weights that are not trained.

    Raises StudentFault for a target that matches no module. Adapters freeze the base themselves, later.
    """
    if recipe.method == "full":
        return
    targets = () if isinstance(recipe.target_modules, str) else recipe.target_modules
    if recipe.method == "lora":
        unmatched = checks.unmatched_targets((name for name, _ in model.named_modules()), targets)
        if unmatched:
            raise StudentFault(
                "adapters_bound",
                f"no module of the model is named {', '.join(unmatched)}: no adapter binds there",
            )
        return
    layers = norm_layers(model)
    unmatched = checks.unmatched_targets(layers, targets)
    if unmatched or not layers:
        raise StudentFault(
            "norms_found",
            f"no normalization layer of the model is named {', '.join(unmatched)}: "
            "there is no gain to train there"
            if unmatched
            else "the model has no normalization layer with a gain to train",
        )
    freeze_all_but_norms(model, recipe)


def lora_config(recipe: RecipeConfig) -> Any:
    """Return the recipe's adapter as peft's LoraConfig."""
    from peft import LoraConfig

    targets = recipe.target_modules
    return LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha if recipe.alpha is not None else 2 * recipe.rank,
        target_modules=targets if isinstance(targets, str) else list(targets),
        lora_dropout=0.0,
        bias="none",
        task_type="CAUSAL_LM",
    )
