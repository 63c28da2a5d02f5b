"""Many adapters on a GPU: a layer takes each token through its own adapter, in one grouped product for all.

One adapter after another, sixteen of them would be sixteen times as many small kernels as one, and a GPU would wait for
each. The model holds one of them, for its place in the layers; the others are matrices in stacks. (Adapters in grouped
products: Punica, arXiv:2310.18547; S-LoRA, arXiv:2311.03285.)
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
"""Numbers of bfloat16 in 16 bytes, of which a grouped product wants every row to be a multiple."""
CAPABILITY = (8, 0)
"""Of CUDA: the first with grouped products in bfloat16."""
PARTS = ("lora_A", "lora_B")

LayerStacks = Sequence[tuple["torch.Tensor", "torch.Tensor"]]
"""Each adapted layer's two: (adapters, rank, in), and (adapters, out, rank), which the adapters' scaling is in."""


def adapted_layers(model: Any) -> dict[str, Any]:
    """The modules that adapters sit on, by name."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    return {name: module for name, module in model.named_modules() if isinstance(module, BaseTunerLayer)}


def can_stack(model: Any, adapter: str) -> bool:
    """Whether adapters like the one of that name in the model go through grouped products here."""
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


def alike(folders: Sequence[Path]) -> bool:
    """Whether the adapters of these folders are of one kind: equal settings but for where their base lies."""
    settings = [json.loads((folder / "adapter_config.json").read_text()) for folder in folders]
    for of_one in settings:
        of_one.pop("base_model_name_or_path", None)
    return all(of_one == settings[0] for of_one in settings)


class Routing:
    """Which adapter each token of the next pass goes through."""

    def __init__(self, adapters: Sequence[str], on: torch.device) -> None:
        self.adapters = list(adapters)
        self._on = on
        self._ends: dict[int, torch.Tensor] = {}
        self._counted = 0
        self._names: list[str] | None = None
        self._chosen: torch.Tensor | None = None
        self.order: torch.Tensor | None = None
        """(rows,): the pass's rows, those of one adapter one behind the other; None where they stand so."""
        self.back: torch.Tensor | None = None
        """(rows,): where each row stands in that order."""

    def route_segments(self, segments: Sequence[tuple[int, int]]) -> None:
        """One behind the other: which adapter (by its place) has how many of the pass's tokens, or of equal parts of them."""
        import torch

        places = [place for place, _ in segments]
        ends = torch.tensor([count for _, count in segments]).cumsum(0)
        self._counted = int(ends[-1])
        self._ends = {1: ends.to(self._on, torch.int32)}
        every = places == list(range(len(self.adapters)))
        self._chosen = None if every else torch.tensor(places, device=self._on)
        self.order = self.back = self._names = None

    def route_rows(self, names: Sequence[str]) -> None:
        """Each row of the pass has an adapter, in any order."""
        import torch

        if self._names == list(names):
            return  # as at the last token
        places = [self.adapters.index(name) for name in names]
        order = sorted(range(len(places)), key=places.__getitem__)
        self.route_segments([(place, places.count(place)) for place in sorted(set(places))])
        if order != list(range(len(order))):
            self.order = torch.tensor(order, device=self._on)
            self.back = self.order.argsort()
        self._names = list(names)

    def route_all(self, name: str) -> None:
        """All tokens go through this one, however many there are."""
        self.route_segments([(self.adapters.index(name), 1)])

    def product(self, tokens: torch.Tensor, stack: torch.Tensor) -> torch.Tensor:
        """The pass's tokens (tokens, in), each by its adapter's matrix of the stack (adapters, out, in).

        Raises ValueError for other tokens than those that were announced.
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
    """For a while, the adapted layers go by the routing and the stacks, whatever adapter is in them."""
    layers = list(adapted_layers(model).values())
    for layer, (down, up) in zip(layers, stacks, strict=True):
        layer.forward = _stacked_forward(layer.base_layer, routing, down, up)
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


@contextmanager
def answering(model: Any, folders: Mapping[str, Path]) -> Iterator[Routing]:
    """`stacked` for the adapters (`alike`) of these folders, in the precision of the layers that one of them sits on.

    Raises RunError for an adapter whose weights do not bind.
    """
    import torch
    from safetensors.torch import load_file

    layers = adapted_layers(model)
    wanted = {f"{name}.{part}.weight" for name in layers for part in PARTS}
    read = [load_file(folder / "adapter_model.safetensors") for folder in folders.values()]
    for folder, weights in zip(folders.values(), read, strict=True):
        check_bound(set(weights), wanted, folder)
    (held,) = next(iter(layers.values())).scaling
    stacks = []
    for name, layer in layers.items():
        like = layer.base_layer.weight
        down, up = (torch.stack([weights[f"{name}.{part}.weight"] for weights in read]) for part in PARTS)
        stacks.append((down.to(like), (up.float() * layer.scaling[held]).to(like)))
    routing = Routing(list(folders), model.device)
    with stacked(model, routing, stacks):
        yield routing


def _stacked_forward(
    base: Any, routing: Routing, down: torch.Tensor, up: torch.Tensor
) -> Callable[..., torch.Tensor]:
    def forward(x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        out: torch.Tensor = base(x, *args, **kwargs)
        tokens = x if routing.order is None else x.index_select(0, routing.order)
        inner = routing.product(tokens.flatten(0, -2).to(down.dtype), down)
        added = routing.product(inner, up).view(out.shape)
        return out + (added if routing.back is None else added.index_select(0, routing.back)).to(out.dtype)

    return forward


def _matrix(layer: Any, part: str, adapter: str) -> torch.nn.Parameter:
    weight: torch.nn.Parameter = getattr(layer, part)[adapter].weight
    return weight
