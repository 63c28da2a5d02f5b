"""Generation: a local model answers conversations in batches, and no answer depends on its batch."""

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
"""Rows that a model of usual size answers side by side, and rows at most for a small model."""
BATCH_VALUES = {"cpu": 2**17, "cuda": 2**24}
"""Rows x layers x width up to which a small model gets more rows (chosen, not measured): a GPU's step takes
as long for many rows as for few."""


def generate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    conversations: Sequence[Conversation],
    sampling: Sampling,
    prefix: str = "",
) -> list[Completion]:
    """Answer conversations.

    A row's answer depends on the model, its conversation, the seed and its place in the list, not on the
    batch. The global random state is neither read nor changed.

    Args:
        model: The model; it is put into evaluation mode.
        tokenizer: Its tokenizer.
        conversations: Turns with `role` and `content`; the model answers the last turn.
        sampling: How answers are drawn.
        prefix: What each answer is made to begin with. The returned text does not repeat it.

    Returns:
        One answer to each conversation, in the same order.

    Raises:
        InputError: A conversation and its answer are longer than the model's context.
    """
    (answers,) = generate_all(model, tokenizer, [Ask(conversations, sampling, prefix)])
    return answers


def generate_all(
    model: PreTrainedModel | PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    asks: Sequence[Ask],
    routing: Routing | None = None,
) -> list[list[Completion]]:
    """Return the answers to each ask, as `generate` gives them.

    All asks are answered in one batch, or one after another by models whose cache rows cannot leave and join.
    Adapters answer through peft's mixed batches, or through `routing` if the model's layers use one.

    Raises InputError as `generate`. Raises ValueError for adapters of a model whose cache cannot be refilled,
    and where some asks name an adapter and others do not.
    """
    with_adapter = {ask.adapter is not None for ask in asks}
    if len(with_adapter) > 1:
        raise ValueError("either every ask names an adapter, or none does")
    if can_refill(model):
        return _generate_rows(model, tokenizer, asks, continuous_answers, routing)
    if True in with_adapter:
        raise ValueError("adapters answer side by side only where rows can leave and join a batch")
    return [answers for ask in asks for answers in _generate_rows(model, tokenizer, [ask], plain_answers)]


def _generate_rows(
    model: PreTrainedModel | PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    asks: Sequence[Ask],
    answers_of: Callable[[PreTrainedModel, GenerationTask], list[list[int]]],
    routing: Routing | None = None,
) -> list[list[Completion]]:
    """Answer the asks with `answers_of`, which gives the new tokens of each row."""
    import torch

    rows = [
        (encode_prompt(tokenizer, messages, ask.prefix), ask)
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
        draws=_uniform_numbers(asks),
        adapters=[ask.adapter for _, ask in rows if ask.adapter is not None] or None,
        routing=routing,
    )
    model.eval()
    with torch.inference_mode():
        completions = iter([completion_of(tokenizer, ids, task.stops) for ids in answers_of(model, task)])
    return [list(itertools.islice(completions, len(ask.conversations))) for ask in asks]


def _uniform_numbers(asks: Sequence[Ask]) -> torch.Tensor | None:
    """Return the uniform numbers of all rows (rows, longest answer), those of an ask from its own seed; None
    if all asks are greedy.

    Neither batches nor other asks change which row gets which number.
    """
    import torch

    if not any(ask.sampling.temperature for ask in asks):
        return None
    longest = max(ask.sampling.max_tokens for ask in asks)
    numbers = [
        uniform_numbers(len(ask.conversations), ask.sampling.max_tokens, ask.sampling.seed) for ask in asks
    ]
    return torch.cat(
        [torch.nn.functional.pad(ask_numbers, (0, longest - ask_numbers.shape[1])) for ask_numbers in numbers]
    )


def _batch_size(model: PreTrainedModel) -> int:
    """Return the rows of a batch: more for a small model, which would be idle between the steps of a small
    batch.
    """
    config: Any = model.config.get_text_config()
    values = int(config.num_hidden_layers) * int(config.hidden_size)
    return max(ROWS, min(MOST_ROWS, BATCH_VALUES[device()] // max(1, values)))


def check_context(context: object, rows: Sequence[tuple[int, int]], where: str | None) -> None:
    """Check that prompts and answers fit into the context; raises InputError, at `where`, if not.

    `rows` are the tokens of each prompt with the most tokens of its answer; a `context` that is not a number
    is not checked.
    """
    too_long = [
        (prompt, most) for prompt, most in rows if isinstance(context, int) and prompt + most > context
    ]
    if too_long:
        # Beyond its context a model does not fail: it writes nonsense, which would be measured.
        raise InputError(
            f"{len(too_long)} of {len(rows)} conversations are too long: the longest has "
            f"{max(too_long)[0]:,} tokens, and with {max(too_long)[1]:,} to answer that is more than "
            f"the model's context of {context:,}",
            where=where,
            fix="Shorten them, lower max_tokens, or take a model with a longer context.",
        )


def _model_stops(model: PreTrainedModel) -> tuple[int, ...]:
    """Return the stop tokens of the model's generation config."""
    config: Any = getattr(model, "generation_config", None)
    eos = getattr(config, "eos_token_id", None)
    if eos is None:
        return ()
    return tuple(eos) if isinstance(eos, (list, tuple)) else (int(eos),)


def _pad(tokenizer: PreTrainedTokenizerBase) -> int:
    """Return the token for padding."""
    pad = tokenizer.pad_token_id
    return int(tokenizer.eos_token_id if pad is None else pad)


def completion_of(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int], stops: Set[int]) -> Completion:
    """Return the answer of generated tokens: they end at the first stop token."""
    end = next((position for position, token in enumerate(ids) if token in stops), None)
    kept = ids if end is None else ids[:end]
    text = str(tokenizer.decode(kept, skip_special_tokens=True))
    return Completion(text, "length" if end is None else "stop", len(kept) + (end is not None))
