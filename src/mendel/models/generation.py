"""Generation: batches of conversations answered by a local model, each answer the same in whatever batch it stands."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from mendel.engine.errors import InputError
from mendel.models._continuous import Task, can_refill, continuous_answers
from mendel.models._plain import plain_answers
from mendel.models._sampling import uniform_numbers
from mendel.models.checkpoints import device
from mendel.models.templates import Conversation, encode_prompt, stop_tokens

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from mendel.models.stacks import Routing

ROWS, MOST_ROWS = 64, 512
"""Rows that are answered side by side by a model of common size, and at most."""
BATCH_VALUES = {"cpu": 2**17, "cuda": 2**24}
"""Rows x layers x width up to which there may be more of them; a GPU's step takes as long for many (chosen, not measured)."""


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
    batch_size: int | None = None
    """Rows that are answered side by side; None: as many as suit the model's size. No answer depends on it."""

    def __post_init__(self) -> None:
        rows = 1 if self.batch_size is None else self.batch_size
        if self.max_tokens < 1 or rows < 1 or self.temperature < 0:
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
    global random state is neither read nor changed. Raises InputError for a conversation that the model's context does
    not hold, with the answer.
    """
    (answers,) = _generate(model, tokenizer, [(None, conversations)], sampling, opener)
    return answers


def generate_together(
    model: PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    asked: Mapping[str, Sequence[Conversation]],
    sampling: Sampling,
    opener: str = "",
    routing: Routing | None = None,
) -> dict[str, list[Completion]]:
    """`generate` by each of the model's adapters named in `asked`, in one batch of all; an answer is what it is alone.

    By peft's mixed batches, or by a `routing` that the model's layers go by. Raises ValueError for a model whose cache cannot be refilled, and as `generate`.
    """
    if not can_refill(model):
        raise ValueError("adapters answer side by side only where rows can leave and join a batch")
    answers = _generate(model, tokenizer, list(asked.items()), sampling, opener, routing)
    return dict(zip(asked, answers, strict=True))


def _generate(
    model: PreTrainedModel | PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    asked: Sequence[tuple[str | None, Sequence[Conversation]]],
    sampling: Sampling,
    opener: str,
    routing: Routing | None = None,
) -> list[list[Completion]]:
    import torch

    prompts = [encode_prompt(tokenizer, messages, opener) for _, of_one in asked for messages in of_one]
    if not prompts:
        return [[] for _ in asked]
    _check_context(model, prompts, sampling.max_tokens)
    drawing = sampling.temperature > 0
    names = [name for name, of_one in asked for _ in of_one]
    task = Task(
        prompts=prompts,
        stops=frozenset({*stop_tokens(tokenizer), *_model_stops(model)}),
        pad=_pad(tokenizer),
        max_tokens=sampling.max_tokens,
        batch_size=sampling.batch_size or _batch_size(model),
        temperature=sampling.temperature,
        # Drawn for all of one's rows at once: neither batches nor other adapters change which row gets which.
        draws=torch.cat(
            [uniform_numbers(len(of_one), sampling.max_tokens, sampling.seed) for _, of_one in asked]
        )
        if drawing
        else None,
        adapters=[name for name in names if name is not None] or None,
        routing=routing,
    )
    model.eval()
    with torch.inference_mode():
        answered = continuous_answers if can_refill(model) else plain_answers
        done = iter([completion_of(tokenizer, ids, task.stops) for ids in answered(model, task)])
    return [list(itertools.islice(done, len(of_one))) for _, of_one in asked]


def _batch_size(model: PreTrainedModel) -> int:
    """A small model would be idle between the steps of a small batch."""
    config: Any = model.config.get_text_config()
    values = int(config.num_hidden_layers) * int(config.hidden_size)
    return max(ROWS, min(MOST_ROWS, BATCH_VALUES[device()] // max(1, values)))


def _check_context(model: PreTrainedModel, prompts: Sequence[Sequence[int]], max_tokens: int) -> None:
    context = getattr(model.config, "max_position_embeddings", None)
    lengths = [len(prompt) for prompt in prompts]
    beyond = [length for length in lengths if isinstance(context, int) and length + max_tokens > context]
    if beyond:
        # Beyond its positions a model does not fail, it babbles, and that would be measured.
        raise InputError(
            f"{len(beyond)} of {len(lengths)} conversations are too long: the longest has {max(beyond):,} tokens, and "
            f"with {max_tokens:,} to answer that is more than the model's context of {context:,}",
            where=str(model.config._name_or_path or "") or None,
            fix="Shorten them, lower max_tokens, or take a model with a longer context.",
        )


def _model_stops(model: PreTrainedModel) -> tuple[int, ...]:
    config: Any = getattr(model, "generation_config", None)
    eos = getattr(config, "eos_token_id", None)
    if eos is None:
        return ()
    return tuple(eos) if isinstance(eos, (list, tuple)) else (int(eos),)


def _pad(tokenizer: PreTrainedTokenizerBase) -> int:
    pad = tokenizer.pad_token_id
    return int(tokenizer.eos_token_id if pad is None else pad)


def completion_of(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int], stops: Set[int]) -> Completion:
    """The answer of the generated tokens, which end at the first stop token; what comes after it does not count."""
    end = next((position for position, token in enumerate(ids) if token in stops), None)
    kept = ids if end is None else ids[:end]
    text = str(tokenizer.decode(kept, skip_special_tokens=True))
    return Completion(text, "length" if end is None else "stop", len(kept) + (end is not None))
