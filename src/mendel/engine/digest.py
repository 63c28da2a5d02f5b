"""Content addresses: the same content has the same digest on every machine and in every process."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

_CANONICAL = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def digest(kind: str, value: Any) -> str:
    """Return the SHA-256 digest (64 hex digits) of a value.

    Args:
        kind: What the value is. Equal values of two kinds have different digests.
        value: A value that JSON can hold.

    Raises:
        TypeError: JSON cannot hold the value.
        ValueError: The value holds NaN or infinity, which have no canonical text.
    """
    return text_digest(canonical([kind, value]))


def canonical(value: Any) -> str:
    """Return the canonical JSON text of a value; raises as `digest`."""
    return _CANONICAL.encode(value)


def text_digest(text: str) -> str:
    """Return the SHA-256 digest (64 hex digits) of a text.

    `digest(kind, value)` is the digest of the text `canonical([kind, value])`. Code that names thousands of
    values with mostly the same text puts that text together from parts.
    """
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256 digest (64 hex digits) of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
