"""Text of unknown origin, made safe to show: no control characters, terminal escapes or bidi overrides,
limited length."""

from __future__ import annotations

import re
import unicodedata

REPLACED = "\N{REPLACEMENT CHARACTER}"

# Bidi embeddings, overrides, isolates and marks can make a text read other than it is; tag characters hide
# text.
_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_UNWANTED = re.compile(
    f"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f{_BIDI}"
    "\ufeff\ufff9-\ufffb\U000e0000-\U000e007f\ud800-\udfff\ufffe\uffff]"
)
_BREAKS = re.compile("\r\n?|[\u2028\u2029\x85]")
_MARKS = 4
"""Limit of combining marks on one character. More of them would draw over the neighbouring lines."""


def clean(text: str) -> str:
    """Return a text without control characters, terminal escapes, bidi overrides and lone surrogates.

    Each removed character is replaced by U+FFFD, so that a reader sees the gap. Line ends become `\\n`.
    """
    if text.isascii() and text.isprintable():
        return text
    text = _UNWANTED.sub(REPLACED, _BREAKS.sub("\n", text))
    if text.isascii():
        return text
    kept, marks = [], 0
    for character in text:
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks <= _MARKS:
            kept.append(character)
    return "".join(kept)


def one_line(text: str, limit: int = 200) -> str:
    """Return a text on one line: cleaned, with single spaces as white space, and at most `limit`
    characters."""
    return " ".join(shorten(text, limit).split())


def shorten(text: str, limit: int) -> str:
    """Return at most `limit` characters of a text, cleaned. The number of removed characters stands at the
    end."""
    # Cut first: cleaning a line of a megabyte would be slow.
    left_out = len(text) - limit
    return clean(text) if left_out <= 0 else f"{clean(text[:limit])} … ({left_out:,} more characters)"
