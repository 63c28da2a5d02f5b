"""The last block computes its MLP for the tokens that an answer's token follows: nobody reads what the others come to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


@contextmanager
def answers_alone(model: Any) -> Iterator[None]:
    """For a while, in packed passes, of a model whose last block has an MLP of its own.

    What the MLP adds to other tokens is zero, so that blocks keep their shapes, whatever they do after it.
    """
    mlp = _last_mlp(model)
    if mlp is None:
        yield
        return
    wanted: list[torch.Tensor] = []
    width: list[int] = []

    def announced(_: Any, __: Any, about: dict[str, Any]) -> None:
        wanted[:] = [about["packed"].before] if "packed" in about else []

    def taken(_: Any, states: tuple[torch.Tensor, ...], about: dict[str, Any]) -> Any:
        if not wanted or about or len(states) != 1:
            wanted.clear()  # what else it is given may be for each token, too
            return None
        width[:] = [states[0].shape[1]]
        return (states[0].index_select(1, wanted[0]),), about

    def put_back(_: Any, __: Any, out: torch.Tensor) -> torch.Tensor | None:
        if not wanted:
            return None
        return out.new_zeros(1, width[0], out.shape[-1]).index_copy(1, wanted[0], out)

    hooks = [
        model.register_forward_pre_hook(announced, with_kwargs=True),
        mlp.register_forward_pre_hook(taken, with_kwargs=True),
        mlp.register_forward_hook(put_back),
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _last_mlp(model: Any) -> Any:
    blocks = getattr(model.base_model, "layers", None)
    return getattr(blocks[-1], "mlp", None) if blocks else None
