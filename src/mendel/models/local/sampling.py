"""Inverse transform sampling: one uniform number a token is all the randomness there is, so a batch cannot change an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def uniform_numbers(rows: int, tokens: int, seed: int) -> torch.Tensor:
    """Numbers in [0, 1), float64 (rows, tokens), on the CPU; the global random state is neither read nor changed."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    return torch.rand((rows, tokens), generator=generator, dtype=torch.float64)


def drawn_tokens(
    scores: torch.Tensor, drawn: torch.Tensor, temperature: float | torch.Tensor
) -> torch.Tensor:
    """The tokens (rows, 1) that the uniform numbers `drawn` (rows, 1) pick from the logits `scores` (rows, vocabulary).

    `temperature` is above 0, and one of all rows or one of each, (rows, 1). That is the first token whose cumulative probability exceeds the number.
    """
    import torch

    cumulated = torch.softmax(scores.double() / temperature, dim=-1).cumsum(dim=-1)
    # Scaled to the sum, which rounding can leave just under one. A NaN row gives the last token: some answer.
    token = torch.searchsorted(cumulated, drawn * cumulated[:, -1:], right=True)
    return token.clamp(max=scores.shape[-1] - 1)
