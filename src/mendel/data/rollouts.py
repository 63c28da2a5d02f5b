"""A rollout: one teacher's answer to one prompt, what of it is trained on, and how a teacher's answers begin."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from mendel.data.prompts import Message


@dataclass(frozen=True)
class Rollout:
    """A teacher's completion of a prompt.

    `messages` is the conversation that a student is trained on (without the teacher's system prompt, unless it is
    kept); `finish_reason` is `stop`, `length` (cut at the maximum) or `file`; `tokens` counts the completion's (None: a
    finished rollout whose row does not say). `prompt_tokens` and `dollars` are what an endpoint counted and took (None:
    a local model, or unknown).
    """

    prompt_id: str
    teacher: str
    messages: tuple[Message, ...]
    completion: str
    finish_reason: str
    tokens: int | None
    prompt_tokens: int | None = None
    dollars: float | None = None


@dataclass(frozen=True)
class Opener:
    """What a teacher's answers begin with, and how many of them do."""

    text: str
    """As it stands in the rollouts, without spaces around it."""
    share: float
    """Of all the rollouts, 0 to 1."""


def common_opener(rollouts: Iterable[Rollout], words: int = 1) -> Opener:
    """The most common first `words` words (between spaces) of the completions; among equals, the first by alphabet.

    Shorter completions begin with none, but count in the share. Raises ValueError if no completion is long enough.
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
