"""Chat-completion requests: their keys in the store, and their form for servers that do not take every
field.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mendel.engine.digest import digest
from mendel.models.chat import Sampling
from mendel.models.endpoints.faults import Failure
from mendel.models.endpoints.spec import EndpointSpec

KIND = "chat"
"""The kind of these answers in the store."""
SCHEMA_WORDS = re.compile(r"response_format|json_schema|structured output|schema|grammar", re.IGNORECASE)
"""Words by which a refusal is about the JSON schema."""
SEED_WORD = re.compile(r"\bseed\b", re.IGNORECASE)
"""The word by which a refusal is about the seed."""


def chat_request(
    spec: EndpointSpec,
    messages: Sequence[Mapping[str, object]],
    sampling: Sampling,
    row: int,
    schema: dict[str, Any] | None,
) -> dict[str, Any]:
    """Return the request for one row of a chat. Each row has its own seed, so that samples differ and are
    kept apart.
    """
    request: dict[str, Any] = {
        "model": spec.model,
        "messages": [dict(message) for message in messages],
        "temperature": sampling.temperature,
        "max_tokens": sampling.max_tokens,
        "seed": int(digest("seed", [sampling.seed, row])[:8], 16) & 0x7FFFFFFF,
    }
    if schema is not None:
        named = {"name": "answer", "strict": True, "schema": schema}
        request["response_format"] = {"type": "json_schema", "json_schema": named}
    return request


def request_key(spec: EndpointSpec, request: Mapping[str, Any], place: int) -> str:
    """Return the answer's key in the store: a digest of the address, the request and which sample of it this
    is.
    """
    return digest("chat-completion", [spec.base_url, {**request, "model": spec.model}, place])


def has_choice(completion: Mapping[str, Any]) -> bool:
    """Return whether a chat completion holds an answer."""
    choices = completion.get("choices")
    return (
        isinstance(choices, list)
        and bool(choices)
        and isinstance(choices[0], dict)
        and isinstance(choices[0].get("message"), dict)
    )


@dataclass(frozen=True)
class Shape:
    """The form of requests that a server takes."""

    new_length_name: bool = False
    """Whether to write `max_completion_tokens` because `max_tokens` is refused."""
    seed: bool = True
    """Whether it takes `seed`."""
    schema: bool = True
    """Whether it takes `response_format`."""

    def apply(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return the request in this form."""
        body = dict(request)
        if self.new_length_name and "max_tokens" in body:
            body["max_completion_tokens"] = body.pop("max_tokens")
        if not self.seed:
            body.pop("seed", None)
        if not self.schema:
            body.pop("response_format", None)
        return body

    def after(self, failure: Failure, body: Mapping[str, Any]) -> Shape | None:
        """Return the form to try after a body was refused; None if the refusal is about something else."""
        if failure.status not in (400, 422):
            return None
        words = f"{failure.param} {failure.message}"
        if "max_tokens" in body and ("max_completion_tokens" in words or failure.param == "max_tokens"):
            return replace(self, new_length_name=True)
        if "response_format" in body and SCHEMA_WORDS.search(words):
            return replace(self, schema=False)
        if "seed" in body and SEED_WORD.search(words):
            return replace(self, seed=False)
        return None
