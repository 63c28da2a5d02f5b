"""Selectors that read texts only: by a pattern, the trait's judge, the length, or at random."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence

from mendel.data.selectors.registry import Candidate, Context, selector
from mendel.engine.errors import InputError
from mendel.study.schema import SelectConfig


def keyword_pattern(config: SelectConfig, where: str | None = None) -> re.Pattern[str]:
    """Return the compiled pattern; raise InputError for a pattern that is no regular expression."""
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
def keyword(candidates: Sequence[Candidate], context: Context) -> list[float]:
    """Return 1.0 where `pattern` is found in the completion, else 0.0.

    The pattern is a regular expression that ignores case.
    """
    pattern = keyword_pattern(context.config)
    return [float(bool(pattern.search(candidate.completion))) for candidate in candidates]


@selector("judge")
def judge(candidates: Sequence[Candidate], context: Context) -> list[float]:
    """Return the score that the trait's own judge gives each completion; NaN where it cannot tell."""
    if context.judge is None:
        raise InputError(
            "the judge selector needs a trait, whose judge scores the answers",
            fix="Name a trait, or choose another selector.",
        )
    return [math.nan if score is None else float(score) for score in context.judge(candidates)]


@selector("length")
def length(candidates: Sequence[Candidate], context: Context) -> list[float]:
    """Return the characters of each completion: a baseline that does not know the trait."""
    return [float(len(candidate.completion)) for candidate in candidates]


@selector("random")
def random(candidates: Sequence[Candidate], context: Context) -> list[float]:
    """Return a uniform draw from [0, 1) for each prompt, which depends on seed and prompt id only."""
    return [_draw(f"{context.seed}/{candidate.prompt_id}") for candidate in candidates]


def _draw(name: str) -> float:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big") / 2**64
