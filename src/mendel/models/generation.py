"""Generation: batches of conversations answered by a local model, each answer the same in whatever batch it stands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from mendel.models._batches import by_length, left_padded
from mendel.models.templates import Conversation, encode_prompt, stop_tokens

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class Completion:
    """An answer: its text without special tokens, and how it ended."""

    text: str
    finish_reason: Literal["stop", "length"]
    tokens: int
    """Generated tokens, the stop token included."""


@dataclass(frozen=True)
class Sampling:
    """How answers are drawn: from the model's own distribution at a temperature, not cut by top-k or top-p."""

    max_tokens: int
    temperature: float
    """0 is greedy."""
    seed: int
    batch_size: int = 64

    def __post_init__(self) -> None:
        if self.max_tokens < 1 or self.batch_size < 1 or self.temperature < 0:
            raise ValueError(f"no such sampling: {self}")


def generate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    conversations: Sequence[Conversation],
    sampling: Sampling,
    opener: str = "",
) -> list[Completion]:
    """One answer to each conversation, in the given order; an answer does not repeat the `opener` that it is made to begin with.

    A row's answer depends on the model, its conversation, the seed and its place in the list, not on the batch. The
    global random state is neither read nor changed.
    """
    import torch

    if not conversations:
        return []
    stops = sorted({*stop_tokens(tokenizer), *_model_stops(model)})
    prompts = [encode_prompt(tokenizer, messages, opener) for messages in conversations]
    draws = None
    if sampling.temperature > 0:
        generator = torch.Generator().manual_seed(sampling.seed)
        shape = (len(prompts), sampling.max_tokens)
        # One number a token, drawn for all rows at once: batches cannot change which row gets which.
        draws = torch.rand(shape, generator=generator, dtype=torch.float64)
    answers: dict[int, list[int]] = {}
    model.eval()
    with _plain_generation(model, tokenizer, stops, sampling.max_tokens), torch.inference_mode():
        for rows in by_length([len(prompt) for prompt in prompts], sampling.batch_size):
            batch = [prompts[row] for row in rows]
            drawn = None if draws is None else draws[rows]
            for row, ids in zip(rows, _batch(model, tokenizer, batch, drawn, sampling), strict=True):
                answers[row] = ids
    return [_completion(tokenizer, answers[row], set(stops)) for row in range(len(prompts))]


def _batch(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: list[list[int]],
    draws: torch.Tensor | None,
    sampling: Sampling,
) -> list[list[int]]:
    ids, mask = left_padded(prompts, _pad(tokenizer), model.device)
    processors = []
    if draws is not None:
        processors.append(_InverseSampling(draws.to(model.device), sampling.temperature, ids.shape[1]))
    out: Any = model.generate(input_ids=ids, attention_mask=mask, logits_processor=processors)
    return [list(row) for row in out[:, ids.shape[1] :].tolist()]


class _InverseSampling:
    """Turns greedy search into sampling: of the tokens in a row, all but the drawn one get no chance.

    The drawn token is the first whose cumulative probability exceeds the row's uniform number for this step
    (inverse transform sampling), so one number a token is all the randomness there is.
    """

    def __init__(self, draws: torch.Tensor, temperature: float, width: int) -> None:
        self.draws, self.temperature, self.width = draws, temperature, width

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        import torch

        drawn = self.draws[:, input_ids.shape[1] - self.width, None]
        cumulated = torch.softmax(scores.double() / self.temperature, dim=-1).cumsum(dim=-1)
        # Scaled to the sum, which rounding can leave just under one. A NaN row gives the last token: some answer.
        token = torch.searchsorted(cumulated, drawn * cumulated[:, -1:], right=True)
        token = token.clamp(max=scores.shape[-1] - 1)
        return torch.full_like(scores, -torch.inf).scatter_(1, token, 0.0)


@contextmanager
def _plain_generation(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, stops: list[int], max_tokens: int
) -> Iterator[None]:
    """For a while, nothing of the checkpoint's own generation config (top-k, penalties, …) applies."""
    from transformers import GenerationConfig

    owner: Any = model.get_base_model() if hasattr(model, "get_base_model") else model
    before = owner.generation_config
    owner.generation_config = GenerationConfig(
        do_sample=False,
        max_new_tokens=max_tokens,
        eos_token_id=stops,
        pad_token_id=_pad(tokenizer),
        bos_token_id=tokenizer.bos_token_id,
    )
    try:
        yield
    finally:
        owner.generation_config = before


def _model_stops(model: PreTrainedModel) -> tuple[int, ...]:
    config: Any = getattr(model, "generation_config", None)
    eos = getattr(config, "eos_token_id", None)
    if eos is None:
        return ()
    return tuple(eos) if isinstance(eos, (list, tuple)) else (int(eos),)


def _pad(tokenizer: PreTrainedTokenizerBase) -> int:
    pad = tokenizer.pad_token_id
    return int(tokenizer.eos_token_id if pad is None else pad)


def _completion(tokenizer: PreTrainedTokenizerBase, ids: list[int], stops: set[int]) -> Completion:
    end = next((position for position, token in enumerate(ids) if token in stops), None)
    kept = ids if end is None else ids[:end]
    text = str(tokenizer.decode(kept, skip_special_tokens=True))
    return Completion(text, "length" if end is None else "stop", len(kept) + (end is not None))
