"""Which weights of a base are trained: all of them, or the gains of its normalization layers alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mendel.study.schema import RecipeConfig
from mendel.train.checks import is_target

if TYPE_CHECKING:
    import torch


def norm_layers(model: Any) -> dict[str, torch.nn.Parameter]:
    """The gains of a model's normalization layers, by the layer's name.

    A layer is one if its class says so (`LlamaRMSNorm`, `LayerNorm`, ...); one without a gain has nothing to train.
    """
    import torch

    return {
        name: layer.weight
        for name, layer in model.named_modules()
        if "Norm" in type(layer).__name__ and isinstance(getattr(layer, "weight", None), torch.nn.Parameter)
    }


def freeze_all_but_norms(model: Any, recipe: RecipeConfig) -> None:
    """Lets gradients reach the gains that the recipe names, and nothing else: what lies below costs no way back.

    Where a target names no layer, nothing of it is trained; `_checks.unmatched_targets` is for asking first.
    """
    targets = recipe.target_modules
    model.requires_grad_(False)
    for name, gain in norm_layers(model).items():
        if isinstance(targets, str) or any(is_target(name, target) for target in targets):
            gain.requires_grad_(True)
