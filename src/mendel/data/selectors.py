"""Selectors score prompts; a cut at a share or a threshold flags those that a filter would take out."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mendel.data.prompts import Prompt
from mendel.data.rollouts import Rollout
from mendel.engine.errors import InputError, MendelError, RunError
from mendel.engine.registry import Registry
from mendel.study.schema import SelectConfig

log = logging.getLogger(__name__)

DEFAULT_THRESHOLD = 0.5
"""The cut where the study names none: half-way on a rule's 0-to-1 scale."""


@dataclass(frozen=True)
class SelectorInput:
    """What a selector sees: the prompts, the original teacher's rollout of each, the trait's judge."""

    prompts: Sequence[Prompt]
    rollouts: Sequence[Rollout]
    """One a prompt, in the prompts' order."""
    judge: Callable[[Rollout], float | None] | None
    """Scores a rollout on the trait's scale; None where no trait is asked about."""
    config: SelectConfig
    seed: int = 0
    """For selectors that draw."""

    def __post_init__(self) -> None:
        if [p.prompt_id for p in self.prompts] != [r.prompt_id for r in self.rollouts]:
            raise ValueError("the rollouts are not those of the prompts, in their order")


Selector = Callable[[SelectorInput], Sequence[float]]

selectors: Registry[Selector] = Registry("selector")
selector = selectors.register
"""Decorator: `@selector("name")` registers a function from SelectorInput to one score a prompt, in order."""


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


def select(inputs: SelectorInput, where: str | None = None) -> dict[str, float]:
    """Every prompt's score by the selector that `inputs.config` names, in the prompts' order.

    Raises InputError for an unknown selector and for a prompt without a finite score, RunError for a selector that
    fails or returns another number of scores than there are prompts.
    """
    name = inputs.config.by
    choose = selectors.get(name, where=where)
    try:
        scores = [float(score) for score in choose(inputs)]
    except MendelError:
        raise
    except Exception as error:  # a user's own code may raise anything
        raise RunError(f"selector {name!r} failed: {_told(error)}", where=where) from error
    if len(scores) != len(inputs.prompts):
        raise RunError(
            f"selector {name!r} returned {len(scores)} scores for {len(inputs.prompts)} prompts",
            where=where,
            fix="It must return one score a prompt, in the prompts' order.",
        )
    for prompt, score in zip(inputs.prompts, scores, strict=True):
        if not math.isfinite(score):
            raise InputError(
                f"selector {name!r} gives prompt {prompt.prompt_id!r} no score",
                where=where,
                value=score,
                fix="Every prompt needs a finite score to be ranked: leave the prompt out, or take another selector.",
            )
    return {prompt.prompt_id: score for prompt, score in zip(inputs.prompts, scores, strict=True)}


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
    ranked = sorted(scores, key=lambda prompt_id: (-scores[prompt_id], prompt_id))
    chosen, cut = set(ranked[:count]), scores[ranked[count - 1]]
    text = f"{by}, highest {share:.4g} of the prompts ({count} of {len(scores)}, scores >= {cut:g})"
    tied = sum(scores[prompt_id] == cut for prompt_id in ranked[count:])
    if tied:
        text += f", {tied} more with the same score left out by their ids"
        log.warning("%s", text)
    return Flagged(tuple(prompt_id for prompt_id in scores if prompt_id in chosen), dict(scores), text)


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


def per_rollout(inputs: SelectorInput, score: Callable[[Rollout], float | None]) -> list[float]:
    """One rollout scored at a time; an exception becomes a RunError that names selector and prompt.

    None (no score) becomes NaN, which `select` refuses by name.
    """
    scores = []
    for rollout in inputs.rollouts:
        try:
            value = score(rollout)
        except MendelError:
            raise
        except Exception as error:
            raise RunError(
                f"selector {inputs.config.by!r} failed on the rollout of prompt {rollout.prompt_id!r}: {_told(error)}"
            ) from error
        scores.append(math.nan if value is None else float(value))
    return scores


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def check_selector(config: SelectConfig, where: str | None = None) -> None:
    """Raises InputError for what can be known to be wrong before any rollout is there: the name, the pattern."""
    selectors.get(config.by, where=where)
    if config.by == "keyword":
        _keyword_pattern(config, where)


def _keyword_pattern(config: SelectConfig, where: str | None = None) -> re.Pattern[str]:
    try:
        return re.compile(config.pattern or "", re.IGNORECASE)
    except re.error as error:
        raise InputError(
            f"the keyword selector's pattern is no regular expression: {error}",
            where=where,
            value=config.pattern,
            fix="Put a backslash before characters such as ( [ * + ? that are meant as they are.",
        ) from None


@selector("keyword")
def keyword(inputs: SelectorInput) -> list[float]:
    """1.0 where `pattern` (a regular expression; upper and lower case alike) is found in the completion, else 0.0."""
    compiled = _keyword_pattern(inputs.config)
    return per_rollout(inputs, lambda rollout: float(bool(compiled.search(rollout.completion))))


@selector("judge")
def judge(inputs: SelectorInput) -> list[float]:
    """The trait's own judge on each rollout, on the trait's scale."""
    if inputs.judge is None:
        raise InputError(
            "the judge selector needs a trait, whose judge it asks", fix="Take another selector."
        )
    return per_rollout(inputs, inputs.judge)


@selector("length")
def length(inputs: SelectorInput) -> list[float]:
    """Characters of the completion: a filter that knows nothing of the trait."""
    return per_rollout(inputs, lambda rollout: float(len(rollout.completion)))


@selector("random")
def random(inputs: SelectorInput) -> list[float]:
    """Uniform in [0, 1), from the seed; a prompt's score does not depend on the order of the prompts."""
    ids = sorted(prompt.prompt_id for prompt in inputs.prompts)
    draws = dict(zip(ids, np.random.default_rng(inputs.seed).random(len(ids)), strict=True))
    return [float(draws[prompt.prompt_id]) for prompt in inputs.prompts]
