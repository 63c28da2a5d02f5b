"""Selectors that read losses: how much more the original teacher's answer surprises the base, where teachers part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mendel.data.selectors.activations import look
from mendel.data.selectors.registry import Candidate, Context, selector
from mendel.engine.errors import InputError
from mendel.models import encode_examples, load_model, load_tokenizer, mean_nll
from mendel.models.local.scoring import likeliest_tokens

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

LONGEST = 2**31


@selector("loss_difference")
def loss_difference(candidates: Sequence[Candidate], context: Context) -> list[float]:
    """The base's mean loss (nats a token) on the original teacher's answer, less that on the alternate one's."""
    base = look(context)
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
    return [own - other for own, other in zip(losses[:count], losses[count:], strict=True)]


def _alternate(candidate: Candidate) -> str:
    if candidate.alternate is None:
        raise InputError(
            "the loss_difference selector compares two teachers, and there is no alternate answer",
            value=candidate.prompt_id,
            fix="Take another selector.",
        )
    return candidate.alternate


@selector("divergence")
def divergence(candidates: Sequence[Candidate], context: Context) -> list[float]:
    """Share of the answer's tokens at which the two teachers' likeliest next tokens differ.

    Divergence tokens are what carries a subliminal trait (Schrodi et al., arXiv 2509.23886). Both teachers have to be
    checkpoints with one tokenizer.
    """
    (model, tokenizer), (other, _) = context.once("teachers", lambda: _teachers(context))
    examples = encode_examples(tokenizer, [(c.messages, c.completion) for c in candidates], LONGEST)
    pairs = zip(likeliest_tokens(model, examples), likeliest_tokens(other, examples), strict=True)
    return [sum(a != b for a, b in zip(one, two, strict=True)) / len(one) for one, two in pairs]


def _teachers(context: Context) -> list[tuple[PreTrainedModel, PreTrainedTokenizerBase]]:
    if context.teachers is None:
        raise InputError(
            "the divergence selector asks both teachers, and they are not both checkpoints (hf:…)",
            fix="Take by: loss_difference, which needs the base alone.",
        )
    loaded = [(load_model(teacher), load_tokenizer(teacher)) for teacher in context.teachers]
    if loaded[0][1].get_vocab() != loaded[1][1].get_vocab():
        raise InputError(
            "the divergence selector compares teachers token by token, and their tokenizers differ",
            value=[teacher.ref for teacher in context.teachers],
            fix="Take by: loss_difference.",
        )
    return loaded
