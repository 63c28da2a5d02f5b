"""Packed passes: rows stand one behind the other, without padding; each sees itself alone, and logits are built for answers.

Every layer but attention takes a token at a time, so rows need no frame of their own there. In attention (`_attention`) a
GPU's kernels take rows as they are; elsewhere rows of like length are framed together for the time of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from mendel.models import Example, device
from mendel.train.order import computing, out_of_memory
from mendel.train.trainers.fleet.attention import PackedAttention, needs_frames
from mendel.train.trainers.fleet.last_block import answers_alone
from mendel.train.trainers.fleet.passes import Frame, Pass, Rows, Share

if TYPE_CHECKING:
    import numpy as np
    import torch
    from transformers import PreTrainedModel

WASTE = 0.5
"""Rows shorter than this share of a frame's longest row get a frame of their own."""
LONGEST_WINDOW = 1024
"""A window of more tokens is not tried: the trial would take longer than a small student."""
SAME = {"float32": 1e-4, "bfloat16": 5e-2, "float16": 2e-2}
"""Relative difference of logits, packed against padded, that rounding explains."""


def split_passes(
    wanted: Sequence[tuple[int, Rows, Sequence[int]]], tokens: int, logits: int
) -> list[list[Share]]:
    """Shares of passes that hold at most so many tokens and tokens with loss, but for a single row beyond that.

    `wanted` names each student, its rows and which of them: their order is kept.
    """
    passes: list[list[Share]] = []
    room = room_for_loss = 0
    for student, data, rows in wanted:
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
    """The pass of those shares; `data` is each student's rows. `framed`: as `needs_frames` says of the model."""
    import numpy as np
    import torch

    placed = [(data[share.student], row) for share in shares for row in share.rows]
    lengths = np.array([rows.lengths[row] for rows, row in placed])
    ends = np.concatenate([[0], np.cumsum(lengths)])
    starts = ends[:-1]
    positions = np.concatenate([np.arange(length) for length in lengths])
    targets = np.concatenate(
        [start + rows.targets(row) for start, (rows, row) in zip(starts, placed, strict=True)]
    )
    ids = np.concatenate([rows.span(row) for rows, row in placed])
    frames, back = _frames(lengths, starts) if framed else ([], lengths[:0])

    def on(array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(device)

    return Pass(
        tuple(shares),
        on(ids)[None],
        on(positions)[None],
        on(ends.astype(np.int32)),
        int(lengths.max()),
        tuple(Frame(len(gather), gather.shape[1], on(gather.reshape(-1))) for gather in frames),
        on(back),
        on(targets - 1),
        on(ids[targets]),
    )


def _frames(lengths: np.ndarray, starts: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    import numpy as np

    order = np.argsort(-lengths, kind="stable")
    back = np.empty(int(lengths.sum()), dtype=np.int64)
    frames: list[np.ndarray] = []
    first = held = 0
    while first < len(order):
        width = int(lengths[order[first]])
        last = first + int(np.sum(lengths[order[first:]] >= WASTE * width))
        rows = order[first:last]
        columns = np.minimum(np.arange(width)[None], lengths[rows, None] - 1)
        gather = starts[rows, None] + columns
        inside = np.arange(width)[None] < lengths[rows, None]
        back[gather[inside]] = held + np.flatnonzero(inside)
        frames.append(gather)
        held += gather.size
        first = last
    return frames, back


def packed_logits(model: Any, packed: Pass) -> torch.Tensor:
    """Logits (trained, vocabulary) before the pass's tokens that carry loss, by a model with packed attention."""
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
    """Whether the model gives packed rows the logits that it gives them alone: tried on three short rows, as they are trained.

    That is in bfloat16 on a GPU, and where its own weights are trained with the last MLP `trimmed` (`answers_alone`).

    It does not where rows need more than attention to be kept apart (a recurrent state), or where attention is more than
    scaled dot products over a causal window. Nor may a base draw (dropout), since a student is what its seed and rows
    make of it, nor have a loss beside its answers' (the balance of experts).
    """
    import torch

    config = model.config.get_text_config()
    if (
        hasattr(config, "output_router_logits")
        or getattr(config, "attention_chunk_size", None)
        or _draws(model)
    ):
        return False
    vocabulary = int(model.get_input_embeddings().weight.shape[0])
    # One row is longer than a window, where there is one that a row of common size would meet.
    window = getattr(config, "sliding_window", None) or 0
    long = window + 8 if window <= LONGEST_WINDOW else 11
    drawn = torch.randint(0, vocabulary, (13 + long,), generator=torch.Generator().manual_seed(0)).tolist()
    texts = [tuple(drawn[:3]), tuple(drawn[3:13]), tuple(drawn[13:])]
    rows = Rows([Example(text, (0, *(1 for _ in text[1:])), cut=False) for text in texts])
    (shares,) = split_passes([(0, rows, (0, 1, 2))], len(drawn), len(drawn))
    training = model.training
    model.eval()
    try:
        precision = torch.bfloat16 if device() == "cuda" else model.dtype
        packed = pack(shares, [rows], model.device, needs_frames(model, precision))
        with torch.inference_mode(), computing():
            with PackedAttention(model), answers_alone(model) if trimmed else nullcontext():
                got = packed_logits(model, packed).float()
            alone = [
                model(input_ids=torch.tensor([text], device=model.device)).logits[0, :-1] for text in texts
            ]
    except (TypeError, ValueError, RuntimeError, LookupError, AttributeError) as error:
        if out_of_memory(error):
            raise
        return False
    finally:
        model.train(training)
    expected = torch.cat(alone).float()
    if got.shape != expected.shape:
        return False
    scale = float(expected.abs().max())
    return bool(
        (got - expected).abs().max() <= SAME[str(precision).removeprefix("torch.")] * max(scale, 1e-6)
    )


def _draws(model: Any) -> bool:
    """Whether it has dropout: as a layer, or by its config alone."""
    import torch

    layers = any(isinstance(module, torch.nn.Dropout) and module.p > 0 for module in model.modules())
    named = {**model.config.to_dict(), **model.config.get_text_config().to_dict()}
    return layers or any(
        isinstance(value, float) and value > 0
        for name, value in named.items()
        if ("dropout" in name or name.endswith("pdrop")) and not name.startswith(("classifier", "summary"))
    )
