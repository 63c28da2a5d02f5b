"""A fleet's adapters: each student's is one flat vector, and the model holds a single one, for its place in the layers.

An optimizer has a vector to step, whatever the number of layers, and nothing is set up anew for each student: to put
sixteen of peft's into a model takes longer than a small fleet trains.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mendel.models.local.stacks import adapted_layers
from mendel.study.schema import RecipeConfig

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import PreTrainedModel

ADAPTER = "default"
"""The name of the model's adapter: peft's own."""


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


def with_adapter(model: PreTrainedModel, recipe: RecipeConfig) -> PeftModel:
    """The model with the recipe's adapter in it; raises ValueError if the target modules match nothing."""
    from peft import get_peft_model

    adapted: PeftModel = get_peft_model(model, lora_config(recipe))
    return adapted


def strangers(model: Any) -> list[str]:
    """Adapted modules that are no linear layers, by name: their inputs are no tokens that could be routed."""
    from peft.tuners.lora import Linear

    return [name for name, module in adapted_layers(model).items() if type(module) is not Linear]


class Adapters(ABC):
    """Adapters like the one that is in the model, one a seed, as peft draws it under that seed.

    A pass is announced (`stretches`), its gradients are fetched (`collect`), and let go of after a student's step
    (`stepped`).
    """

    def __init__(self, model: Any, seeds: Sequence[int]) -> None:
        import torch

        self.layers = list(adapted_layers(model).values())
        parts = [part for layer in self.layers for part in _parts(layer)]
        self.shapes = [part.shape for part in parts]
        self.sizes = [part.numel() for part in parts]
        drawn = [self._draw(seed).to(model.device, parts[0].dtype) for seed in seeds]
        self.vectors = [torch.nn.Parameter(values) for values in drawn]
        """Each student's weights, with the layers' down and up projections one behind the other."""

    @abstractmethod
    def stretches(self, stretches: Sequence[tuple[int, int]]) -> None:
        """The next pass: which student (its place) has how many of the tokens, one behind the other."""

    @abstractmethod
    def collect(self) -> None:
        """The pass is through: what its gradients are has to be the vectors' now."""

    @abstractmethod
    def stepped(self, student: int) -> None:
        """The student's gradients have been used."""

    @abstractmethod
    def added(self, layer: int, tokens: torch.Tensor, precision: torch.dtype) -> torch.Tensor:
        """What the adapters add to a layer's output (1, tokens, out), from its input (1, tokens, in)."""

    def put(self, student: int) -> None:
        """Into the model's own adapter goes this student's."""
        import torch

        parts = [part for layer in self.layers for part in _parts(layer)]
        with torch.no_grad():
            for part, values in zip(parts, self.vectors[student].split(self.sizes), strict=True):
                part.copy_(values.view_as(part))

    def _draw(self, seed: int) -> torch.Tensor:
        """As peft does it: on the CPU, each layer's matrices made, and then drawn anew."""
        import torch

        torch.manual_seed(seed)
        drawn = []
        for layer in self.layers:
            down, up = (torch.nn.Linear(*part.shape[::-1], bias=False).weight for part in _parts(layer))
            torch.nn.init.kaiming_uniform_(down, a=math.sqrt(5))
            torch.nn.init.zeros_(up)
            drawn += [down.detach().flatten(), up.detach().flatten()]
        return torch.cat(drawn)


class SplitAdapters(Adapters):
    """Stretch by stretch through matrices that are views of the vectors: what is quickest on a CPU."""

    def __init__(self, model: Any, seeds: Sequence[int]) -> None:
        import torch

        super().__init__(model, seeds)
        self._matrices = [
            [
                torch.nn.Parameter(values.unflatten(0, shape))
                for values, shape in zip(vector.detach().split(self.sizes), self.shapes, strict=True)
            ]
            for vector in self.vectors
        ]
        self._now: list[int] = []
        self._tokens: list[int] = []

    def stretches(self, stretches: Sequence[tuple[int, int]]) -> None:
        """As told; students that have none get gradients, of zeros."""
        import torch

        self._now = [student for student, _ in stretches]
        self._tokens = [tokens for _, tokens in stretches]
        for student in self._now:
            vector = self.vectors[student]
            if vector.grad is None:
                vector.grad = torch.zeros_like(vector)
                self._hand_out(student, vector.grad.split(self.sizes))

    def collect(self) -> None:
        """They are the vectors' already: views of them."""

    def stepped(self, student: int) -> None:
        """They are let go of: what stands by is optimizer states alone, however many students there are."""
        self.vectors[student].grad = None
        self._hand_out(student, [None] * len(self.sizes))

    def added(self, layer: int, tokens: torch.Tensor, precision: torch.dtype) -> torch.Tensor:
        """Each stretch through its own student's two matrices."""
        import torch

        scaling = self.layers[layer].scaling[ADAPTER]
        pieces = tokens.split(self._tokens, dim=1) if len(self._now) > 1 else (tokens,)
        added = []
        for student, piece in zip(self._now, pieces, strict=True):
            down, up = self._matrices[student][2 * layer : 2 * layer + 2]
            inner = torch.nn.functional.linear(piece.to(down.dtype), down)
            added.append(torch.nn.functional.linear(inner, up) * scaling)
        whole = added[0] if len(added) == 1 else torch.cat(added, dim=1)
        return whole.to(precision)

    def _hand_out(self, student: int, gradients: Sequence[torch.Tensor | None]) -> None:
        for matrix, gradient in zip(self._matrices[student], gradients, strict=True):
            matrix.grad = None if gradient is None else gradient.view_as(matrix)


@contextmanager
def adapting(model: Any, adapters: Adapters) -> Iterator[None]:
    """For a while, the model's adapted layers take packed passes (1, tokens, width), and add what the adapters do."""
    for number, layer in enumerate(adapters.layers):
        layer.forward = _forward(layer.base_layer, number, adapters)
    try:
        yield
    finally:
        for layer in adapters.layers:
            del layer.forward


def _forward(base: Any, number: int, adapters: Adapters) -> Callable[..., torch.Tensor]:
    def forward(x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        out: torch.Tensor = base(x, *args, **kwargs)
        return out + adapters.added(number, x, out.dtype)

    return forward


def _parts(layer: Any) -> tuple[torch.nn.Parameter, torch.nn.Parameter]:
    return layer.lora_A[ADAPTER].weight, layer.lora_B[ADAPTER].weight
