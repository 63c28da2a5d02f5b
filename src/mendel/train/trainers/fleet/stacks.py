"""A fleet's adapters on a GPU: a layer takes each token through its own student's in one grouped product for all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mendel.models import device
from mendel.models.local.stacks import Routing
from mendel.train.trainers.fleet.adapters import ADAPTER, Adapters

if TYPE_CHECKING:
    import torch


class Stacked(Adapters):
    """A layer's matrices are two stacks, (students, rank, in) and (students, out, rank).

    The stacks are copies, made anew for every pass: in the precision that is computed in, and with the adapters' scaling
    in them, so that nothing of it is left to do to each token. Gradients stay, as zeros, between steps.
    """

    def __init__(self, model: Any, seeds: Sequence[int]) -> None:
        import torch

        super().__init__(model, seeds)
        precise, on = self.vectors[0].dtype, model.device
        scales = [scale for layer in self.layers for scale in (1.0, layer.scaling[ADAPTER])]
        self._scale = torch.tensor(scales, device=on).repeat_interleave(torch.tensor(self.sizes, device=on))
        shape = (len(seeds), sum(self.sizes))
        computed = torch.bfloat16 if device() == "cuda" else precise
        self._copies = torch.zeros(shape, dtype=computed, device=on)
        self._of_copies = torch.zeros_like(self._copies)
        for vector in self.vectors:
            vector.grad = torch.zeros_like(vector)
        pieces = [whole.split(self.sizes, 1) for whole in (self._copies, self._of_copies)]
        self._stacks = []
        for copies, gradients, of_one in zip(*pieces, self.shapes, strict=True):
            stack = torch.nn.Parameter(copies.unflatten(1, of_one))
            stack.grad = gradients.unflatten(1, of_one)
            self._stacks.append(stack)
        self._now: list[int] = []
        self._routing = Routing([str(student) for student in range(len(seeds))], on)

    def stretches(self, stretches: Sequence[tuple[int, int]]) -> None:
        """As told; the copies are what the vectors are now."""
        import torch

        self._routing.stretches(stretches)
        self._now = [student for student, _ in stretches]
        with torch.no_grad():
            for student in self._now:
                self._copies[student].copy_(self.vectors[student] * self._scale)

    def collect(self) -> None:
        """The copies' gradients are added to the vectors'."""
        for student in self._now:
            own = self.vectors[student].grad
            assert own is not None, "it stays"
            own.add_(self._of_copies[student] * self._scale)
            self._of_copies[student].zero_()

    def stepped(self, student: int) -> None:
        """They are zeros again."""
        gradient = self.vectors[student].grad
        assert gradient is not None, "it stays"
        gradient.zero_()

    def added(self, layer: int, tokens: torch.Tensor, precision: torch.dtype) -> torch.Tensor:
        """Two grouped products."""
        down, up = self._stacks[2 * layer : 2 * layer + 2]
        inner = self._routing.product(tokens[0].to(down.dtype), down)
        return self._routing.product(inner, up)[None].to(precision)
