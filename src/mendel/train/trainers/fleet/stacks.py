"""A fleet's adapters on a GPU: one grouped product takes all tokens of a layer through their students'
adapters.

Dimensions: students S, tokens T of a pass, a layer's inputs I and outputs O, rank r, all weights N of one
adapter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mendel.models import device
from mendel.models.local.stacks import Routing
from mendel.train.trainers.fleet.adapters import Adapters
from mendel.train.trainers.trainable import ADAPTER

if TYPE_CHECKING:
    import torch


class StackedAdapters(Adapters):
    """Adapters whose matrices are stacked: two stacks a layer, (S, r, I) and (S, O, r).

    The stacks are copies of the vectors, made anew for every pass. They have the precision that is computed
    in, and the adapters' scaling is in them, so that nothing of it is left to do for each token. Gradients
    stay in memory between steps, as zeros.
    """

    def __init__(self, model: Any, seeds: Sequence[int]) -> None:
        import torch

        super().__init__(model, seeds)
        precision, place = self.vectors[0].dtype, model.device
        scales = [scale for layer in self.layers for scale in (1.0, layer.scaling[ADAPTER])]
        self._scale = torch.tensor(scales, device=place).repeat_interleave(
            torch.tensor(self.sizes, device=place)
        )  # (N,)
        shape = (len(seeds), sum(self.sizes))  # (S, N)
        computed = torch.bfloat16 if device() == "cuda" else precision
        self._copies = torch.zeros(shape, dtype=computed, device=place)
        self._copies_grad = torch.zeros_like(self._copies)
        for vector in self.vectors:
            vector.grad = torch.zeros_like(vector)
        columns = [whole.split(self.sizes, 1) for whole in (self._copies, self._copies_grad)]
        self._stacks = []
        for copies, gradients, matrix_shape in zip(*columns, self.shapes, strict=True):
            stack = torch.nn.Parameter(copies.unflatten(1, matrix_shape))
            stack.grad = gradients.unflatten(1, matrix_shape)
            self._stacks.append(stack)
        self._students: list[int] = []
        """The students of this pass."""
        self._routing = Routing([str(student) for student in range(len(seeds))], place)

    def start_pass(self, segments: Sequence[tuple[int, int]]) -> None:
        """Prepare for a pass: copy the vectors of its students into the stacks."""
        import torch

        self._routing.route_segments(segments)
        self._students = [student for student, _ in segments]
        with torch.no_grad():
            for student in self._students:
                self._copies[student].copy_(self.vectors[student] * self._scale)

    def end_pass(self) -> None:
        """Add the copies' gradients to the vectors'."""
        for student in self._students:
            gradient = self.vectors[student].grad
            assert gradient is not None, "it is kept between steps"
            gradient.add_(self._copies_grad[student] * self._scale)
            self._copies_grad[student].zero_()

    def clear_gradients(self, student: int) -> None:
        """Set the student's gradients to zero."""
        gradient = self.vectors[student].grad
        assert gradient is not None, "it is kept between steps"
        gradient.zero_()

    def delta(self, layer: int, tokens: torch.Tensor, precision: torch.dtype) -> torch.Tensor:
        """Apply the layer's two stacks in two grouped products."""
        down, up = self._stacks[2 * layer : 2 * layer + 2]  # (S, r, I), (S, O, r)
        inner = self._routing.product(tokens[0].to(down.dtype), down)  # (T, r)
        return self._routing.product(inner, up)[None].to(precision)
