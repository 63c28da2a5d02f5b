"""Generation: batches of conversations answered by a local model, each answer the same in whatever batch it stands."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence, Set
from typing import TYPE_CHECKING, Any

from mendel.engine.errors import InputError
from mendel.models.chat import Ask, Completion, Sampling
from mendel.models.local.continuous import GenerationTask, can_refill, continuous_answers
from mendel.models.local.loading import device
from mendel.models.local.plain import plain_answers
from mendel.models.local.sampling import uniform_numbers
from mendel.models.templates import Conversation, encode_prompt, stop_tokens

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from mendel.models.local.stacks import Routing

ROWS, MOST_ROWS = 64, 512
"""Rows that are answered side by side by a model of common size, and at most."""
BATCH_VALUES = {"cpu": 2**17, "cuda": 2**24}
"""Rows x layers x width up to which there may be more of them; a GPU's step takes as long for many (chosen, not measured)."""


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
    (answers,) = generate_all(model, tokenizer, [Ask(conversations, sampling, opener)])
    return answers


def generate_all(
    model: PreTrainedModel | PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    asks: Sequence[Ask],
    routing: Routing | None = None,
) -> list[list[Completion]]:
    """The answers to each ask, as `generate` gives them, in one batch of all; one ask after another where rows cannot join one.

    Adapters answer by peft's mixed batches, or by a `routing` that the model's layers go by. Raises as `generate`, and
    ValueError for adapters of a model whose cache cannot be refilled, or where some asks name one and some do not.
    """
    by_adapters = {ask.adapter is not None for ask in asks}
    if len(by_adapters) > 1:
        raise ValueError("either every ask names an adapter, or none does")
    if can_refill(model):
        return _answered(model, tokenizer, asks, continuous_answers, routing)
    if True in by_adapters:
        raise ValueError("adapters answer side by side only where rows can leave and join a batch")
    return [answers for ask in asks for answers in _answered(model, tokenizer, [ask], plain_answers)]


def _answered(
    model: PreTrainedModel | PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    asks: Sequence[Ask],
    answered: Callable[[PreTrainedModel, GenerationTask], list[list[int]]],
    routing: Routing | None = None,
) -> list[list[Completion]]:
    import torch

    rows = [
        (encode_prompt(tokenizer, messages, ask.opener), ask)
        for ask in asks
        for messages in ask.conversations
    ]
    if not rows:
        return [[] for _ in asks]
    check_context(
        getattr(model.config, "max_position_embeddings", None),
        [(len(prompt), ask.sampling.max_tokens) for prompt, ask in rows],
        str(model.config._name_or_path or "") or None,
    )
    sizes = [ask.sampling.batch_size for ask in asks if ask.sampling.batch_size is not None]
    task = GenerationTask(
        prompts=[prompt for prompt, _ in rows],
        stops=frozenset({*stop_tokens(tokenizer), *_model_stops(model)}),
        pad=_pad(tokenizer),
        batch_size=min(sizes, default=_batch_size(model)),
        max_tokens=[ask.sampling.max_tokens for _, ask in rows],
        temperatures=[ask.sampling.temperature for _, ask in rows],
        draws=_draws(asks),
        adapters=[ask.adapter for _, ask in rows if ask.adapter is not None] or None,
        routing=routing,
    )
    model.eval()
    with torch.inference_mode():
        done = iter([completion_of(tokenizer, ids, task.stops) for ids in answered(model, task)])
    return [list(itertools.islice(done, len(ask.conversations))) for ask in asks]


def _draws(asks: Sequence[Ask]) -> torch.Tensor | None:
    """The uniform numbers of all rows, an ask's from its own seed: neither batches nor other asks change which row gets which."""
    import torch

    if not any(ask.sampling.temperature for ask in asks):
        return None
    longest = max(ask.sampling.max_tokens for ask in asks)
    drawn = [
        uniform_numbers(len(ask.conversations), ask.sampling.max_tokens, ask.sampling.seed) for ask in asks
    ]
    return torch.cat([torch.nn.functional.pad(of_ask, (0, longest - of_ask.shape[1])) for of_ask in drawn])


def _batch_size(model: PreTrainedModel) -> int:
    """A small model would be idle between the steps of a small batch."""
    config: Any = model.config.get_text_config()
    values = int(config.num_hidden_layers) * int(config.hidden_size)
    return max(ROWS, min(MOST_ROWS, BATCH_VALUES[device()] // max(1, values)))


def check_context(context: object, rows: Sequence[tuple[int, int]], where: str | None) -> None:
    """`rows` are prompts' tokens, each with how many its answer may have; raises InputError for what `context` tokens do not hold."""
    beyond = [(prompt, most) for prompt, most in rows if isinstance(context, int) and prompt + most > context]
    if beyond:
        # Beyond its positions a model does not fail, it babbles, and that would be measured.
        raise InputError(
            f"{len(beyond)} of {len(rows)} conversations are too long: the longest has {max(beyond)[0]:,} tokens, and "
            f"with {max(beyond)[1]:,} to answer that is more than the model's context of {context:,}",
            where=where,
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
