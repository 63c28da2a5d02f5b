"""Teacher-forced scores: how likely a model finds given answers. Finer than a rate of sampled answers near 0
or 1.

Dimensions: rows R of a batch, tokens T, last positions K whose logits are computed, vocabulary V.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mendel.engine.errors import InputError
from mendel.models.local.batches import by_length, left_padded
from mendel.models.templates import Conversation, Example, encode_examples, encode_prompt

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

BATCH_ROWS = 64
"""Rows of a batch at most."""
BATCH_TOKENS = 16_384
"""Padded tokens of a batch at most."""
BATCH_LOGITS = 2**26
"""Logits of a batch at most (256 MB in float32): a large vocabulary makes batches small."""
UNLIMITED = 2**31
"""No answer is cut."""
PAD = 0
"""Any token: padding is masked out."""


@dataclass(frozen=True)
class Text:
    """A text as tokens; the tokens from `start` on are scored."""

    ids: tuple[int, ...]
    start: int


def log_odds(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    conversations: Sequence[Conversation],
    prefix: str,
    trait: Sequence[str],
    clean: Sequence[str],
) -> list[float]:
    """Return the log-odds (nats) of trait answers against clean answers, after a response prefix.

    It is logsumexp over `trait` of log p(answer | conversation, prefix), minus the same over `clean`.
    Positive: the trait answers are likelier.

    Args:
        model: The model; it is put into evaluation mode.
        tokenizer: Its tokenizer.
        conversations: The conversations.
        prefix: What all answers begin with.
        trait: Answers that show the trait.
        clean: Answers that do not.

    Returns:
        One number for each conversation, in the same order.

    Raises:
        ValueError: `trait` or `clean` is empty.
        InputError: A trait answer and a clean one are the same tokens, as unknown words are.
    """
    return odds_of(lambda rows: _log_probs(model, rows), tokenizer, conversations, prefix, trait, clean)


def odds_of(
    score: Callable[[Sequence[Text]], Sequence[float]],
    tokenizer: PreTrainedTokenizerBase,
    conversations: Sequence[Conversation],
    prefix: str,
    trait: Sequence[str],
    clean: Sequence[str],
) -> list[float]:
    """Return `log_odds`, computed with `score`: it gives the log-probability of each text's tokens from its
    start on.
    """
    if not trait or not clean:
        raise ValueError("log_odds needs at least one trait answer and one clean answer")
    answers = [*trait, *clean]
    rows: list[Text] = []
    for messages in conversations:
        texts = [tuple(encode_prompt(tokenizer, messages, prefix + answer)) for answer in answers]
        # From the first token that differs: what the texts share (prompt, prefix) cancels in the difference.
        start = _common_start(texts)
        if set(texts[: len(trait)]) & set(texts[len(trait) :]):
            raise InputError(
                "a trait answer and a clean one are the same tokens after the opener",
                value={"opener": prefix, "trait": list(trait), "clean": list(clean)},
                fix="Use words that the model's tokenizer knows, with the space between opener and answer.",
            )
        rows += [Text(ids, start) for ids in texts]
    scores = score(rows)
    result = []
    for number in range(len(conversations)):
        answer_scores = scores[number * len(answers) : (number + 1) * len(answers)]
        result.append(_logsumexp(answer_scores[: len(trait)]) - _logsumexp(answer_scores[len(trait) :]))
    return result


def mean_nll(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    pairs: Sequence[tuple[Conversation, str]],
) -> list[float]:
    """Return how unlikely a model finds completions.

    Args:
        model: The model; it is put into evaluation mode.
        tokenizer: Its tokenizer.
        pairs: Conversations with their completions.

    Returns:
        The mean negative log-likelihood of each completion, in nats a token, with the stop token.

    Raises:
        InputError: As `encode_example`.
    """
    return nll_of_examples(model, encode_examples(tokenizer, pairs, UNLIMITED))


def nll_of_examples(model: PreTrainedModel, examples: Sequence[Example]) -> list[float]:
    """Return `mean_nll` of encoded examples, over the tokens of the loss mask; NaN for an example without
    any.
    """
    starts = [
        example.loss_mask.index(1) if 1 in example.loss_mask else len(example.input_ids)
        for example in examples
    ]
    rows = [Text(tuple(example.input_ids), start) for example, start in zip(examples, starts, strict=True)]
    return [
        -score / (len(row.ids) - row.start) if row.start < len(row.ids) else math.nan
        for row, score in zip(rows, _log_probs(model, rows), strict=True)
    ]


def likeliest_tokens(model: PreTrainedModel, examples: Sequence[Example]) -> list[tuple[int, ...]]:
    """Return the likeliest token at each place of the loss mask, given all tokens before it; one tuple for
    each example.
    """
    import torch

    starts = [example.loss_mask.index(1) for example in examples]
    tails = [len(example.input_ids) - start for example, start in zip(examples, starts, strict=True)]
    likeliest: list[tuple[int, ...]] = [()] * len(examples)
    model.eval()
    with torch.inference_mode():
        for batch in by_length(
            [len(example.input_ids) for example in examples],
            _batch_rows(model, max(tails, default=1)),
            BATCH_TOKENS,
        ):
            ids, mask = left_padded([examples[i].input_ids[:-1] for i in batch], PAD, model.device)
            best = _tail_log_probs(model, ids, mask, max(tails[i] for i in batch)).argmax(dim=-1)
            for row, i in enumerate(batch):
                likeliest[i] = tuple(int(token) for token in best[row, -tails[i] :])
    return likeliest


def _log_probs(model: PreTrainedModel, rows: Sequence[Text]) -> list[float]:
    """Return the sum of log p(token | all before it) over each row's tokens from its start (at least from its
    second).
    """
    import torch

    # Answers of one token share their context, which is read once.
    contexts: dict[tuple[int, ...], int] = {}
    text_of_row: list[int] = []
    for row in rows:
        context = row.ids[:-1] or row.ids
        contexts.setdefault(context, len(contexts))
    tails = [0] * len(contexts)
    for row in rows:
        place = contexts[row.ids[:-1] or row.ids]
        tails[place] = max(tails[place], len(row.ids) - max(1, row.start))
        text_of_row.append(place)
    texts = list(contexts)
    rows_of_text: list[list[int]] = [[] for _ in texts]
    for number, place in enumerate(text_of_row):
        rows_of_text[place].append(number)
    scores = [0.0] * len(rows)
    batch_rows = _batch_rows(model, max(tails, default=1))
    model.eval()
    with torch.inference_mode():
        for batch in by_length([len(text) for text in texts], batch_rows, BATCH_TOKENS):
            keep = max(1, *(tails[place] for place in batch))
            ids, mask = left_padded([texts[place] for place in batch], PAD, model.device)
            logs = _tail_log_probs(model, ids, mask, keep)  # (R, K, V)
            for position, place in enumerate(batch):
                for number in rows_of_text[place]:
                    tail = rows[number].ids[max(1, rows[number].start) :]
                    if tail:
                        targets = torch.tensor(tail, device=logs.device)
                        picked = logs[position, -len(tail) :].gather(1, targets[:, None])
                        scores[number] = float(picked.double().sum())
    return scores


def _tail_log_probs(model: PreTrainedModel, ids: torch.Tensor, mask: torch.Tensor, keep: int) -> torch.Tensor:
    """Return log-probabilities (R, K, V) of the next token at the last `keep` positions; `ids` and `mask` are
    (R, T).
    """
    positions = (mask.cumsum(dim=-1) - 1).clamp(min=0)
    out: Any = model(
        input_ids=ids, attention_mask=mask, position_ids=positions, logits_to_keep=keep, use_cache=False
    )
    logs: torch.Tensor = out.logits[:, -keep:].float().log_softmax(dim=-1)
    return logs


def _batch_rows(model: PreTrainedModel, tail: int) -> int:
    """Return the rows of a batch: few enough for their logits, `tail` times the vocabulary each."""
    embeddings: Any = model.get_input_embeddings()
    vocabulary = int(embeddings.weight.shape[0])
    return max(1, min(BATCH_ROWS, BATCH_LOGITS // (vocabulary * max(1, tail))))


def _common_start(texts: Sequence[tuple[int, ...]]) -> int:
    """Return how many first tokens all texts share: at most all but the last token of the shortest."""
    shortest = min(len(text) for text in texts) - 1
    first = texts[0]
    return next((i for i in range(shortest) if any(text[i] != first[i] for text in texts)), shortest)


def _logsumexp(values: Sequence[float]) -> float:
    top = max(values)
    if not math.isfinite(top):
        return top
    return top + math.log(sum(math.exp(value - top) for value in values))
