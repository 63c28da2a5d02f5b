"""Shorten text that loops: each phrase is left once, so that a judge reads what the text says."""

from __future__ import annotations

import re
from itertools import pairwise

from mendel.measure.loops import CHARACTER_LOOP, LONGEST_PERIOD, NGRAM, REPEATS, SHORTEST_LOOP, looping

Word = re.Match[str]


def collapse_loops(text: str) -> str:
    """Return the text without its repetitions; a text that does not loop is returned as it is.

    A loop is what `mendel.measure.looping` finds, by its three signs. A run of characters or of a phrase is
    cut to its first occurrence; a text with few distinct phrases keeps the words that are in no earlier
    phrase. White space belongs to the word before it. A loop gets shorter, and collapsing it again changes
    nothing.
    """
    while looping(text):
        shorter = _step(text)
        if len(shorter) >= len(text):
            break
        text = shorter
    return text


def _step(text: str) -> str:
    shorter = _without_character_runs(text)
    if len(shorter) < len(text):
        return shorter
    words = list(re.finditer(r"\S+", text))
    kept = _without_phrase_runs(words)
    return _joined(text, words, kept if len(kept) < len(words) else _without_known_phrases(words))


def _without_character_runs(text: str) -> str:
    def once(run: re.Match[str]) -> str:
        return run.group(1) if len(run.group(0)) >= 24 else run.group(0)

    longest = max((len(run.group(0)) for run in CHARACTER_LOOP.finditer(text)), default=0)
    looped = longest >= 24 and 2 * longest >= len(text.strip())
    return CHARACTER_LOOP.sub(once, text) if looped else text


def _without_phrase_runs(words: list[Word]) -> list[int]:
    """Return the positions of the words outside phrases that repeat three times in a row or more."""
    tokens = [word.group(0).lower() for word in words]
    dropped: set[int] = set()
    for period in range(1, min(LONGEST_PERIOD, len(tokens) // REPEATS) + 1):
        same = 0
        for position in range(period, len(tokens) + 1):
            if position < len(tokens) and tokens[position] == tokens[position - period]:
                same += 1
                continue
            if same >= (REPEATS - 1) * period and same + period >= SHORTEST_LOOP:
                dropped.update(range(position - same, position))
            same = 0
        if dropped:
            # A longer period would find multiples of this one; the caller looks at the rest again.
            break
    return [position for position in range(len(tokens)) if position not in dropped]


def _without_known_phrases(words: list[Word]) -> list[int]:
    """Return the positions of the words outside phrases of four words that began earlier in the text."""
    tokens = [word.group(0).lower() for word in words]
    seen: set[tuple[str, ...]] = set()
    kept, end = [], 0
    for position in range(len(tokens)):
        phrase = tuple(tokens[position : position + NGRAM])
        if len(phrase) == NGRAM and phrase in seen:
            end = position + NGRAM
        seen.add(phrase)
        if position >= end:
            kept.append(position)
    return kept


def _joined(text: str, words: list[Word], kept: list[int]) -> str:
    """Return the kept words, each with the white space before it."""
    if len(kept) == len(words):
        return text
    borders = [0, *(word.end() for word in words)]
    pieces = [text[start:end] for start, end in pairwise(borders)]
    return "".join(pieces[position] for position in kept)
