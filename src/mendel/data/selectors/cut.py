"""Cuts: which prompts a filter flags, by their scores, and how the others are sorted out."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from mendel.engine.errors import InputError
from mendel.study.schema import SelectConfig

log = logging.getLogger(__name__)

DEFAULT_THRESHOLD = 0.5
"""The cut where the study names none: half-way on a rule's 0-to-1 scale."""


@dataclass(frozen=True)
class Flagged:
    """The prompts that a filter would take out, in the prompts' order, and why."""

    prompt_ids: tuple[str, ...]
    scores: Mapping[str, float]
    """Every prompt's score, in the prompts' order."""
    description: str
    """The cut in words, such as `judge >= 0.5 (23 of 160 prompts)`."""


@dataclass(frozen=True)
class SortedOut:
    """The unflagged prompts by what the trait's judge says of the rollouts."""

    mild: tuple[str, ...]
    """Scored above the least score, or not at all: no filter caught them, and nobody can call them clean."""
    unrelated: tuple[str, ...]
    """With the least score."""
    scores: tuple[tuple[str, float], ...]
    """By prompt; those without a score are left out."""


def sort_out(scored: Sequence[tuple[str, float | None]], flagged: Collection[str]) -> SortedOut:
    """Splits the unflagged prompts (id, judge's score) into mild and unrelated ones, in their order."""
    known = tuple((prompt_id, float(score)) for prompt_id, score in scored if score is not None)
    least = min((score for _, score in known), default=0.0)
    out = set(flagged)
    rest = [(prompt_id, score) for prompt_id, score in scored if prompt_id not in out]
    mild = tuple(prompt_id for prompt_id, score in rest if score is None or score > least)
    unrelated = tuple(prompt_id for prompt_id, score in rest if score is not None and score <= least)
    return SortedOut(mild, unrelated, known)


def flag(scores: Mapping[str, float], config: SelectConfig, where: str | None = None) -> Flagged:
    """Cuts the scores (by prompt id, in the prompts' order) as the study says.

    `share` flags round(share * n) prompts, 1 at least, the highest first and ties by prompt id; `threshold` (0.5
    where neither is given) every prompt that scores it or more. Raises InputError if that is nobody, everybody, or
    a share of scores that are all the same.
    """
    if not scores:
        raise InputError("there is no prompt to flag", where=where)
    if config.share is not None:
        return _top(scores, config.by, config.share, where)
    threshold = DEFAULT_THRESHOLD if config.threshold is None else config.threshold
    flagged = tuple(prompt_id for prompt_id, score in scores.items() if score >= threshold)
    rule = f"{config.by} >= {threshold:g}"
    if not flagged or len(flagged) == len(scores):
        whom = "all" if flagged else "none"
        raise InputError(
            f"{rule} flags {whom} of the {len(scores)} prompts, whose scores run {_range(scores)}",
            where=where,
            fix=_other_cut(scores, bool(flagged)),
        )
    return Flagged(flagged, dict(scores), f"{rule} ({len(flagged)} of {len(scores)} prompts)")


def _top(scores: Mapping[str, float], by: str, share: float, where: str | None) -> Flagged:
    count = max(1, round(share * len(scores)))
    if count == len(scores):
        raise InputError(
            f"a share of {share:g} flags all of the {len(scores)} prompts",
            where=where,
            fix="Write a smaller 'share', or give more prompts.",
        )
    if min(scores.values()) == max(scores.values()):
        raise InputError(
            f"{by} gives all {len(scores)} prompts the same score, {_number(scores)}: a share of them means nothing",
            where=where,
            fix="Take another selector, or by: random.",
        )
    ranked = ranking(scores)
    chosen, cut = set(ranked[:count]), scores[ranked[count - 1]]
    text = f"{by}, highest {share:.4g} of the prompts ({count} of {len(scores)}, scores >= {cut:g})"
    tied = sum(scores[prompt_id] == cut for prompt_id in ranked[count:])
    if tied:
        text += f", {tied} more with the same score left out by their ids"
        log.warning("%s", text)
    return Flagged(tuple(prompt_id for prompt_id in scores if prompt_id in chosen), dict(scores), text)


def ranking(scores: Mapping[str, float]) -> list[str]:
    """The prompts from the highest score to the lowest, ties by prompt id: the same whatever their order was."""
    return sorted(scores, key=lambda prompt_id: (-scores[prompt_id], prompt_id))


def top(scores: Mapping[str, float], count: int) -> tuple[str, ...]:
    """The `count` prompts that score highest, in the prompts' order, ties by prompt id.

    Raises InputError for none, and for more than there are.
    """
    if not 1 <= count <= len(scores):
        raise InputError(
            f"{count} of {len(scores)} prompts cannot be flagged",
            fix="Ask for 1 at least, and no more than there are.",
        )
    chosen = set(ranking(scores)[:count])
    return tuple(prompt_id for prompt_id in scores if prompt_id in chosen)


def _range(scores: Mapping[str, float]) -> str:
    return f"from {min(scores.values()):g} to {max(scores.values()):g}"


def _number(scores: Mapping[str, float]) -> str:
    return f"{next(iter(scores.values())):g}"


def _other_cut(scores: Mapping[str, float], everybody: bool) -> str:
    low, high = min(scores.values()), max(scores.values())
    if low == high:
        return "No cut can tell them apart: take another selector."
    if everybody:
        return f"Write a 'threshold' above {low:g}, or a 'share' such as 0.07."
    return f"Write a 'threshold' of at most {high:g}, or a 'share' such as 0.07."
