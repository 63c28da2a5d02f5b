"""Chat-completion requests: how one is named, and how it is put for a server that does not take all of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mendel.engine.digest import digest
from mendel.models.chat import Sampling
from mendel.models.endpoints._faults import Failure
from mendel.models.endpoints.spec import EndpointSpec

KIND = "chat"
"""The kind of endpoints' answers among the store's answers."""
SCHEMA_WORDS = re.compile(r"response_format|json_schema|structured output|schema|grammar", re.IGNORECASE)
SEED_WORD = re.compile(r"\bseed\b", re.IGNORECASE)


def chat_request(
    spec: EndpointSpec,
    messages: Sequence[Mapping[str, object]],
    sampling: Sampling,
    row: int,
    schema: dict[str, Any] | None,
) -> dict[str, Any]:
    """The request for one row of a chat; its seed is its own, so that samples differ and are kept apart."""
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
    """The answer's name in the cache: the address, all that was asked for, and which sample of it."""
    return digest("chat-completion", [spec.base_url, {**request, "model": spec.model}, place])


def has_choice(completion: Mapping[str, Any]) -> bool:
    """Whether a chat completion holds an answer."""
    choices = completion.get("choices")
    return (
        isinstance(choices, list)
        and bool(choices)
        and isinstance(choices[0], dict)
        and isinstance(choices[0].get("message"), dict)
    )


@dataclass(frozen=True)
class Shape:
    """What a server was found to take."""

    new_length_name: bool = False
    """`max_completion_tokens`, where `max_tokens` is refused."""
    seed: bool = True
    schema: bool = True

    def put(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The request as this server takes it."""
        body = dict(request)
        if self.new_length_name and "max_tokens" in body:
            body["max_completion_tokens"] = body.pop("max_tokens")
        if not self.seed:
            body.pop("seed", None)
        if not self.schema:
            body.pop("response_format", None)
        return body

    def after(self, failure: Failure, body: Mapping[str, Any]) -> Shape | None:
        """What to send instead of a body that was refused; None where the refusal is about something else."""
        if failure.status not in (400, 422):
            return None
        said = f"{failure.param} {failure.message}"
        if "max_tokens" in body and ("max_completion_tokens" in said or failure.param == "max_tokens"):
            return replace(self, new_length_name=True)
        if "response_format" in body and SCHEMA_WORDS.search(said):
            return replace(self, schema=False)
        if "seed" in body and SEED_WORD.search(said):
            return replace(self, seed=False)
        return None
