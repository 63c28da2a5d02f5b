"""Adapters of many students on one frozen base: peft holds them, and each pass's tokens go through their own student's."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mendel.study.schema import RecipeConfig

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import PreTrainedModel


def lora_config(recipe: RecipeConfig) -> Any:
    """The recipe's adapter in peft's words."""
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


def add_adapters(model: PreTrainedModel, recipe: RecipeConfig, seeds: Sequence[int]) -> PeftModel:
    """The model with one adapter a seed, named by `adapter_name`, each as TRL would begin it under that seed.

    Raises ValueError if the target modules match nothing.
    """
    import torch
    from peft import get_peft_model

    whole: Any = None
    for place, seed in enumerate(seeds):
        torch.manual_seed(seed)
        if whole is None:
            whole = get_peft_model(model, lora_config(recipe), adapter_name=adapter_name(place))
        else:
            whole.add_adapter(adapter_name(place), lora_config(recipe))
    return whole


def adapter_name(place: int) -> str:
    """The adapter's name in a model that holds several."""
    return f"s{place}"


def adapter_parameters(model: Any, name: str) -> list[tuple[str, torch.nn.Parameter]]:
    """An adapter's weights by name, all of which require gradients from now on."""
    mine = [(key, weight) for key, weight in model.named_parameters() if f".{name}." in key]
    for _, weight in mine:
        weight.requires_grad_(True)
    return mine


class Routes:
    """Which adapter the tokens of a pass go through: stretches of them, one behind the other."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.tokens: list[int] = []

    def set(self, stretches: Sequence[tuple[str, int]]) -> None:
        """The stretches of the next pass."""
        self.names = [name for name, _ in stretches]
        self.tokens = [tokens for _, tokens in stretches]


def strangers(model: Any) -> list[str]:
    """Adapted modules that are no linear layers, by name: their inputs are no tokens that could be routed."""
    from peft.tuners.lora import Linear
    from peft.tuners.tuners_utils import BaseTunerLayer

    adapted = [(name, module) for name, module in model.named_modules() if isinstance(module, BaseTunerLayer)]
    return [name for name, module in adapted if type(module) is not Linear]


@contextmanager
def routed(model: Any) -> Iterator[Routes]:
    """For a while, every adapted layer takes a packed pass (1, tokens, width) whose stretches are routed.

    All of its adapters sit on linear layers (`strangers` names those that do not).
    """
    from peft.tuners.tuners_utils import BaseTunerLayer

    routes = Routes()
    layers = [module for module in model.modules() if isinstance(module, BaseTunerLayer)]
    for layer in layers:
        layer.forward = _routed_forward(layer, routes)
    try:
        yield routes
    finally:
        for layer in layers:
            del layer.forward


def _routed_forward(layer: Any, routes: Routes) -> Callable[..., torch.Tensor]:
    import torch

    def forward(x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        out: torch.Tensor = layer.base_layer(x, *args, **kwargs)
        pieces = x.split(routes.tokens, dim=1) if len(routes.names) > 1 else (x,)
        added = []
        for name, piece in zip(routes.names, pieces, strict=True):
            down, up = layer.lora_A[name], layer.lora_B[name]
            added.append(up(down(piece.to(down.weight.dtype))) * layer.scaling[name])
        whole = added[0] if len(added) == 1 else torch.cat(added, dim=1)
        return out + whole.to(out.dtype)

    return forward


def save_adapter(model: Any, name: str, out: Path) -> None:
    """Writes one of the adapters as peft writes a model's only one."""
    model.save_pretrained(str(out), safe_serialization=True, selected_adapters=[name])
    own = out / name
    if own.is_dir():
        for file in own.iterdir():
            file.rename(out / file.name)
        shutil.rmtree(own)
