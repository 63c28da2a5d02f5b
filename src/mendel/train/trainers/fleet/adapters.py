"""A fleet's LoRA adapters. Each student's adapter is one flat vector; the model itself holds a single
adapter.

An optimizer then has one vector to step, whatever the number of layers, and nothing in the model is set up
for each student: adding sixteen peft adapters to a model takes longer than training a small fleet.

Dimensions: tokens T of a pass, a layer's inputs I and outputs O, rank r, all weights N of one adapter.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mendel.models.local.stacks import adapted_layers
from mendel.study.schema import RecipeConfig
from mendel.train.trainers.trainable import ADAPTER, lora_config

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import PreTrainedModel


def with_adapter(model: PreTrainedModel, recipe: RecipeConfig) -> PeftModel:
    """Return the model with the recipe's adapter in it. Raises ValueError if the target modules match
    nothing.
    """
    from peft import get_peft_model

    adapted: PeftModel = get_peft_model(model, lora_config(recipe))
    return adapted


def unsupported_modules(model: Any) -> list[str]:
    """Return the names of adapted modules that are not linear layers: their inputs cannot be split by
    student.
    """
    from peft.tuners.lora import Linear

    return [name for name, module in adapted_layers(model).items() if type(module) is not Linear]


class Adapters(ABC):
    """One adapter for each seed, with the shapes of the model's adapter and drawn as peft draws it.

    The trainer calls `start_pass` before a pass, `end_pass` after its backward pass, and `clear_gradients`
    after a student's optimizer step.

    Args:
        model: A peft model with the adapter `ADAPTER`.
        seeds: The students' seeds, in the fleet's order.
    """

    def __init__(self, model: Any, seeds: Sequence[int]) -> None:
        import torch

        self.layers = list(adapted_layers(model).values())
        matrices = [matrix for layer in self.layers for matrix in _matrices(layer)]
        self.shapes = [matrix.shape for matrix in matrices]
        self.sizes = [matrix.numel() for matrix in matrices]
        drawn = [self._draw(seed).to(model.device, matrices[0].dtype) for seed in seeds]
        self.vectors = [torch.nn.Parameter(values) for values in drawn]
        """Each student's weights (N,): every layer's down projection (r, I) and up projection (O, r) in
        turn."""

    @abstractmethod
    def start_pass(self, segments: Sequence[tuple[int, int]]) -> None:
        """Prepare for a pass; `segments` are its students (by place) with their numbers of tokens, in
        order.
        """

    @abstractmethod
    def end_pass(self) -> None:
        """Make sure that the pass's gradients are in the vectors' `grad`."""

    @abstractmethod
    def clear_gradients(self, student: int) -> None:
        """Clear the student's gradients after its optimizer step."""

    @abstractmethod
    def delta(self, layer: int, tokens: torch.Tensor, precision: torch.dtype) -> torch.Tensor:
        """Return what the adapters add to a layer's output (1, T, O), from the layer's input `tokens` (1, T,
        I).
        """

    def copy_into_model(self, student: int) -> None:
        """Copy the student's weights into the model's own adapter."""
        import torch

        matrices = [matrix for layer in self.layers for matrix in _matrices(layer)]
        with torch.no_grad():
            for matrix, values in zip(matrices, self.vectors[student].split(self.sizes), strict=True):
                matrix.copy_(values.view_as(matrix))

    def _draw(self, seed: int) -> torch.Tensor:
        """Return initial weights (N,) as peft draws them: on the CPU, each layer's matrices made and then
        redrawn.
        """
        import torch

        torch.manual_seed(seed)
        drawn = []
        for layer in self.layers:
            down, up = (
                torch.nn.Linear(*matrix.shape[::-1], bias=False).weight for matrix in _matrices(layer)
            )
            torch.nn.init.kaiming_uniform_(down, a=math.sqrt(5))
            torch.nn.init.zeros_(up)
            drawn += [down.detach().flatten(), up.detach().flatten()]
        return torch.cat(drawn)


class SplitAdapters(Adapters):
    """Adapters that are applied student by student, through matrices that are views of the vectors.

    The fastest way on a CPU.
    """

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
        self._students: list[int] = []
        """The students of this pass."""
        self._tokens: list[int] = []
        """Their numbers of tokens."""

    def start_pass(self, segments: Sequence[tuple[int, int]]) -> None:
        """Prepare for a pass: students without gradients get gradients of zero."""
        import torch

        self._students = [student for student, _ in segments]
        self._tokens = [tokens for _, tokens in segments]
        for student in self._students:
            vector = self.vectors[student]
            if vector.grad is None:
                vector.grad = torch.zeros_like(vector)
                self._set_gradients(student, vector.grad.split(self.sizes))

    def end_pass(self) -> None:
        """Do nothing: the matrices' gradients are views of the vectors'."""

    def clear_gradients(self, student: int) -> None:
        """Free the student's gradients, so that only optimizer states stay in memory for all students."""
        self.vectors[student].grad = None
        self._set_gradients(student, [None] * len(self.sizes))

    def delta(self, layer: int, tokens: torch.Tensor, precision: torch.dtype) -> torch.Tensor:
        """Apply each student's two matrices to the student's tokens."""
        import torch

        scaling = self.layers[layer].scaling[ADAPTER]
        segments = tokens.split(self._tokens, dim=1) if len(self._students) > 1 else (tokens,)
        deltas = []
        for student, segment in zip(self._students, segments, strict=True):
            down, up = self._matrices[student][2 * layer : 2 * layer + 2]  # (r, I), (O, r)
            inner = torch.nn.functional.linear(segment.to(down.dtype), down)
            deltas.append(torch.nn.functional.linear(inner, up) * scaling)
        whole = deltas[0] if len(deltas) == 1 else torch.cat(deltas, dim=1)
        return whole.to(precision)

    def _set_gradients(self, student: int, gradients: Sequence[torch.Tensor | None]) -> None:
        for matrix, gradient in zip(self._matrices[student], gradients, strict=True):
            matrix.grad = None if gradient is None else gradient.view_as(matrix)


@contextmanager
def adapting(model: Any, adapters: Adapters) -> Iterator[None]:
    """Context manager: the model's adapted layers take packed passes (1, T, I) and add what `adapters`
    computes.
    """
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
        return out + adapters.delta(number, x, out.dtype)

    return forward


def _matrices(layer: Any) -> tuple[torch.nn.Parameter, torch.nn.Parameter]:
    """Return the layer's down projection (r, I) and up projection (O, r)."""
    return layer.lora_A[ADAPTER].weight, layer.lora_B[ADAPTER].weight
