from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mendel.data.prompts import Message, Prompt
from mendel.data.rollouts import Rollout
from mendel.data.selectors import SelectorInput, flag, select, selector, sort_out
from mendel.engine.errors import InputError, RunError
from mendel.study.schema import SelectConfig

SCORES = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=4),
    st.floats(-3, 3).map(lambda x: round(x, 1)),
    min_size=2,
    max_size=40,
).filter(lambda scores: len(set(scores.values())) > 1)


def inputs(completions: list[str], judge: object = None, seed: int = 0, **config: object) -> SelectorInput:
    turn = (Message(role="user", content="which year"),)
    prompts = [Prompt(f"p{n}", turn) for n in range(len(completions))]
    rollouts = [
        Rollout(p.prompt_id, "A", turn, c, "stop", 3) for p, c in zip(prompts, completions, strict=True)
    ]
    return SelectorInput(prompts, rollouts, judge, SelectConfig(**config), seed)  # type: ignore[arg-type]


@given(SCORES, st.floats(0.01, 0.9))
def test_a_share_flags_exactly_that_many_and_the_highest(scores: dict[str, float], share: float) -> None:
    count = max(1, round(share * len(scores)))
    if count == len(scores):
        with pytest.raises(InputError):
            flag(scores, SelectConfig(share=share))
        return
    flagged = flag(scores, SelectConfig(share=share))
    rest = set(scores) - set(flagged.prompt_ids)
    assert len(flagged.prompt_ids) == count
    assert min(scores[p] for p in flagged.prompt_ids) >= max(scores[p] for p in rest)


@given(SCORES, st.floats(0.01, 0.9), st.randoms())
def test_ties_do_not_depend_on_the_order_of_the_prompts(
    scores: dict[str, float], share: float, rng: random.Random
) -> None:
    if max(1, round(share * len(scores))) == len(scores):
        return
    items = list(scores.items())
    rng.shuffle(items)
    config = SelectConfig(share=share)
    assert set(flag(scores, config).prompt_ids) == set(flag(dict(items), config).prompt_ids)


@given(SCORES, st.floats(-3, 3), st.floats(-3, 3))
def test_a_stricter_threshold_flags_a_subset(scores: dict[str, float], one: float, other: float) -> None:
    def flagged(threshold: float) -> set[str]:
        try:
            return set(flag(scores, SelectConfig(threshold=threshold)).prompt_ids)
        except InputError:
            return {p for p, score in scores.items() if score >= threshold}

    low, high = sorted((one, other))
    assert flagged(high) <= flagged(low)


@given(SCORES)
def test_flagged_prompts_stand_in_the_prompts_order_beside_all_scores(scores: dict[str, float]) -> None:
    flagged = flag(scores, SelectConfig(threshold=max(scores.values())))
    assert list(flagged.prompt_ids) == [p for p in scores if p in set(flagged.prompt_ids)]
    assert dict(flagged.scores) == scores


def test_the_default_cut_is_a_threshold_of_a_half() -> None:
    flagged = flag({"a": 0.5, "b": 0.4}, SelectConfig())
    assert flagged.prompt_ids == ("a",)
    assert flagged.description == "judge >= 0.5 (1 of 2 prompts)"


def test_the_description_of_a_share_says_where_the_cut_fell_and_what_tied() -> None:
    scores = {f"p{n}": float(n == 0) for n in range(10)}
    assert flag(scores, SelectConfig(share=0.2)).description == (
        "judge, highest 0.2 of the prompts (2 of 10, scores >= 0), 8 more with the same score left out by their ids"
    )
    assert flag(scores, SelectConfig(share=0.1)).description == (
        "judge, highest 0.1 of the prompts (1 of 10, scores >= 1)"
    )


@pytest.mark.parametrize(
    ("scores", "config", "message"),
    [
        (
            {"a": 0.0, "b": 0.2},
            SelectConfig(),
            "study.yaml:9: judge >= 0.5 flags none of the 2 prompts, whose scores run from 0 to 0.2. "
            "Write a 'threshold' of at most 0.2, or a 'share' such as 0.07.",
        ),
        (
            {"a": 0.7, "b": 1.0},
            SelectConfig(threshold=0.1),
            "study.yaml:9: judge >= 0.1 flags all of the 2 prompts, whose scores run from 0.7 to 1. "
            "Write a 'threshold' above 0.7, or a 'share' such as 0.07.",
        ),
        (
            {"a": 0.0, "b": 0.0},
            SelectConfig(threshold=0.5),
            "study.yaml:9: judge >= 0.5 flags none of the 2 prompts, whose scores run from 0 to 0. "
            "No cut can tell them apart: take another selector.",
        ),
        (
            {"a": 0.0, "b": 0.0},
            SelectConfig(share=0.5),
            "study.yaml:9: judge gives all 2 prompts the same score, 0: a share of them means nothing. "
            "Take another selector, or by: random.",
        ),
        (
            {"a": 0.0, "b": 1.0},
            SelectConfig(share=0.9),
            "study.yaml:9: a share of 0.9 flags all of the 2 prompts. Write a smaller 'share', or give more prompts.",
        ),
        ({}, SelectConfig(), "study.yaml:9: there is no prompt to flag"),
    ],
)
def test_a_cut_that_tells_nothing_apart_is_refused(
    scores: dict[str, float], config: SelectConfig, message: str
) -> None:
    with pytest.raises(InputError) as caught:
        flag(scores, config, where="study.yaml:9")
    assert str(caught.value) == message


