"""Inverse transform sampling. One uniform number for each token is all the randomness, so a batch cannot
change an answer.

Dimensions: rows R, vocabulary V.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def uniform_numbers(rows: int, tokens: int, seed: int) -> torch.Tensor:
    """Return numbers in [0, 1), float64 (rows, tokens), on the CPU. The global random state is neither read
    nor changed.
    """
    import torch

    generator = torch.Generator().manual_seed(seed)
    return torch.rand((rows, tokens), generator=generator, dtype=torch.float64)


def drawn_tokens(
    scores: torch.Tensor, numbers: torch.Tensor, temperature: float | torch.Tensor
) -> torch.Tensor:
    """Return the tokens (R, 1) that the uniform `numbers` (R, 1) pick from the logits `scores` (R, V).

    A token is picked if it is the first whose cumulative probability exceeds the number. `temperature` is
    above 0: one for all rows, or one for each, (R, 1).
    """
    import torch

    cumulated = torch.softmax(scores.double() / temperature, dim=-1).cumsum(dim=-1)  # (R, V)
    # Scaled to the sum, which rounding can leave just below 1. A row of NaN gives the last token.
    token = torch.searchsorted(cumulated, numbers * cumulated[:, -1:], right=True)
    return token.clamp(max=scores.shape[-1] - 1)
