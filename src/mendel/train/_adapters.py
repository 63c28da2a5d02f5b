"""Adapters of many students on one frozen base: peft holds them, and each pass's tokens go through their own student's."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from mendel.models.stacks import adapted_layers
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


def add_adapter(model: PreTrainedModel | PeftModel, recipe: RecipeConfig, name: str, seed: int) -> PeftModel:
    """The model with one more adapter of that name, as TRL would begin it under that seed.

    Raises ValueError if the target modules match nothing.
    """
    import torch
    from peft import PeftModel, get_peft_model

    torch.manual_seed(seed)
    if not isinstance(model, PeftModel):
        return cast("PeftModel", get_peft_model(model, lora_config(recipe), adapter_name=name))
    model.add_adapter(name, lora_config(recipe))
    return model


def adapter_name(place: int) -> str:
    """The adapter's name in a model that holds several."""
    return f"s{place}"


def adapter_parameters(model: Any, name: str) -> list[tuple[str, torch.nn.Parameter]]:
    """An adapter's weights by name, all of which require gradients from now on."""
    mine = [(key, weight) for key, weight in model.named_parameters() if f".{name}." in key]
    for _, weight in mine:
        weight.requires_grad_(True)
    return mine


def strangers(model: Any) -> list[str]:
    """Adapted modules that are no linear layers, by name: their inputs are no tokens that could be routed."""
    from peft.tuners.lora import Linear

    return [name for name, module in adapted_layers(model).items() if type(module) is not Linear]


class Routes:
    """Which adapter the tokens of a pass go through: stretches of them, one behind the other."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.tokens: list[int] = []

    def stretches(self, stretches: Sequence[tuple[int, int]]) -> None:
        """The next pass: which student (its place) has how many of the tokens, one behind the other."""
        self.names = [adapter_name(place) for place, _ in stretches]
        self.tokens = [tokens for _, tokens in stretches]

    def collect(self) -> None:
        """The pass is through: gradients are in the adapters themselves."""


@contextmanager
def routed(model: Any) -> Iterator[Routes]:
    """For a while, every adapted layer takes a packed pass (1, tokens, width) whose stretches are routed.

    All of its adapters sit on linear layers (`strangers` names those that do not).
    """
    routes = Routes()
    layers = adapted_layers(model).values()
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
