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
    found = [split for name, own in (scores or {}).items() for split in _cuts(name, own)]
    own = _holding(rows, lambda row: row.original)
    other = _holding(rows, lambda row: row.alternate)
    asked = _holding(rows, lambda row: row.prompt)
    both = sorted(
        {*own, *other}, key=lambda word: (-abs(len(own.get(word, ())) - len(other.get(word, ()))), word)
    )
    words = [Split(f"the original answer says {w!r}", frozenset(own[w])) for w in both if w in own]
    words += [Split(f"the alternate answer says {w!r}", frozenset(other[w])) for w in both if w in other]
    words += [Split(f"the prompt says {w!r}", frozenset(ids)) for w, ids in _evenly(asked, len(rows))]
    least = max(1, round(RAREST * len(rows)))
    found += _sources(rows)
    return [split for split in found + words if least <= len(split.ids) <= len(rows) - least]


def _holding(rows: Sequence[PromptTexts], text: Callable[[PromptTexts], str]) -> dict[str, set[str]]:
    """Return the prompts by the words that their text holds."""
    found: dict[str, set[str]] = {}
    for row in rows:
        for word in set(WORD.findall(text(row).lower())):
            found.setdefault(word, set()).add(row.prompt_id)
    return found


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
