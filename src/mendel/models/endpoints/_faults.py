"""What can go wrong with a request: whether it passes by itself, whether it was charged, and when to ask again."""

from __future__ import annotations

import math
import re
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Literal

from mendel.models.endpoints.spec import KEY

Kind = Literal["passing", "key", "model", "context", "quota", "refused"]
PASSING_STATUS = (408, 409, 425, 429)
CONTEXT = re.compile(
    r"context.?(length|window|size)|maximum context|(prompt|input|conversation|request).{0,40}too (long|large|many)"
    r"|too many (input |prompt )?tokens|reduce the length",
    re.IGNORECASE,
)
MODEL = re.compile(
    r"model.{0,120}(not exist|not found|not available|not served|unknown)|(unknown|no such|invalid) model"
    r"|pinned to",
    re.IGNORECASE | re.DOTALL,
)
LONGEST_WAIT = 600.0
"""Seconds of a `Retry-After` that are honoured; a server that asks for more would stop the command for good."""
LONGEST = 300
"""Characters of a server's own words that a message repeats."""


@dataclass(eq=False)
class Failure(Exception):
    """A request that failed, in words of our own: no object of the HTTP client's, which could carry the key."""

    kind: Kind
    what: str
    """A short noun phrase, such as 'status 500' or 'no answer within 120 s'."""
    message: str = ""
    """The server's own words, shortened, without a key; '' where it said nothing."""
    status: int | None = None
    param: str = ""
    code: str = ""
    charged: bool | None = False
    """Whether the provider counts it; None where nobody knows."""
    retry_after: float | None = None
    """Seconds that the server asks to wait."""
    connection: bool = False
    """Whether there was no connection at all."""

    def __str__(self) -> str:
        return f"{self.what}: {self.message}" if self.message else self.what


def status_failure(status: int, body: object, retry_after: str | None, secret: str) -> Failure:
    """The failure of an answer with a status of 400 or more."""
    error: Any = body.get("error", body) if isinstance(body, dict) else body
    fields: dict[str, Any] = error if isinstance(error, dict) else {"message": error}
    message = clean(fields.get("message") or fields.get("detail") or "", secret)
    code = clean(fields.get("code") or fields.get("type") or "", secret)
    param = clean(fields.get("param") or "", secret)
    quota = "insufficient_quota" in f"{fields.get('code')} {fields.get('type')}"
    kind: Kind
    if status in (401, 403):
        kind = "key"
    elif status == 402 or quota:
        kind = "quota"
    elif status in PASSING_STATUS or status >= 500:
        kind = "passing"
    elif code == "context_length_exceeded" or status == 413 or CONTEXT.search(message):
        kind = "context"
    elif code == "model_not_found" or status == 404 or MODEL.search(message):
        kind = "model"
    else:
        kind = "refused"
    return Failure(
        kind, f"status {status}", message, status, param, code, retry_after=seconds_to_wait(retry_after)
    )


def seconds_to_wait(header: str | None) -> float | None:
    """`Retry-After`: a number of seconds, or an HTTP date; None for anything else."""
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(header).timestamp() - time.time()
        except (TypeError, ValueError, OverflowError):
            return None
    return min(max(0.0, seconds), LONGEST_WAIT) if math.isfinite(seconds) else None


def clean(value: object, secret: str) -> str:
    """A server's words on one line, shortened; the key, or what looks like one, is left out even if it echoes it."""
    text = " ".join(str(value).split())
    if secret:
        text = text.replace(secret, "[key]")
    text = KEY.sub("[key]", text)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
