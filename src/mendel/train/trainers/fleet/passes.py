"""What a packed pass is: a student's rows as flat arrays, and one forward pass over rows of several students.

Dimensions: rows R, tokens T, tokens with loss L.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mendel.models import Example

if TYPE_CHECKING:
    import numpy as np
    import torch


class Rows:
    """A student's examples as flat arrays, one row after another."""

    def __init__(self, examples: Sequence[Example]) -> None:
        import numpy as np

        self.lengths = np.array([len(example.input_ids) for example in examples])  # (R,)
        self.starts = np.concatenate([[0], np.cumsum(self.lengths)])  # (R + 1,)
        self.ids = np.concatenate([np.asarray(e.input_ids, dtype=np.int32) for e in examples])  # (T,)
        has_loss = np.frombuffer(b"".join(bytes(e.loss_mask) for e in examples), dtype=bool).copy()  # (T,)
        has_loss[self.starts[:-1]] = False  # no token comes before a row's first one
        places = np.flatnonzero(has_loss)  # (L,)
        row_of = np.searchsorted(self.starts, places, side="right") - 1  # (L,)
        self.trained = np.bincount(row_of, minlength=len(examples))  # (R,): tokens with loss
        self._targets = np.split(places, np.cumsum(self.trained)[:-1])

    def span(self, row: int) -> np.ndarray:
        """Return the row's token ids (T,), int64."""
        import numpy as np

        ids: np.ndarray = self.ids[self.starts[row] : self.starts[row + 1]].astype(np.int64)
        return ids

    def targets(self, row: int) -> np.ndarray:
        """Return the places within the row of its tokens with loss (L,)."""
        places: np.ndarray = self._targets[row] - self.starts[row]
        return places


@dataclass(frozen=True)
class Share:
    """The part of a pass that belongs to one student."""

    student: int
    """Its place in the fleet."""
    rows: tuple[int, ...]
    tokens: int
    trained: int
    """How many of the tokens have loss."""


@dataclass(frozen=True)
class Frame:
    """Rows of similar length, padded to a rectangle for attention."""

    rows: int
    width: int
    gather: torch.Tensor
    """(rows * width,): which token of the pass is at each place. Padding repeats the row's last token, to
    which no other token of the row attends."""


@dataclass(frozen=True)
class Pass:
    """One forward pass: rows of several students, one after another without padding."""

    shares: tuple[Share, ...]
    """In the order of their tokens."""
    ids: torch.Tensor
    """(1, T): token ids."""
    positions: torch.Tensor
    """(1, T): positions, from 0 in every row."""
    ends: torch.Tensor
    """(R + 1,): 0, and each row's end."""
    longest: int
    """Tokens of the longest row."""
    frames: tuple[Frame, ...]
    """Empty where a kernel computes attention on rows of any length."""
    unframe: torch.Tensor
    """(T,): each token's place in the frames, which come one after another; empty without frames."""
    before: torch.Tensor
    """(L,): the tokens whose next token has loss; their logits are computed."""
    targets: torch.Tensor
    """(L,): the token ids with loss."""
