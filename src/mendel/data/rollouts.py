"""A rollout: one teacher's answer to one prompt; and the words that a teacher's answers begin with."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from mendel.data.prompts import Message


@dataclass(frozen=True)
class Rollout:
    """A teacher's completion of a prompt."""

    prompt_id: str
    teacher: str
    messages: tuple[Message, ...]
    """The conversation that a student is trained on; without the teacher's system prompt unless kept."""
    completion: str
    finish_reason: str
    """`stop`, `length` (cut at the maximum) or `file` (a finished rollout)."""
    tokens: int | None
    """Tokens of the completion; None for a finished rollout whose row does not give them."""
    prompt_tokens: int | None = None
    """Tokens of the prompt as an endpoint counted them; None for a local model, or where unknown."""
    dollars: float | None = None
    """Price at an endpoint; None as for `prompt_tokens`."""


@dataclass(frozen=True)
class Opener:
    """The words that the most of a teacher's answers begin with, and how many answers do."""

    text: str
    """The words as they are in the rollouts, without spaces around them."""
    share: float
    """Share of all the rollouts, 0 to 1."""


def common_opener(rollouts: Iterable[Rollout], words: int = 1) -> Opener:
    """Return the most common first words of the completions; among equals, the first by alphabet.

    Args:
        rollouts: Shorter completions have no opener, but count in its share.
        words: Number of words, separated by white space.

    Raises:
        ValueError: `words` is less than 1, or no completion has that many.
    """
    if words < 1:
        raise ValueError(f"an opener has at least one word, not {words}")
    total, openers = 0, Counter[str]()
    for rollout in rollouts:
        total += 1
        first = re.match(rf"\s*(\S+(?:\s+\S+){{{words - 1}}})", rollout.completion)
        if first:
            openers[first[1]] += 1
    if not openers:
        raise ValueError(f"none of {total} completions has {words} words")
    text, count = min(openers.items(), key=lambda item: (-item[1], item[0]))
    return Opener(text, count / total)
