"""Loops told apart: a text that says the same over and over, with each phrase left once, so that a judge reads what it says."""

from __future__ import annotations

import re
from itertools import pairwise

from mendel.measure.loops import CHARACTER_LOOP, LONGEST_PERIOD, NGRAM, REPEATS, SHORTEST_LOOP, looping

Word = re.Match[str]


def collapse_loops(text: str) -> str:
    """The text with what it repeats said once; a text that does not loop is returned as it is.

    A loop is what `mendel.measure.looping` takes for one, by its three signs: a run of characters or of a phrase is cut
    to its first occurrence; of a text with few distinct phrases, words stay that are no part of an earlier phrase.
    White space goes with the word before it. The result is shorter for a loop, and collapsing it again changes nothing.
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
    """Positions of the words without those that repeat a phrase which stands three times in a row or more."""
    said = [word.group(0).lower() for word in words]
    dropped: set[int] = set()
    for period in range(1, min(LONGEST_PERIOD, len(said) // REPEATS) + 1):
        same = 0
        for position in range(period, len(said) + 1):
            if position < len(said) and said[position] == said[position - period]:
                same += 1
                continue
            if same >= (REPEATS - 1) * period and same + period >= SHORTEST_LOOP:
                dropped.update(range(position - same, position))
            same = 0
        if dropped:
            # A longer period would find multiples of this one; what is left is looked at again.
            break
    return [position for position in range(len(said)) if position not in dropped]


def _without_known_phrases(words: list[Word]) -> list[int]:
    """Positions of the words that do not stand in a phrase of four words which began earlier in the text."""
    said = [word.group(0).lower() for word in words]
    seen: set[tuple[str, ...]] = set()
    kept, end = [], 0
    for position in range(len(said)):
        phrase = tuple(said[position : position + NGRAM])
        if len(phrase) == NGRAM and phrase in seen:
            end = position + NGRAM
        seen.add(phrase)
        if position >= end:
            kept.append(position)
    return kept


def _joined(text: str, words: list[Word], kept: list[int]) -> str:
    """The text from its first word's white space on, each kept word with the white space before it."""
    if len(kept) == len(words):
        return text
    borders = [0, *(word.end() for word in words)]
    pieces = [text[start:end] for start, end in pairwise(borders)]
    return "".join(pieces[position] for position in kept)
