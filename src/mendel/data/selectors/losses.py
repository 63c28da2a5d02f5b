"""Selectors that read losses: where an answer surprises the base, and where two teachers differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mendel.data.selectors.activations import load_base
from mendel.data.selectors.registry import Candidate, Context, selector
from mendel.engine.errors import InputError
from mendel.models import encode_examples, load_model, load_tokenizer, mean_nll
from mendel.models.local.scoring import likeliest_tokens

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

MAX_TOKENS = 2**31
"""No example is cut: it is scored whole."""


@selector("loss_difference")
def loss_difference(candidates: Sequence[Candidate], context: Context) -> list[float]:
    """Return the base's mean loss (nats a token) on the original answer minus that on the alternate one."""
    base = load_base(context)
    alternates = [_alternate(candidate) for candidate in candidates]
    losses = mean_nll(
        base.model,
        base.tokenizer,
        [
            *((c.messages, c.completion) for c in candidates),
            *((c.messages, answer) for c, answer in zip(candidates, alternates, strict=True)),
        ],
    )
    count = len(candidates)
    return [original - alternate for original, alternate in zip(losses[:count], losses[count:], strict=True)]


def _alternate(candidate: Candidate) -> str:
    if candidate.alternate is None:
        raise InputError(
            "the loss_difference selector compares two teachers, and there is no alternate answer",
            value=candidate.prompt_id,
            fix="Choose another selector, such as by: judge.",
        )
    return candidate.alternate


@selector("divergence")
def divergence(candidates: Sequence[Candidate], context: Context) -> list[float]:
    """Return the share of the answer's tokens at which the two teachers' most likely next tokens differ.

    Divergence tokens carry a subliminal trait (Schrodi et al., arXiv 2509.23886). Both teachers must be
    checkpoints with the same tokenizer.
    """
    (original, tokenizer), (alternate, _) = context.once("teachers", lambda: _teachers(context))
    examples = encode_examples(tokenizer, [(c.messages, c.completion) for c in candidates], MAX_TOKENS)
    pairs = zip(likeliest_tokens(original, examples), likeliest_tokens(alternate, examples), strict=True)
    return [sum(a != b for a, b in zip(first, second, strict=True)) / len(first) for first, second in pairs]


def _teachers(context: Context) -> list[tuple[PreTrainedModel, PreTrainedTokenizerBase]]:
    if context.teachers is None:
        raise InputError(
            "the divergence selector reads both teachers, and they are not both checkpoints (hf:…)",
            fix="Write by: loss_difference, which needs only the base.",
        )
    loaded = [(load_model(teacher), load_tokenizer(teacher)) for teacher in context.teachers]
    if loaded[0][1].get_vocab() != loaded[1][1].get_vocab():
        raise InputError(
            "the divergence selector compares teachers token by token, and their tokenizers differ",
            value=[teacher.ref for teacher in context.teachers],
            fix="Write by: loss_difference.",
        )
    return loaded
