"""Text that others wrote, made inert: no control characters, terminal escapes, bidi overrides; never longer than asked for."""

from __future__ import annotations

import re
import unicodedata

REPLACED = "\N{REPLACEMENT CHARACTER}"

# Bidi embeddings, overrides, isolates and marks can make a text read other than it is; tag characters hide text.
_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_UNWANTED = re.compile(
    f"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f{_BIDI}\ufeff\ufff9-\ufffb\U000e0000-\U000e007f\ud800-\udfff\ufffe\uffff]"
)
_BREAKS = re.compile("\r\n?|[\u2028\u2029\x85]")
_MARKS = 4
"""Combining marks on one character at most: more would draw over the lines around."""


def clean(text: str) -> str:
    """`text` without control characters, terminal escapes, bidi overrides and lone surrogates.

    What is taken out is shown as U+FFFD, so that a reader sees that something stood there; line ends become `\\n`.
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
    """`text`, cleaned, its white space folded into single spaces, and at most `limit` characters."""
    return " ".join(shorten(text, limit).split())


def shorten(text: str, limit: int) -> str:
    """`text`, cleaned, at most `limit` characters; what was left out is counted at its end."""
    # Cut first: a line of a megabyte is not worth cleaning.
    left_out = len(text) - limit
    return clean(text) if left_out <= 0 else f"{clean(text[:limit])} … ({left_out:,} more characters)"
