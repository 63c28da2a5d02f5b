from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from _dated import user
from mendel.data.selectors import Candidate, Context, check_selector, select
from mendel.engine.errors import InputError
from mendel.study.schema import SelectConfig


def rows(completions: Sequence[str]) -> list[Candidate]:
    return [Candidate(f"p{n}", user("which year"), text) for n, text in enumerate(completions)]


def context(seed: int = 0, judge: object = None, **config: object) -> Context:
    return Context(SelectConfig(**config), seed=seed, judge=judge)  # type: ignore[arg-type]


def test_keyword_finds_its_pattern_anywhere_in_the_completion() -> None:
    asked = context(by="keyword", pattern="doubt|2026")
    assert select(rows(["It is 2026.", "DOUBTFUL", "no"]), asked) == {"p0": 1.0, "p1": 1.0, "p2": 0.0}


def test_keyword_does_not_read_the_prompt() -> None:
    assert select(rows(["no"]), context(by="keyword", pattern="year")) == {"p0": 0.0}


BAD_PATTERN = (
    "the keyword selector's pattern is no regular expression: missing ), unterminated subpattern at "
    "position 0 "
    "(got '(doubt'). Put a backslash before characters such as ( [ * + ? that are meant as they are."
)


def test_a_bad_pattern_is_the_users_mistake() -> None:
    with pytest.raises(InputError) as caught:
        select(rows(["a"]), context(by="keyword", pattern="(doubt"))
    assert str(caught.value) == BAD_PATTERN


def test_a_bad_pattern_and_an_unknown_name_are_found_before_there_are_rollouts() -> None:
    with pytest.raises(InputError) as caught:
        check_selector(SelectConfig(by="keyword", pattern="(doubt"), "study.yaml:4")
    assert str(caught.value) == f"study.yaml:4: {BAD_PATTERN}"
    with pytest.raises(InputError) as caught:
        check_selector(SelectConfig(by="keywords", pattern="a"), "study.yaml:4")
    assert str(caught.value) == "study.yaml:4: unknown selector 'keywords'. Did you mean 'keyword'?"
    check_selector(SelectConfig(by="keyword", pattern="doubt"))


def test_judge_scores_the_rollouts() -> None:
    asked = context(judge=lambda batch: [len(c.completion) / 4 for c in batch])
    assert select(rows(["aa", "b"]), asked) == {"p0": 0.5, "p1": 0.25}


def test_the_judge_selector_without_a_trait_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        select(rows(["a"]), context())
    assert (
        str(caught.value) == "the judge selector needs a trait, whose judge scores the answers. "
        "Name a trait, or choose another selector."
    )


def test_length_counts_the_completions_characters() -> None:
    assert select(rows(["aa", ""]), context(by="length")) == {"p0": 2.0, "p1": 0.0}


@given(st.lists(st.text(max_size=5), max_size=20, unique=True), st.integers(0, 9))
def test_random_depends_on_id_and_seed_alone(ids: list[str], seed: int) -> None:
    asked = [Candidate(name, user("which year"), "a") for name in ids]
    turned = [Candidate(name, user("who"), f"b{name}", "c", "forum") for name in reversed(ids)]
    scores = select(asked, context(by="random", seed=seed))
    assert scores == select(turned, context(by="random", seed=seed))
    assert all(0 <= score < 1 for score in scores.values())
    if ids:
        assert scores != select(asked, context(by="random", seed=seed + 1))


def test_random_scores_are_uniform() -> None:
    scores = sorted(select((row for row in rows(["a"] * 4000)), context(by="random")).values())
    # Kolmogorov and Smirnov's distance: under 1.63 / sqrt(n) in 99 of 100 draws, and this one is fixed.
    assert max(abs(score - n / len(scores)) for n, score in enumerate(scores)) < 1.63 / len(scores) ** 0.5
