"""Attention of packed passes, through transformers' attention interface: a row's tokens attend to that row
only.

Dimensions: tokens T of a pass, heads H, head size D.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence, Set
from functools import cache
from typing import TYPE_CHECKING, Any

from mendel.models import device

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from mendel.train.trainers.fleet.passes import Pass

ATTENTION = "mendel_packed"
"""The name in transformers' attention interface."""
CAPABILITY = (8, 0)
"""The first CUDA capability whose attention kernels take rows of any length."""
HALF = ("bfloat16", "float16")
"""The precisions of these kernels."""
HEAD_SIZES, LARGEST_HEAD = 8, 256
"""These kernels take head sizes that are a multiple of the first number and at most the second."""


class PackedAttention:
    """Context manager: the model computes packed attention."""

    def __init__(self, model: PreTrainedModel) -> None:
        self.model: Any = model

    def __enter__(self) -> None:
        _register()
        self._before = self.model.config._attn_implementation
        self.model.set_attn_implementation(ATTENTION)

    def __exit__(self, *_: object) -> None:
        self.model.set_attn_implementation(self._before)


def needs_frames(model: Any, precision: torch.dtype) -> bool:
    """Return whether passes in that precision have to be framed, as no kernel here takes the model's rows as
    they are.
    """
    config = model.config.get_text_config()
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    fits = size % HEAD_SIZES == 0 and size <= LARGEST_HEAD
    return not fits or str(precision).removeprefix("torch.") not in HALF or row_kernel() is None


def _register() -> None:
    from transformers import AttentionInterface
    from transformers.masking_utils import AttentionMaskInterface

    AttentionInterface.register(ATTENTION, _attention)
    AttentionMaskInterface.register(ATTENTION, lambda *_, **__: None)


def _attention(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    packed: Pass,
    scaling: float | None = None,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    softcap: float | None = None,
    s_aux: torch.Tensor | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Return causal attention within each row: states are (1, H, T, D) in and (1, T, H, D) out.

    Raises ValueError for attention that it does not compute (a cap on scores, sinks, a bias, no causality).
    """
    import torch

    if softcap is not None or s_aux is not None or attention_mask is not None or dropout:
        raise ValueError("attention that is more than scaled dot products cannot be packed")
    if not getattr(module, "is_causal", True):
        raise ValueError("attention that looks ahead cannot be packed")
    by_token = [states[0].transpose(0, 1) for states in (query, key, value)]  # each (T, H, D)
    if not packed.frames:
        return _row_by_row(by_token, packed, scaling, sliding_window)[None], None
    grouped = key.shape[1] != query.shape[1]
    outputs = []
    for frame in packed.frames:
        framed = [
            states.index_select(0, frame.gather).unflatten(0, (frame.rows, frame.width)).transpose(1, 2)
            for states in by_token
        ]  # each (rows, H, width, D)
        mask = _window_mask(frame.width, sliding_window, query.device)
        out = torch.nn.functional.scaled_dot_product_attention(
            *framed, attn_mask=mask, is_causal=mask is None, scale=scaling, enable_gqa=grouped
        )
        outputs.append(out.transpose(1, 2).flatten(0, 1))
    whole = outputs[0] if len(outputs) == 1 else torch.cat(outputs)
    return whole.index_select(0, packed.unframe)[None], None


def _row_by_row(
    by_token: Sequence[torch.Tensor], packed: Pass, scaling: float | None, window: int | None
) -> torch.Tensor:
    """Return attention (T, H, D) by a GPU kernel that takes rows of any length; `by_token` are three (T, H,
    D).
    """
    attend = row_kernel()
    assert attend is not None, "without the kernel, passes are framed"
    # Under autocast, rotary embeddings give float32; only the values have the precision that is computed in.
    states = [tensor.to(by_token[2].dtype) for tensor in by_token]
    more = {"enable_gqa": True} if "enable_gqa" in _parameters(attend) else {}
    behind = -1 if window is None else window - 1
    out: torch.Tensor = attend(
        *states,
        *(packed.ends, packed.ends, packed.longest, packed.longest),
        scale=scaling,
        window_size=(behind, 0),
        **more,
    )
    return out


@cache
def row_kernel() -> Callable[..., Any] | None:
    """Return torch's attention over rows of any length; None where it is missing.

    It needs torch 2.11 or later and a GPU of the A100's generation or later.
    """
    import torch

    if device() != "cuda" or torch.cuda.get_device_capability() < CAPABILITY:
        return None
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError:
        return None
    return varlen_attn if "window_size" in _parameters(varlen_attn) else None


def _parameters(function: Callable[..., Any]) -> Set[str]:
    return inspect.signature(function).parameters.keys()


def _window_mask(width: int, window: int | None, device: torch.device) -> torch.Tensor | None:
    """Return the mask (width, width) of a sliding window; None where the rows are not longer than the
    window.
    """
    import torch

    if window is None or width <= window:
        return None
    places = torch.arange(width, device=device)
    behind = places[:, None] - places[None]
    return (behind >= 0) & (behind < window)
