"""Batch files: requests written to a file for a provider's batch service instead of being sent, and its
results read.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mendel.engine.errors import InputError, Waiting
from mendel.engine.store import disk_error, write_atomic
from mendel.engine.store.answers import AnswerCache
from mendel.models.endpoints.requests import KIND, has_choice

URL = "/v1/chat/completions"


@dataclass
class BatchFile:
    """The requests of one command, in OpenAI's batch format. The first `add` starts the file anew."""

    path: Path
    _keys: set[str] = field(default_factory=set, repr=False)

    def add(self, requests: dict[str, dict[str, Any]]) -> Waiting:
        """Write the requests (by their keys in the store) that the file does not have yet; return the error
        to raise.
        """
        new = {key: body for key, body in requests.items() if key not in self._keys}
        rows = ({"custom_id": key, "method": "POST", "url": URL, "body": body} for key, body in new.items())
        text = "".join(f"{json.dumps(row)}\n" for row in rows)
        if not self._keys:
            write_atomic(self.path, text)
        else:
            self._append(text)
        self._keys |= new.keys()
        return Waiting(
            f"{len(self._keys)} requests are in the batch file and were not sent",
            where=str(self.path),
            fix="Give it to the provider's batch service, then run the same command with --batch-in RESULTS.",
        )

    def _append(self, text: str) -> None:
        try:
            with self.path.open("a", encoding="utf-8") as stream:
                stream.write(text)
        except OSError as error:
            raise disk_error(error, self.path.parent) from error


@dataclass(frozen=True)
class BatchRead:
    """What a file of results held."""

    answers: int
    """Answers that are in the store now, also those that no request of this study asked for: they may serve
    another study."""
    failed: int
    """Requests that the provider could not answer; they will be made again."""
    reasons: dict[str, int]
    """How many failed for each reason."""

    def __str__(self) -> str:
        text = f"{self.answers} answers read"
        if self.failed:
            why = ", ".join(f"{count} x {reason}" for reason, count in self.reasons.items())
            text += f", {self.failed} requests failed ({why})"
        return text


def read_batch(path: Path, cache: AnswerCache) -> BatchRead:
    """Put a provider's batch results into the store.

    Args:
        path: The file of results (JSONL).
        cache: The answers of the store.

    Returns:
        What the file held.

    Raises:
        InputError: The file is missing, or a line is not a batch result (with the line number). The lines
            before it are kept.
    """
    answers, reasons = 0, dict[str, int]()
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                key, completion, reason = _result(line, f"{path}:{number}")
                if completion is None:
                    reasons[reason] = reasons.get(reason, 0) + 1
                    continue
                # No price: batches have discounts that are in no table here.
                cache.put(KIND, key, {"completion": completion, "dollars": None, "price": None})
                answers += 1
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"the batch's results cannot be read: {error}", where=str(path)) from None
    return BatchRead(answers, sum(reasons.values()), reasons)


def _result(line: str, where: str) -> tuple[str, dict[str, Any] | None, str]:
    """Return a line's key with its completion, or with None and the reason."""
    fix = (
        "Give the file of results as the provider made it: "
        "one JSON object a line, with 'custom_id' and 'response'."
    )
    try:
        row = json.loads(line)
    except ValueError:
        raise InputError("not valid JSON", where=where, fix=fix) from None
    if not isinstance(row, dict) or not isinstance(row.get("custom_id"), str):
        raise InputError("not a batch result", where=where, fix=fix)
    response, error = row.get("response"), row.get("error")
    if isinstance(response, dict):
        body, status = response.get("body"), response.get("status_code", 200)
        if status == 200 and isinstance(body, dict) and has_choice(body):
            return row["custom_id"], body, ""
        return row["custom_id"], None, "no answer" if status == 200 else f"status {status}"
    if isinstance(error, dict):
        return row["custom_id"], None, str(error.get("code") or "error")
    raise InputError("the line has neither a response nor an error", where=where, fix=fix)
