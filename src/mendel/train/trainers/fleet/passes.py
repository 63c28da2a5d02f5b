"""What a packed pass is: a student's rows as flat arrays, and one forward pass over several of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mendel.models import Example

if TYPE_CHECKING:
    import numpy as np
    import torch


class Rows:
    """A student's examples as flat arrays."""

    def __init__(self, examples: Sequence[Example]) -> None:
        import numpy as np

        self.lengths = np.array([len(example.input_ids) for example in examples])
        self.starts = np.concatenate([[0], np.cumsum(self.lengths)])
        self.ids = np.concatenate([np.asarray(e.input_ids, dtype=np.int32) for e in examples])
        carries = np.frombuffer(b"".join(bytes(e.loss_mask) for e in examples), dtype=bool).copy()
        carries[self.starts[:-1]] = False  # nothing stands before a first token
        places = np.flatnonzero(carries)
        row_of = np.searchsorted(self.starts, places, side="right") - 1
        self.trained = np.bincount(row_of, minlength=len(examples))
        self._targets = np.split(places, np.cumsum(self.trained)[:-1])

    def span(self, row: int) -> np.ndarray:
        """The row's token ids."""
        import numpy as np

        ids: np.ndarray = self.ids[self.starts[row] : self.starts[row + 1]].astype(np.int64)
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
    ends: torch.Tensor
    """(rows + 1,): 0, and the token behind each row's last."""
    longest: int
    """Tokens of the longest row."""
    frames: tuple[Frame, ...]
    """Empty where attention takes rows as they are."""
    back: torch.Tensor
    """(tokens,): where each token stands in the frames, one frame behind the other; empty without them."""
    before: torch.Tensor
    """(trained,): the tokens after which one stands that carries loss."""
    targets: torch.Tensor
    """(trained,): those tokens' ids."""
