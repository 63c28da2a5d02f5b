"""Many adapters on a GPU: a layer takes each token through its own adapter, in one grouped product for all.

Applied one after another, sixteen adapters would need sixteen times as many small kernels as one, and a GPU
would wait for each. The model holds one adapter; the others are matrices in stacks. (Adapters in grouped
products: Punica, arXiv:2310.18547; S-LoRA, arXiv:2311.03285.)

Dimensions: adapters A, rank r, a layer's inputs I and outputs O, rows R and tokens T of a pass.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mendel.models.local.loading import check_bound, device

if TYPE_CHECKING:
    import torch

ALIGNED = 8
"""Numbers of bfloat16 in 16 bytes: a grouped product needs rows that are a multiple of that."""
CAPABILITY = (8, 0)
"""The first CUDA capability with grouped products in bfloat16."""
PARTS = ("lora_A", "lora_B")
"""The down projection (r, I) and the up projection (O, r), as peft names them."""

LayerStacks = Sequence[tuple["torch.Tensor", "torch.Tensor"]]
"""Two stacks for each adapted layer: (A, r, I), and (A, O, r) with the adapters' scaling in it."""


def adapted_layers(model: Any) -> dict[str, Any]:
    """Return the modules that carry adapters, by name."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    return {name: module for name, module in model.named_modules() if isinstance(module, BaseTunerLayer)}


def can_stack(model: Any, adapter: str) -> bool:
    """Return whether adapters like the model's adapter of that name can go through grouped products on this
    machine.
    """
    import torch
    from peft.tuners.lora import Linear

    if device() != "cuda" or torch.cuda.get_device_capability() < CAPABILITY:
        return False
    layers = adapted_layers(model).values()
    if any(type(layer) is not Linear for layer in layers):
        return False
    plain = not any(layer.lora_bias[adapter] or layer.use_dora[adapter] for layer in layers)
    sides = [side for layer in layers for part in PARTS for side in _matrix(layer, part, adapter).shape]
    return plain and not any(side % ALIGNED for side in sides)


def same_kind(folders: Sequence[Path]) -> bool:
    """Return whether the adapters of these folders have the same settings, apart from where their base
    lies.
    """
    settings = [json.loads((folder / "adapter_config.json").read_text()) for folder in folders]
    for setting in settings:
        setting.pop("base_model_name_or_path", None)
    return all(setting == settings[0] for setting in settings)


class Routing:
    """Which adapter each token of the next pass goes through."""

    def __init__(self, adapters: Sequence[str], where: torch.device) -> None:
        self.adapters = list(adapters)
        self._device = where
        self._ends: dict[int, torch.Tensor] = {}
        self._counted = 0
        self._names: list[str] | None = None
        self._chosen: torch.Tensor | None = None
        self.order: torch.Tensor | None = None
        """(R,): the rows sorted by adapter; None if they are sorted already."""
        self.back: torch.Tensor | None = None
        """(R,): each row's place in that order."""

    def route_segments(self, segments: Sequence[tuple[int, int]]) -> None:
        """Announce a pass as consecutive segments: each is an adapter (by place) with a number of tokens.

        A pass may hold a multiple of these tokens: then each segment is that many times as long.
        """
        import torch

        places = [place for place, _ in segments]
        ends = torch.tensor([count for _, count in segments]).cumsum(0)
        self._counted = int(ends[-1])
        self._ends = {1: ends.to(self._device, torch.int32)}
        every = places == list(range(len(self.adapters)))
        self._chosen = None if every else torch.tensor(places, device=self._device)
        self.order = self.back = self._names = None

    def route_rows(self, names: Sequence[str]) -> None:
        """Announce a pass whose rows have these adapters, in any order."""
        import torch

        if self._names == list(names):
            return  # the same as for the last token
        places = [self.adapters.index(name) for name in names]
        order = sorted(range(len(places)), key=places.__getitem__)
        self.route_segments([(place, places.count(place)) for place in sorted(set(places))])
        if order != list(range(len(order))):
            self.order = torch.tensor(order, device=self._device)
            self.back = self.order.argsort()
        self._names = list(names)

    def route_all(self, name: str) -> None:
        """Announce a pass, of any number of tokens, that goes through one adapter."""
        self.route_segments([(self.adapters.index(name), 1)])

    def product(self, tokens: torch.Tensor, stack: torch.Tensor) -> torch.Tensor:
        """Return the product (T, O) of the pass's tokens (T, I), each with its adapter's matrix of the stack
        (A, O, I).

        Raises ValueError for another number of tokens than was announced.
        """
        import torch

        if not len(tokens) or len(tokens) % self._counted:
            raise ValueError(
                f"{len(tokens)} tokens, where {self._counted} or a multiple of them were announced"
            )
        matrices = stack if self._chosen is None else stack.index_select(0, self._chosen)
        parts = len(tokens) // self._counted
        if parts not in self._ends:
            self._ends[parts] = self._ends[1] * parts
        out: torch.Tensor = torch.nn.functional.grouped_mm(
            tokens, matrices.transpose(1, 2), offs=self._ends[parts]
        )
        return out


@contextmanager
def stacked(model: Any, routing: Routing, stacks: LayerStacks) -> Iterator[None]:
    """Context manager: the adapted layers use the routing and the stacks, not the adapter that is in them."""
    layers = list(adapted_layers(model).values())
    for layer, (down, up) in zip(layers, stacks, strict=True):
        layer.forward = _stacked_forward(layer.base_layer, routing, down, up)
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


@contextmanager
def stacked_adapters(model: Any, folders: Mapping[str, Path]) -> Iterator[Routing]:
    """Context manager: `stacked` for the adapters of these folders, which are of the `same_kind`.

    The stacks have the precision of the model's layers. Raises RunError for an adapter whose weights do not
    bind.
    """
    import torch
    from safetensors.torch import load_file

    layers = adapted_layers(model)
    expected = {f"{name}.{part}.weight" for name in layers for part in PARTS}
    read = [load_file(folder / "adapter_model.safetensors") for folder in folders.values()]
    for folder, weights in zip(folders.values(), read, strict=True):
        check_bound(set(weights), expected, folder)
    (name_in_model,) = next(iter(layers.values())).scaling
    stacks = []
    for name, layer in layers.items():
        like = layer.base_layer.weight
        down, up = (torch.stack([weights[f"{name}.{part}.weight"] for weights in read]) for part in PARTS)
        stacks.append((down.to(like), (up.float() * layer.scaling[name_in_model]).to(like)))
    routing = Routing(list(folders), model.device)
    with stacked(model, routing, stacks):
        yield routing


def _stacked_forward(
    base: Any, routing: Routing, down: torch.Tensor, up: torch.Tensor
) -> Callable[..., torch.Tensor]:
    def forward(x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        out: torch.Tensor = base(x, *args, **kwargs)
        tokens = x if routing.order is None else x.index_select(0, routing.order)
        inner = routing.product(tokens.flatten(0, -2).to(down.dtype), down)  # (T, r)
        delta = routing.product(inner, up).view(out.shape)
        return out + (delta if routing.back is None else delta.index_select(0, routing.back)).to(out.dtype)

    return forward


def _matrix(layer: Any, part: str, adapter: str) -> torch.nn.Parameter:
    weight: torch.nn.Parameter = getattr(layer, part)[adapter].weight
    return weight
