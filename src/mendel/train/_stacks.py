"""A fleet's adapters on a GPU: one vector a student for its optimizer, and stacks of matrices for the layers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mendel.models import device
from mendel.models.stacks import LayerStacks, Routing, adapted_layers, can_stack, stacked

if TYPE_CHECKING:
    import torch

EXEMPT = ("norm", "bias")
"""Weights of such names may be exempt from decay, so that a student's would not be one vector."""


def can_train_stacked(model: Any, adapter: str) -> bool:
    """Whether adapters like that one go through grouped products here, and each of them is decayed as a whole."""
    named = any(word in name for name in adapted_layers(model) for word in EXEMPT)
    return not named and can_stack(model, adapter)


class Stacks:
    """Adapters like the one that is in the model: a student's are one flat vector, a layer's are two stacks of matrices.

    An optimizer has one vector to step, whatever the number of layers. What the layers multiply with are copies in the
    precision that is computed in, made anew for every pass; their gradients are added to the vectors' after it.
    """

    def __init__(self, model: Any, adapter: str, seeds: Sequence[int]) -> None:
        import torch

        self._adapter = adapter
        self._layers = list(adapted_layers(model).values())
        parts = [part for layer in self._layers for part in self._parts(layer)]
        self._shapes = [part.shape for part in parts]
        self._sizes = [part.numel() for part in parts]
        on, precise = model.device, parts[0].dtype
        self._values = torch.stack([self._begun(seed).to(on, precise) for seed in seeds])
        scales = [layer.scaling[adapter] for layer in self._layers]
        of_parts = [scale for of_layer in scales for scale in (1.0, of_layer)]
        self._scale = torch.tensor(of_parts, device=on).repeat_interleave(
            torch.tensor(self._sizes, device=on)
        )
        computed = torch.bfloat16 if device() == "cuda" else precise
        self._copies = torch.empty_like(self._values, dtype=computed)
        self._of_copies = torch.zeros_like(self._copies)
        self._gradients = torch.zeros_like(self._values)
        self.routing = Routing([str(place) for place in range(len(seeds))], on)

    def vector(self, place: int) -> torch.nn.Parameter:
        """All weights of one student, with a gradient that stays."""
        return _leaf(self._values[place], self._gradients[place])

    def of_layers(self) -> LayerStacks:
        """What the layers multiply with."""
        pieces = zip(
            self._copies.split(self._sizes, 1),
            self._of_copies.split(self._sizes, 1),
            self._shapes,
            strict=True,
        )
        leaves = [_leaf(copies.unflatten(1, shape), of.unflatten(1, shape)) for copies, of, shape in pieces]
        return list(zip(leaves[::2], leaves[1::2], strict=True))

    def stretches(self, stretches: Sequence[tuple[int, int]]) -> None:
        """The next pass: which student (its place) has how many of the tokens, one behind the other."""
        self.routing.stretches(stretches)
        self._copies.copy_(self._values * self._scale)

    def collect(self) -> None:
        """The pass is through, its gradients are each student's."""
        self._gradients.add_(self._of_copies * self._scale)
        self._of_copies.zero_()

    def put(self, place: int) -> None:
        """Into the model's own adapter goes this student's."""
        import torch

        parts = [part for layer in self._layers for part in self._parts(layer)]
        with torch.no_grad():
            for part, values in zip(parts, self._values[place].split(self._sizes), strict=True):
                part.copy_(values.view_as(part))

    def _begun(self, seed: int) -> torch.Tensor:
        """An adapter as peft draws it under that seed: on the CPU, each layer's matrices made and then drawn anew."""
        import torch

        torch.manual_seed(seed)
        drawn = []
        for layer in self._layers:
            down, up = (torch.nn.Linear(*part.shape[::-1], bias=False).weight for part in self._parts(layer))
            torch.nn.init.kaiming_uniform_(down, a=math.sqrt(5))
            torch.nn.init.zeros_(up)
            drawn += [down.detach().flatten(), up.detach().flatten()]
        return torch.cat(drawn)

    def _parts(self, layer: Any) -> tuple[torch.nn.Parameter, torch.nn.Parameter]:
        return layer.lora_A[self._adapter].weight, layer.lora_B[self._adapter].weight


@contextmanager
def training(model: Any, adapter: str, seeds: Sequence[int]) -> Iterator[Stacks]:
    """For a while, the model's adapted layers take packed passes (1, tokens, width) through one adapter a seed."""
    stacks = Stacks(model, adapter, seeds)
    with stacked(model, stacks.routing, stacks.of_layers()):
        yield stacks


def _leaf(values: torch.Tensor, gradients: torch.Tensor) -> torch.nn.Parameter:
    import torch

    leaf = torch.nn.Parameter(values)
    leaf.grad = gradients
    return leaf
