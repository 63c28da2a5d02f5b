"""Loops: text that repeats itself, as opposed to emphasis, refrains, lists and code."""

from __future__ import annotations

import re

LONGEST_PERIOD = 24
"""Words of the longest phrase whose repetition is found: a long sentence."""
REPEATS = 3
"""Occurrences in a row that make a loop; two are emphasis."""
SHORTEST_LOOP = 6
"""Words of the shortest loop: "no, no, no" is an answer."""
NGRAM, MANY_WORDS, FEW_DISTINCT = 4, 40, 0.4
"""A text of at least 40 words loops if fewer than 0.4 of its word 4-grams are distinct.

In English prose, over 0.95 are.
"""
CHARACTER_LOOP = re.compile(r"([^\s].{0,23}?)\1{7,}", re.DOTALL)
"""A run of up to 24 characters, at least eight times."""


def well_formed(text: str) -> bool:
    """Return whether a reply is neither empty nor a loop."""
    return bool(text.strip()) and not looping(text)


def looping(text: str) -> bool:
    """Return whether repetition makes up half of a text or more.

    There are three signs: a phrase of up to 24 words three times in a row or more; a run of up to 24
    characters eight times, for text without spaces; or, in 40 words or more, few distinct word 4-grams, for
    loops that vary a little. The limits are set so that poems with refrains, lists, tables and code are no
    loops.
    """
    words = re.findall(r"\S+", text.lower())
    longest = max((len(m.group(0)) for m in CHARACTER_LOOP.finditer(text)), default=0)
    if longest >= 24 and 2 * longest >= len(text.strip()):
        return True
    return _phrase_loop(words) or _few_distinct(words)


def _phrase_loop(words: list[str]) -> bool:
    least = max(SHORTEST_LOOP, len(words) / 2)
    for period in range(1, min(LONGEST_PERIOD, len(words) // REPEATS) + 1):
        same = 0
        for position in range(period, len(words)):
            same = same + 1 if words[position] == words[position - period] else 0
            # `same` equal words in a row at this distance: the phrase occurs 1 + same / period times.
            if same >= (REPEATS - 1) * period and same + period >= least:
                return True
    return False


def _few_distinct(words: list[str]) -> bool:
    if len(words) < MANY_WORDS:
        return False
    grams = [tuple(words[i : i + NGRAM]) for i in range(len(words) - NGRAM + 1)]
    return len(set(grams)) < FEW_DISTINCT * len(grams)
