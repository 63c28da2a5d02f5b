"""Content addresses: the same content has the same name, on every machine and in every process."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

_CANONICAL = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def digest(kind: str, value: Any) -> str:
    """SHA-256 (64 hex digits) of a JSON-able value, under a kind so that equal values of two kinds differ.

    Raises TypeError for what JSON cannot hold, ValueError for NaN: neither has one canonical text.
    """
    return text_digest(canonical([kind, value]))


def canonical(value: Any) -> str:
    """The one JSON text of a value; raises as `digest` does."""
    return _CANONICAL.encode(value)


def text_digest(text: str) -> str:
    """SHA-256 of a text: `digest(kind, value)` is that of `canonical([kind, value])`.

    For whoever names thousands of values that share most of their text, and puts it together from parts.
    """
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 (64 hex digits) of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
