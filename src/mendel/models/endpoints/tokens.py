"""How many tokens a request can use at most, without the endpoint's tokenizer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mendel.engine.budget import Tokens

PER_MESSAGE = 16
"""Tokens for a role and the marks around one message."""
PER_REQUEST = 128
"""Tokens for what a chat template adds by itself, such as a default system prompt."""


class PromptBound:
    """An upper bound of a prompt's tokens: its UTF-8 bytes, as a token of a byte-level BPE has at least one
    byte.
    """

    def __init__(self) -> None:
        self.margin = PER_REQUEST
        self.seen = False
        """Whether an answer has shown what the chat template adds."""

    def of(self, request: Mapping[str, Any]) -> int:
        """Return the bound for a chat-completion request: the bytes of its texts, and the margins."""
        messages = request["messages"]
        size = sum(_size(message) for message in messages) + PER_MESSAGE * len(messages)
        # A chat template writes tools and schemas roughly as their JSON, with words about it.
        extra = [request[name] for name in ("tools", "response_format") if request.get(name)]
        return size + sum(2 * _size(value) for value in extra) + self.margin

    def learn(self, bound: int, used: int) -> None:
        """Learn from an answer that `used` prompt tokens, where `bound` was expected at most.

        A chat template can add more than the margin. The margin then grows by one and a half times the
        excess, for all requests that are sent from now on.
        """
        self.seen = True
        if used > bound:
            self.margin += (used - bound) * 3 // 2 + 1


def most_tokens(request: Mapping[str, Any], bound: PromptBound) -> Tokens:
    """Return the worst case of one request. Answers are as long as the request allows, 0 if it sets no
    limit.
    """
    longest = request.get("max_completion_tokens") or request.get("max_tokens") or 0
    return Tokens(bound.of(request), int(longest) * int(request.get("n") or 1))


def used_tokens(completion: Mapping[str, Any]) -> Tokens | None:
    """Return the tokens that a chat completion says it used; None if it does not say."""
    usage = completion.get("usage")
    if not isinstance(usage, dict):
        return None
    prompt, answer = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if not isinstance(prompt, int) or not isinstance(answer, int) or min(prompt, answer) < 0:
        return None
    return Tokens(prompt, answer)


def text_size(messages: Any) -> int:
    """Return the UTF-8 bytes of a conversation's texts."""
    return sum(_size(message) for message in messages)


def _size(value: Any) -> int:
    if isinstance(value, Mapping) and set(value) == {"role", "content"} and isinstance(value["content"], str):
        value = value["content"]
    if not isinstance(value, str):
        value = json.dumps(value, ensure_ascii=False, default=str)
    return len(value.encode("utf-8", "surrogatepass"))
