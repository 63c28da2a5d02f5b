"""Which weights of a base are trained where the base's own weights are: all, or the gains of its norms
only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mendel.study.schema import RecipeConfig
from mendel.train.checks import is_target

if TYPE_CHECKING:
    import torch


def norm_layers(model: Any) -> dict[str, torch.nn.Parameter]:
    """Return the gains of the model's normalization layers, each (width,), by the layer's name.

    A layer counts if its class name says so (`LlamaRMSNorm`, `LayerNorm` …) and it has a gain.
    """
    import torch

    return {
        name: layer.weight
        for name, layer in model.named_modules()
        if "Norm" in type(layer).__name__ and isinstance(getattr(layer, "weight", None), torch.nn.Parameter)
    }


def freeze_all_but_norms(model: Any, recipe: RecipeConfig) -> None:
    """Let only the gains that the recipe names require gradients. The backward pass then ends at the
    lowest of them.

    A target that matches no layer trains nothing; call `checks.unmatched_targets` first.
    """
    targets = recipe.target_modules
    model.requires_grad_(False)
    for name, gain in norm_layers(model).items():
        if isinstance(targets, str) or any(is_target(name, target) for target in targets):
            gain.requires_grad_(True)
