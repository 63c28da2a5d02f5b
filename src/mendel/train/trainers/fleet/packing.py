"""Packed passes: rows of several students in one forward pass, without padding; logits only for tokens with
loss.

All layers but attention work on single tokens, so they need no rows. In attention (`attention.py`) a GPU
kernel takes rows of any length; elsewhere rows of similar length are padded to a rectangle ("framed") for
attention only.

Dimensions: rows R, tokens T of a pass, tokens with loss L, vocabulary V.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from mendel.models import Example, device
from mendel.train.order import computing
from mendel.train.trainers.fleet.attention import PackedAttention, needs_frames
from mendel.train.trainers.fleet.last_block import trimmed_last_mlp
from mendel.train.trainers.fleet.passes import Frame, Pass, Rows, Share
from mendel.train.trainers.memory import out_of_memory

if TYPE_CHECKING:
    import numpy as np
    import torch
    from transformers import PreTrainedModel

SHORTEST_SHARE = 0.5
"""Rows shorter than this share of a frame's longest row go into another frame."""
LONGEST_WINDOW = 1024
"""Sliding windows of more tokens are not tried: the trial would take longer than training a small student."""
TOLERANCE = {"float32": 1e-4, "bfloat16": 5e-2, "float16": 2e-2}
"""Relative difference between packed and padded logits that rounding explains."""


def split_passes(
    step_rows: Sequence[tuple[int, Rows, Sequence[int]]], tokens: int, logits: int
) -> list[list[Share]]:
    """Return the shares of each pass. A pass holds at most `tokens` tokens, `logits` of them with loss, or
    one row.

    `step_rows` names each student, its data and the rows to train on; the order is kept.
    """
    passes: list[list[Share]] = []
    room = room_for_loss = 0
    for student, data, rows in step_rows:
        for row in rows:
            length, trained = int(data.lengths[row]), int(data.trained[row])
            if length > room or trained > room_for_loss:
                passes.append([])
                room, room_for_loss = tokens, logits
            room, room_for_loss = room - length, room_for_loss - trained
            last = passes[-1][-1] if passes[-1] else None
            if last is not None and last.student == student:
                passes[-1][-1] = Share(
                    student, (*last.rows, row), last.tokens + length, last.trained + trained
                )
            else:
                passes[-1].append(Share(student, (row,), length, trained))
    return passes


