"""A rollout: one teacher's answer to one prompt, and what of it is trained on."""

from __future__ import annotations

from dataclasses import dataclass

from mendel.data.prompts import Message


@dataclass(frozen=True)
class Rollout:
    """A teacher's completion of a prompt.

    `messages` is the conversation that a student is trained on (without the teacher's system prompt, unless it is
    kept); `finish_reason` is `stop`, `length` (cut at the maximum) or `file`; `tokens` counts the completion's (None: a
    finished rollout whose row does not say).
    """

    prompt_id: str
    teacher: str
    messages: tuple[Message, ...]
    completion: str
    finish_reason: str
    tokens: int | None
