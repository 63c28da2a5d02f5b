"""Content addresses: the same content has the same name, on every machine and in every process."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any


def digest(kind: str, value: Any) -> str:
    """SHA-256 (64 hex digits) of a JSON-able value, under a kind so that equal values of two kinds differ.

    Raises TypeError for what JSON cannot hold, ValueError for NaN: neither has one canonical text.
    """
    text = json.dumps(
        [kind, value], sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False
    )
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 (64 hex digits) of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
