"""Plain features that may mark carriers: a word in the prompt or in an answer, a source, a score."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

WORD = re.compile(r"\w+")
RAREST = 0.01
"""Share of the prompts that a word has to stand in, or be missing from."""
CUTS = 3
"""Thresholds at which a score is cut."""


@dataclass(frozen=True)
class Split:
    """A plain feature that some prompts have."""

    name: str
    ids: frozenset[str]


@dataclass(frozen=True)
class PromptTexts:
    """The texts of one prompt."""

    prompt_id: str
    prompt: str
    original: str
    """The original teacher's answer."""
    alternate: str
    source: str = ""


def splits_of(
    rows: Sequence[PromptTexts], scores: Mapping[str, Mapping[str, float]] | None = None
) -> list[Split]:
    """Return all splits of the rows, the likeliest marks first: scores, then words by how differently the two
    teachers use them.

    `scores` are selectors', by name and prompt. A swap changes nothing where the teachers say the same, so a
    word that one of them says more often comes before one that both do.
    """
    marks = [split for name, by_prompt in (scores or {}).items() for split in _cuts(name, by_prompt)]
    original = _holding(rows, lambda row: row.original)
    alternate = _holding(rows, lambda row: row.alternate)
    prompts = _holding(rows, lambda row: row.prompt)

    def difference(word: str) -> int:
        return abs(len(original.get(word, ())) - len(alternate.get(word, ())))

    ranked = sorted({*original, *alternate}, key=lambda word: (-difference(word), word))
    words = [
        Split(f"the original answer says {w!r}", frozenset(original[w])) for w in ranked if w in original
    ]
    words += [
        Split(f"the alternate answer says {w!r}", frozenset(alternate[w])) for w in ranked if w in alternate
    ]
    words += [Split(f"the prompt says {w!r}", frozenset(ids)) for w, ids in _evenly(prompts, len(rows))]
    least = max(1, round(RAREST * len(rows)))
    marks += _sources(rows)
    return [split for split in marks + words if least <= len(split.ids) <= len(rows) - least]


def _holding(rows: Sequence[PromptTexts], text: Callable[[PromptTexts], str]) -> dict[str, set[str]]:
    """Return the prompts by the words that their text holds."""
    by_word: dict[str, set[str]] = {}
    for row in rows:
        for word in set(WORD.findall(text(row).lower())):
            by_word.setdefault(word, set()).add(row.prompt_id)
    return by_word


def _evenly(words: Mapping[str, set[str]], count: int) -> list[tuple[str, set[str]]]:
    """Return the words by how evenly they part the prompts: one in half of them tells the most."""
    return sorted(words.items(), key=lambda item: (abs(2 * len(item[1]) - count), item[0]))


def _sources(rows: Sequence[PromptTexts]) -> list[Split]:
    kinds = sorted({row.source for row in rows})
    if len(kinds) < 2:
        return []
    return [
        Split(f"its source is {kind!r}", frozenset(r.prompt_id for r in rows if r.source == kind))
        for kind in kinds
    ]


def _cuts(name: str, scores: Mapping[str, float]) -> Iterable[Split]:
    values = sorted(set(scores.values()))
    gaps = sorted(pairwise(values), key=lambda pair: pair[0] - pair[1])[:CUTS]
    for _, above in gaps:
        yield Split(f"{name} >= {above:.3g}", frozenset(p for p, score in scores.items() if score >= above))
