"""Packed passes: rows stand one behind the other, without padding; each sees itself alone, and logits are built for answers.

Every layer but attention takes a token at a time, so rows need no frame of their own there. In attention they get one:
rows of like length are framed together for the time of it, through transformers' attention interface.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mendel.models import Example

if TYPE_CHECKING:
    import numpy as np
    import torch
    from transformers import PreTrainedModel

ATTENTION = "mendel_packed"
"""Its name in transformers' attention interface."""
WASTE = 0.5
"""Rows shorter than this share of a frame's longest row get a frame of their own."""
LONGEST_WINDOW = 1024
"""A window of more tokens is not tried: the trial would take longer than a small student."""
SAME = {"float32": 1e-4, "bfloat16": 5e-2, "float16": 2e-2}
"""Relative difference of logits, packed against padded, that rounding explains."""


class Rows:
    """A student's examples as flat arrays."""

    def __init__(self, examples: Sequence[Example]) -> None:
        import numpy as np

        self.lengths = np.array([len(example.input_ids) for example in examples])
        self.starts = np.concatenate([[0], np.cumsum(self.lengths)])
        self.ids = np.fromiter((i for e in examples for i in e.input_ids), dtype=np.int64)
        carries = np.fromiter((m for e in examples for m in e.loss_mask), dtype=bool)
        carries[self.starts[:-1]] = False  # nothing stands before a first token
        places = np.flatnonzero(carries)
        row_of = np.searchsorted(self.starts, places, side="right") - 1
        self.trained = np.bincount(row_of, minlength=len(examples))
        self._targets = np.split(places, np.cumsum(self.trained)[:-1])

    def span(self, row: int) -> np.ndarray:
        """The row's token ids."""
        ids: np.ndarray = self.ids[self.starts[row] : self.starts[row + 1]]
        return ids

    def targets(self, row: int) -> np.ndarray:
        """Places within the row of the tokens that carry loss."""
        places: np.ndarray = self._targets[row] - self.starts[row]
        return places


@dataclass(frozen=True)
class Share:
    """What of a pass belongs to one student: its rows, as many tokens and as many of them with loss."""

    student: int
    rows: tuple[int, ...]
    tokens: int
    trained: int


@dataclass(frozen=True)
class Frame:
    """Rows of like length, framed for attention: `gather` (rows x width) says which token stands where."""

    rows: int
    width: int
    gather: torch.Tensor
    """What stands behind a row's end is its own last token, which no other one sees."""


@dataclass(frozen=True)
class Pass:
    """One forward pass; `shares` stand in it one behind the other."""

    shares: tuple[Share, ...]
    ids: torch.Tensor
    """(1, tokens)"""
    positions: torch.Tensor
    """(1, tokens), from 0 in every row."""
    frames: tuple[Frame, ...]
    back: torch.Tensor
    """(tokens,): where each token stands in the frames, one frame behind the other."""
    before: torch.Tensor
    """(trained,): the tokens after which one stands that carries loss."""
    targets: torch.Tensor
    """(trained,): those tokens' ids."""


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


def pack(shares: Sequence[Share], data: Sequence[Rows], device: torch.device) -> Pass:
    """The pass of those shares; `data` is each student's rows."""
    import numpy as np
    import torch

    placed = [(data[share.student], row) for share in shares for row in share.rows]
    lengths = np.array([rows.lengths[row] for rows, row in placed])
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    positions = np.concatenate([np.arange(length) for length in lengths])
    targets = np.concatenate(
        [start + rows.targets(row) for start, (rows, row) in zip(starts, placed, strict=True)]
    )
    ids = np.concatenate([rows.span(row) for rows, row in placed])
    frames, back = _frames(lengths, starts)

    def on(array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(device)

    return Pass(
        tuple(shares),
        on(ids)[None],
        on(positions)[None],
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


class PackedAttention:
    """For a while, a model's attention is the packed one."""

    def __init__(self, model: PreTrainedModel) -> None:
        self.model: Any = model

    def __enter__(self) -> None:
        _register()
        self._before = self.model.config._attn_implementation
        self.model.set_attn_implementation(ATTENTION)

    def __exit__(self, *_: object) -> None:
        self.model.set_attn_implementation(self._before)


def can_pack(model: PreTrainedModel) -> bool:
    """Whether the model gives packed rows the logits that it gives them padded: tried on three short rows.

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
        with torch.inference_mode(), PackedAttention(model):
            got = packed_logits(model, pack(shares, [rows], model.device)).float()
        with torch.inference_mode():
            alone = [
                model(input_ids=torch.tensor([text], device=model.device)).logits[0, :-1] for text in texts
            ]
    except torch.OutOfMemoryError:
        raise
    except (TypeError, ValueError, RuntimeError, KeyError, AttributeError):
        return False
    finally:
        model.train(training)
    expected = torch.cat(alone).float()
    if got.shape != expected.shape:
        return False
    scale = float(expected.abs().max())
    return bool(
        (got - expected).abs().max() <= SAME[str(model.dtype).removeprefix("torch.")] * max(scale, 1e-6)
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
    """Causal attention within each row; states are (1, heads, tokens, size) in, (1, tokens, heads, size) out.

    Raises ValueError for what it does not compute (a cap on scores, sinks, a bias, no causality).
    """
    import torch

    if softcap is not None or s_aux is not None or attention_mask is not None or dropout:
        raise ValueError("attention that is more than scaled dot products cannot be packed")
    if not getattr(module, "is_causal", True):
        raise ValueError("attention that looks ahead cannot be packed")
    grouped = key.shape[1] != query.shape[1]
    by_token = [states[0].transpose(0, 1) for states in (query, key, value)]
    attended = []
    for frame in packed.frames:
        framed = [
            states.index_select(0, frame.gather).unflatten(0, (frame.rows, frame.width)).transpose(1, 2)
            for states in by_token
        ]
        mask = _window(frame.width, sliding_window, query.device)
        out = torch.nn.functional.scaled_dot_product_attention(
            *framed, attn_mask=mask, is_causal=mask is None, scale=scaling, enable_gqa=grouped
        )
        attended.append(out.transpose(1, 2).flatten(0, 1))
    whole = attended[0] if len(attended) == 1 else torch.cat(attended)
    return whole.index_select(0, packed.back)[None], None


def _window(width: int, window: int | None, device: torch.device) -> torch.Tensor | None:
    """Who sees whom (width, width) where tokens look back over a window that is shorter than the rows."""
    import torch

    if window is None or width <= window:
        return None
    places = torch.arange(width, device=device)
    behind = places[:, None] - places[None]
    return (behind >= 0) & (behind < window)