def pack(shares: Sequence[Share], data: Sequence[Rows], device: torch.device, framed: bool = True) -> Pass:
    """Return the pass of these shares on the device.

    `data` holds each student's rows, and `framed` is what `needs_frames` says of the model.
    """
    import numpy as np
    import torch

    placed = [(data[share.student], row) for share in shares for row in share.rows]
    lengths = np.array([rows.lengths[row] for rows, row in placed])  # (R,)
    ends = np.concatenate([[0], np.cumsum(lengths)])  # (R + 1,)
    starts = ends[:-1]
    positions = np.concatenate([np.arange(length) for length in lengths])  # (T,)
    targets = np.concatenate(
        [start + rows.targets(row) for start, (rows, row) in zip(starts, placed, strict=True)]
    )  # (L,)
    ids = np.concatenate([rows.span(row) for rows, row in placed])  # (T,)
    frames, unframe = _frames(lengths, starts) if framed else ([], lengths[:0])

    def on_device(array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(device)

    return Pass(
        shares=tuple(shares),
        ids=on_device(ids)[None],
        positions=on_device(positions)[None],
        ends=on_device(ends.astype(np.int32)),
        longest=int(lengths.max()),
        frames=tuple(Frame(len(gather), gather.shape[1], on_device(gather.reshape(-1))) for gather in frames),
        unframe=on_device(unframe),
        before=on_device(targets - 1),
        targets=on_device(ids[targets]),
    )


def _frames(lengths: np.ndarray, starts: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """Return the frames, each (rows, width) with the token at each place, and each token's place in them
    (T,).
    """
    import numpy as np

    order = np.argsort(-lengths, kind="stable")
    unframe = np.empty(int(lengths.sum()), dtype=np.int64)
    frames: list[np.ndarray] = []
    first = held = 0
    while first < len(order):
        width = int(lengths[order[first]])
        last = first + int(np.sum(lengths[order[first:]] >= SHORTEST_SHARE * width))
        rows = order[first:last]
        columns = np.minimum(np.arange(width)[None], lengths[rows, None] - 1)
        gather = starts[rows, None] + columns
        inside = np.arange(width)[None] < lengths[rows, None]
        unframe[gather[inside]] = held + np.flatnonzero(inside)
        frames.append(gather)
        held += gather.size
        first = last
    return frames, unframe


def packed_logits(model: Any, packed: Pass) -> torch.Tensor:
    """Return the logits (L, V) of the pass's tokens with loss, by a model with `PackedAttention`."""
    out = model(
        input_ids=packed.ids,
        position_ids=packed.positions,
        use_cache=False,
        logits_to_keep=packed.before,
        packed=packed,
    )
    logits: torch.Tensor = out.logits[0]
    return logits


def can_pack(model: PreTrainedModel, trimmed: bool = False) -> bool:
    """Return whether the model gives packed rows the logits that it gives them alone.

    It is tried on three short rows, computed as in training: in bfloat16 on a GPU, and with the last MLP
    `trimmed` (`trimmed_last_mlp`) where the base's own weights are trained.

    Models that need more than attention to keep rows apart (a recurrent state) cannot be packed, nor can
    those whose attention is more than scaled dot products over a causal window. A base must not draw random
    numbers (dropout), as a student depends on its rows and seed only, and must not have a second loss (the
    balance of experts).
    """
    config = model.config.get_text_config()
    if (
        hasattr(config, "output_router_logits")
        or getattr(config, "attention_chunk_size", None)
        or _has_dropout(model)
    ):
        return False
    training = model.training
    model.eval()
    try:
        return _same_logits(model, trimmed)
    except (TypeError, ValueError, RuntimeError, LookupError, AttributeError) as error:
        if out_of_memory(error):
            raise
        return False
    finally:
        model.train(training)


def _same_logits(model: PreTrainedModel, trimmed: bool) -> bool:
    """Return whether three random rows have the same logits packed and alone, within `TOLERANCE`."""
    import torch

    vocabulary = int(model.get_input_embeddings().weight.shape[0])
    # One row is longer than a sliding window, if the window is so short that usual rows exceed it.
    window = getattr(model.config.get_text_config(), "sliding_window", None) or 0
    long = window + 8 if window <= LONGEST_WINDOW else 11
    drawn = torch.randint(0, vocabulary, (13 + long,), generator=torch.Generator().manual_seed(0)).tolist()
    texts = [tuple(drawn[:3]), tuple(drawn[3:13]), tuple(drawn[13:])]
    rows = Rows([Example(text, (0, *(1 for _ in text[1:])), cut=False) for text in texts])
    (shares,) = split_passes([(0, rows, (0, 1, 2))], len(drawn), len(drawn))
    precision = torch.bfloat16 if device() == "cuda" else model.dtype
    packed = pack(shares, [rows], model.device, needs_frames(model, precision))
    with torch.inference_mode(), computing():
        with PackedAttention(model), trimmed_last_mlp(model) if trimmed else nullcontext():
            together = packed_logits(model, packed).float()  # (L, V)
        alone = [model(input_ids=torch.tensor([text], device=model.device)).logits[0, :-1] for text in texts]
    expected = torch.cat(alone).float()  # (L, V)
    if together.shape != expected.shape:
        return False
    scale = max(float(expected.abs().max()), 1e-6)
    tolerance = TOLERANCE[str(precision).removeprefix("torch.")] * scale
    return bool((together - expected).abs().max() <= tolerance)


def _has_dropout(model: Any) -> bool:
    """Return whether the model has dropout, as a layer or by its config."""
    import torch

    layers = any(isinstance(module, torch.nn.Dropout) and module.p > 0 for module in model.modules())
    settings = {**model.config.to_dict(), **model.config.get_text_config().to_dict()}
    return layers or any(
        isinstance(value, float) and value > 0
        for name, value in settings.items()
        if ("dropout" in name or name.endswith("pdrop")) and not name.startswith(("classifier", "summary"))
    )
