"""What can go wrong with a request: whether it passes by itself, whether it was charged, and when to try
again.
"""

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
"""Statuses below 500 after which the same request may succeed."""
CONTEXT = re.compile(
    r"context.?(length|window|size)|maximum context"
    r"|(prompt|input|conversation|request).{0,40}too (long|large|many)"
    r"|too many (input |prompt )?tokens|reduce the length",
    re.IGNORECASE,
)
"""Words by which a refusal is about the length."""
MODEL = re.compile(
    r"model.{0,120}(not exist|not found|not available|not served|unknown)|(unknown|no such|invalid) model"
    r"|pinned to",
    re.IGNORECASE | re.DOTALL,
)
"""Words by which a refusal is about the model's name."""
LONGEST_WAIT = 600.0
"""Seconds of a `Retry-After` that are honoured at most: a longer wait would be as good as a stop."""
LONGEST = 300
"""Characters of a server's message that an error repeats."""


@dataclass(eq=False)
class Failure(Exception):
    """A request that failed, in mendel's own words. It holds no object of the HTTP client's, which could hold
    the key.
    """

    kind: Kind
    what: str
    """A short noun phrase, such as 'status 500' or 'no answer within 120 s'."""
    message: str = ""
    """The server's message, shortened and without a key; '' if there is none."""
    status: int | None = None
    param: str = ""
    code: str = ""
    charged: bool | None = False
    """Whether the provider charges for it; None if that is not known."""
    retry_after: float | None = None
    """Seconds that the server asks to wait."""
    connection: bool = False
    """Whether there was no connection at all."""

    def __str__(self) -> str:
        return f"{self.what}: {self.message}" if self.message else self.what


def status_failure(status: int, body: object, retry_after: str | None, secret: str) -> Failure:
    """Return the failure for a response with a status of 400 or more."""
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
    """Return the seconds of a `Retry-After` header, a number or an HTTP date; None for anything else."""
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
    """Return a server's message on one line, shortened, without the key or anything that looks like a key."""
    text = " ".join(str(value).split())
    if secret:
        text = text.replace(secret, "[key]")
    text = KEY.sub("[key]", text)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
