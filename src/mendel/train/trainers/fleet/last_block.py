"""The last block's MLP, computed only for the tokens whose logits are needed.

Dimensions: tokens T of a pass, tokens L whose logits are needed, width W.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


@contextmanager
def trimmed_last_mlp(model: Any) -> Iterator[None]:
    """Context manager: skip the last block's MLP for tokens whose logits are not needed.

    Works in packed passes only, and for models whose last block has a module `mlp`; others are left as they
    are. The MLP's output for skipped tokens is zero, so shapes stay the same for whatever the block does
    next.
    """
    mlp = _last_mlp(model)
    if mlp is None:
        yield
        return
    needed: list[torch.Tensor] = []  # at most one: (L,)
    tokens: list[int] = []  # at most one: T

    def announce(_: Any, __: Any, arguments: dict[str, Any]) -> None:
        needed[:] = [arguments["packed"].before] if "packed" in arguments else []

    def select(_: Any, states: tuple[torch.Tensor, ...], arguments: dict[str, Any]) -> Any:
        if not needed or arguments or len(states) != 1:
            needed.clear()  # the other arguments may have a value for each token, too
            return None
        tokens[:] = [states[0].shape[1]]
        return (states[0].index_select(1, needed[0]),), arguments  # (1, L, W)

    def put_back(_: Any, __: Any, out: torch.Tensor) -> torch.Tensor | None:
        if not needed:
            return None
        return out.new_zeros(1, tokens[0], out.shape[-1]).index_copy(1, needed[0], out)  # (1, T, W)

    hooks = [
        model.register_forward_pre_hook(announce, with_kwargs=True),
        mlp.register_forward_pre_hook(select, with_kwargs=True),
        mlp.register_forward_hook(put_back),
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _last_mlp(model: Any) -> Any:
    """Return the last block's MLP; None where the model has no such module."""
    blocks = getattr(model.base_model, "layers", None)
    return getattr(blocks[-1], "mlp", None) if blocks else None