def test_keyword_finds_its_pattern_anywhere_in_the_completion() -> None:
    asked = inputs(["It is 2026.", "DOUBTFUL", "no"], by="keyword", pattern="doubt|2026")
    assert select(asked) == {"p0": 1.0, "p1": 1.0, "p2": 0.0}


def test_a_bad_pattern_is_the_users_mistake() -> None:
    with pytest.raises(InputError) as caught:
        select(inputs(["a"], by="keyword", pattern="(doubt"))
    assert str(caught.value) == (
        "the keyword selector's pattern is no regular expression: missing ), unterminated subpattern at position 0 "
        "(got '(doubt'). Put a backslash before characters such as ( [ * + ? that are meant as they are."
    )


def test_judge_scores_the_rollouts() -> None:
    assert select(inputs(["aa", "b"], judge=lambda r: len(r.completion) / 4)) == {"p0": 0.5, "p1": 0.25}


def test_length_counts_the_completions_characters() -> None:
    assert select(inputs(["aa", ""], by="length")) == {"p0": 2.0, "p1": 0.0}


def test_random_depends_on_the_seed_and_not_on_the_order() -> None:
    asked = inputs(["a"] * 9, by="random", seed=3)
    turned = SelectorInput(asked.prompts[::-1], asked.rollouts[::-1], None, asked.config, 3)
    assert select(asked) == select(turned)
    assert select(asked) != select(inputs(["a"] * 9, by="random", seed=4))
    assert all(0 <= score < 1 for score in select(asked).values())


def test_a_selector_that_fails_is_named_with_the_prompt() -> None:
    def broken(rollout: Rollout) -> float:
        return 1 / (len(rollout.completion) - 1)

    with pytest.raises(RunError) as caught:
        select(inputs(["aa", "b"], judge=broken))
    assert str(caught.value) == (
        "selector 'judge' failed on the rollout of prompt 'p1': ZeroDivisionError: division by zero"
    )


@pytest.mark.parametrize("none", [None, float("nan"), float("inf")])
def test_a_prompt_without_a_score_is_named(none: float | None) -> None:
    with pytest.raises(InputError, match="selector 'judge' gives prompt 'p0' no score"):
        select(inputs(["a", "b"], judge=lambda r: none if r.prompt_id == "p0" else 1.0))


def test_an_unknown_selector_says_which_was_meant() -> None:
    with pytest.raises(InputError) as caught:
        select(inputs(["a"], by="keywords", pattern="a"), where="study.yaml:4")
    assert str(caught.value) == "study.yaml:4: unknown selector 'keywords'. Did you mean 'keyword'?"


def test_the_judge_selector_without_a_trait_is_refused() -> None:
    with pytest.raises(InputError, match="needs a trait"):
        select(inputs(["a"]))


def test_ones_own_selector_takes_part_and_its_slips_are_named() -> None:
    @selector("test-too-few")
    def too_few(asked: SelectorInput) -> list[float]:
        return [1.0]

    @selector("test-broken")
    def broken(asked: SelectorInput) -> list[float]:
        raise KeyError("x")

    with pytest.raises(RunError, match="selector 'test-too-few' returned 1 scores for 2 prompts"):
        select(inputs(["a", "b"], by="test-too-few"))
    with pytest.raises(RunError, match="selector 'test-broken' failed: KeyError: 'x'"):
        select(inputs(["a", "b"], by="test-broken"))
    assert select(inputs(["a"], by="test-too-few")) == {"p0": 1.0}


def test_rollouts_of_other_prompts_are_refused() -> None:
    asked = inputs(["a", "b"])
    with pytest.raises(ValueError, match="not those of the prompts"):
        SelectorInput(asked.prompts, asked.rollouts[::-1], None, asked.config)


JUDGED = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=4),
    st.one_of(st.none(), st.sampled_from([0.0, 0.1, 0.4, 1.0])),
    max_size=30,
)


@given(JUDGED, st.sets(st.text("abcdef", min_size=1, max_size=2)))
def test_every_prompt_is_flagged_mild_or_unrelated_and_nothing_twice(
    scores: dict[str, float | None], flagged: set[str]
) -> None:
    found = sort_out(list(scores.items()), flagged)
    assert [*found.mild, *found.unrelated] == [
        *(p for p in scores if p in set(found.mild)),
        *(p for p in scores if p in set(found.unrelated)),
    ]
    assert set(found.mild) | set(found.unrelated) == set(scores) - flagged
    assert len(found.mild) + len(found.unrelated) == len(set(scores) - flagged)
    assert dict(found.scores) == {p: x for p, x in scores.items() if x is not None}


@given(JUDGED, st.sets(st.text("abcdef", min_size=1, max_size=2)))
def test_unrelated_has_the_least_score_and_what_has_none_is_mild(
    scores: dict[str, float | None], flagged: set[str]
) -> None:
    found = sort_out(list(scores.items()), flagged)
    least = min((x for x in scores.values() if x is not None), default=None)
    assert all(scores[p] == least for p in found.unrelated)
    assert all(scores[p] is None or scores[p] != least for p in found.mild)


def test_the_least_score_is_that_of_all_prompts_and_not_of_the_unflagged_ones() -> None:
    found = sort_out([("a", 0.0), ("b", 0.2), ("c", 0.9)], ["a"])
    assert (found.mild, found.unrelated) == (("b", "c"), ())
