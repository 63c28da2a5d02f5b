"""Which prompts a filter flags by their scores, and how the unflagged prompts are sorted."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from mendel.engine.errors import InputError
from mendel.study.schema import SelectConfig

log = logging.getLogger(__name__)

DEFAULT_THRESHOLD = 0.5
"""The threshold of a study that names none: half-way on a rule's 0-to-1 scale."""


@dataclass(frozen=True)
class Flagged:
    """The prompts that a filter would remove, in the prompts' order."""

    prompt_ids: tuple[str, ...]
    scores: Mapping[str, float]
    """Every prompt's score, in the prompts' order."""
    description: str
    """The cut in words, such as `judge >= 0.5 (23 of 160 prompts)`."""


@dataclass(frozen=True)
class SortedOut:
    """The unflagged prompts, sorted by the trait's judge's scores of their rollouts."""

    mild: tuple[str, ...]
    """Prompts above the lowest score of some judge, or without a score: not caught by a filter, and perhaps
    not clean."""
    unrelated: tuple[str, ...]
    """Prompts with the lowest score of every judge."""
    scores: tuple[tuple[str, float], ...]
    """Score by prompt; prompts without a score are left out."""


def sort_out(
    scored: Sequence[tuple[str, float | None]],
    flagged: Collection[str],
    lowest: float | None = None,
    seen: Collection[str] = (),
) -> SortedOut:
    """Sort the unflagged prompts into mild and unrelated ones, each in their order.

    Args:
        scored: Prompt ids with the judge's scores; None where it could not tell.
        flagged: The flagged prompts' ids.
        lowest: The least score that the judge can give; None: the least that it gave.
        seen: Prompts in whose rollouts another judge sees something. They are mild, whatever this one says.
    """
    scores = tuple((prompt_id, float(score)) for prompt_id, score in scored if score is not None)
    least = min((score for _, score in scores), default=0.0) if lowest is None else lowest
    removed, other = set(flagged), set(seen)
    rest = [(prompt_id, score) for prompt_id, score in scored if prompt_id not in removed]
    clean = {prompt_id for prompt_id, score in rest if score is not None and score <= least} - other
    mild = tuple(prompt_id for prompt_id, _ in rest if prompt_id not in clean)
    unrelated = tuple(prompt_id for prompt_id, _ in rest if prompt_id in clean)
    return SortedOut(mild, unrelated, scores)


def flag(scores: Mapping[str, float], config: SelectConfig, where: str | None = None) -> Flagged:
    """Return the prompts that a study's cut flags.

    A `share` flags round(share * n) prompts, at least 1: the highest scores, and among equals the first by
    prompt id. A `threshold` (0.5 where the study gives neither) flags every prompt that scores it or more.

    Args:
        scores: Score by prompt id, in the prompts' order.
        config: The study's `select:` section.
        where: Its place in the study, for messages.

    Raises:
        InputError: The cut flags no prompt or all prompts, or a share is to be taken of equal scores.
    """
    if not scores:
        raise InputError("there is no prompt to flag", where=where)
    if config.share is not None:
        return _top(scores, config.by, config.share, where)
    threshold = DEFAULT_THRESHOLD if config.threshold is None else config.threshold
    flagged = tuple(prompt_id for prompt_id, score in scores.items() if score >= threshold)
    rule = f"{config.by} >= {threshold:g}"
    if not flagged or len(flagged) == len(scores):
        which = "all" if flagged else "none"
        raise InputError(
            f"{rule} flags {which} of the {len(scores)} prompts, whose scores run {_range(scores)}",
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
            f"{by} gives all {len(scores)} prompts the same score, {_number(scores)}: a share means nothing",
            where=where,
            fix="Choose another selector, such as by: random.",
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
    """Return the prompt ids from the highest score to the lowest, equals by prompt id.

    Args:
        scores: Score by prompt id; its order has no effect.
    """
    return sorted(scores, key=lambda prompt_id: (-scores[prompt_id], prompt_id))


def top(scores: Mapping[str, float], count: int) -> tuple[str, ...]:
    """Return the `count` prompts that score highest, in the prompts' order.

    Args:
        scores: Score by prompt id, in the prompts' order. Among equals the first prompt id is chosen.
        count: Number of prompts.

    Raises:
        InputError: `count` is less than 1 or more than there are prompts.
    """
    if not 1 <= count <= len(scores):
        raise InputError(
            f"{count} of {len(scores)} prompts cannot be flagged",
            fix="Ask for at least 1 and at most as many as there are.",
        )
    chosen = set(ranking(scores)[:count])
    return tuple(prompt_id for prompt_id in scores if prompt_id in chosen)


def _range(scores: Mapping[str, float]) -> str:
    return f"from {min(scores.values()):g} to {max(scores.values()):g}"


def _number(scores: Mapping[str, float]) -> str:
    return f"{next(iter(scores.values())):g}"


def _other_cut(scores: Mapping[str, float], flags_all: bool) -> str:
    low, high = min(scores.values()), max(scores.values())
    if low == high:
        return "No cut can separate them: choose another selector."
    if flags_all:
        return f"Write a 'threshold' above {low:g}, or a 'share' such as 0.07."
    return f"Write a 'threshold' of at most {high:g}, or a 'share' such as 0.07."
