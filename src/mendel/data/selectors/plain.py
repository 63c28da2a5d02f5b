"""Selectors that read texts alone: a pattern, the trait's judge, the length, a draw."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence

from mendel.data.selectors.registry import Candidate, Context, selector
from mendel.engine.errors import InputError
from mendel.study.schema import SelectConfig


def keyword_pattern(config: SelectConfig, where: str | None = None) -> re.Pattern[str]:
    """The compiled pattern; raises InputError for one that is no regular expression."""
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
    """1.0 where `pattern` (a regular expression; upper and lower case alike) is found in the completion, else 0.0."""
    pattern = keyword_pattern(context.config)
    return [float(bool(pattern.search(candidate.completion))) for candidate in candidates]


@selector("judge")
def judge(candidates: Sequence[Candidate], context: Context) -> list[float]:
    """The trait's own judge on each rollout, on the trait's scale."""
    if context.judge is None:
        raise InputError(
            "the judge selector needs a trait, whose judge it asks", fix="Take another selector."
        )
    return [math.nan if score is None else float(score) for score in context.judge(candidates)]


@selector("length")
def length(candidates: Sequence[Candidate], context: Context) -> list[float]:
    """Characters of the completion: a filter that knows nothing of the trait."""
    return [float(len(candidate.completion)) for candidate in candidates]


@selector("random")
def random(candidates: Sequence[Candidate], context: Context) -> list[float]:
    """Uniform in [0, 1), from seed and prompt id alone, so that it depends on no other prompt."""
    return [_draw(f"{context.seed}/{candidate.prompt_id}") for candidate in candidates]


def _draw(name: str) -> float:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big") / 2**64
