"""Rows of tokens as left-padded batches of similar length: there is little padding, and every row ends in the
last column.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def by_length(lengths: Sequence[int], rows: int, tokens: int | None = None) -> Iterator[list[int]]:
    """Yield the rows' positions in batches of at most `rows` rows and `tokens` padded tokens, the longest
    rows first.

    The longest come first so that a lack of memory shows at once.
    """
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    start = 0
    while start < len(order):
        longest = max(1, lengths[order[start]])
        count = rows if tokens is None else max(1, min(rows, tokens // longest))
        yield order[start : start + count]
        start += count


def left_padded(
    rows: Sequence[Sequence[int]], pad: int, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return token ids and attention mask, both (rows, longest row), padded on the left."""
    import torch

    width = max(len(row) for row in rows)
    ids = torch.tensor([[pad] * (width - len(row)) + list(row) for row in rows])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
    return ids.to(device), mask.to(device)
