from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mendel.data.selectors import flag, ranking, sort_out, top
from mendel.engine.errors import InputError
from mendel.study.schema import SelectConfig

SCORES = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=4),
    st.floats(-3, 3).map(lambda x: round(x, 1)),
    min_size=2,
    max_size=40,
).filter(lambda scores: len(set(scores.values())) > 1)


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
        "judge, highest 0.2 of the prompts (2 of 10, scores >= 0), 8 more with the same score left out by "
        "their ids"
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
            "No cut can separate them: choose another selector.",
        ),
        (
            {"a": 0.0, "b": 0.0},
            SelectConfig(share=0.5),
            "study.yaml:9: judge gives all 2 prompts the same score, 0: a share means nothing. "
            "Choose another selector, such as by: random.",
        ),
        (
            {"a": 0.0, "b": 1.0},
            SelectConfig(share=0.9),
            "study.yaml:9: a share of 0.9 flags all of the 2 prompts. Write a smaller 'share', or give more "
            "prompts.",
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


def test_a_cut_of_no_scores_says_so() -> None:
    with pytest.raises(InputError) as caught:
        flag({}, SelectConfig(share=0.5), where="study.yaml:9")
    assert str(caught.value) == "study.yaml:9: there is no prompt to flag"


@given(SCORES)
def test_the_top_are_the_first_of_the_ranking_in_the_prompts_order(scores: dict[str, float]) -> None:
    ranked = ranking(scores)
    assert sorted(ranked) == sorted(scores)
    for count in range(1, len(scores) + 1):
        found = top(scores, count)
        assert set(found) == set(ranked[:count])
        assert list(found) == [prompt_id for prompt_id in scores if prompt_id in set(found)]


@given(SCORES, st.randoms())
def test_the_ranking_falls_and_does_not_depend_on_the_order(
    scores: dict[str, float], rng: random.Random
) -> None:
    items = list(scores.items())
    rng.shuffle(items)
    assert ranking(dict(items)) == ranking(scores)
    values = [scores[prompt_id] for prompt_id in ranking(scores)]
    assert values == sorted(values, reverse=True)


@given(SCORES, st.floats(0.01, 0.9))
def test_a_share_and_the_top_of_its_size_are_the_same(scores: dict[str, float], share: float) -> None:
    count = max(1, round(share * len(scores)))
    if count < len(scores):
        assert flag(scores, SelectConfig(share=share)).prompt_ids == top(scores, count)


@pytest.mark.parametrize("count", [0, -1, 3])
def test_no_prompt_and_more_than_there_are_cannot_be_the_top(count: int) -> None:
    with pytest.raises(InputError) as caught:
        top({"a": 0.0, "b": 1.0}, count)
    assert str(caught.value) == (
        f"{count} of 2 prompts cannot be flagged. Ask for at least 1 and at most as many as there are."
    )


def test_the_top_may_be_all_there_are() -> None:
    assert top({"b": 0.0, "a": 1.0}, 2) == ("b", "a")


def test_nothing_is_unrelated_where_every_score_lies_above_the_scales_least() -> None:
    scored = [("a", 3.0), ("b", 4.0), ("c", 9.0)]
    assert sort_out(scored, ["c"]).unrelated == ("a",)
    assert sort_out(scored, ["c"], lowest=0.0).unrelated == ()
    assert sort_out(scored, ["c"], lowest=0.0).mild == ("a", "b")


GRADES = st.sampled_from([0.0, 0.2, 1.0])


@given(st.dictionaries(st.text("abcdef", min_size=1, max_size=2), st.tuples(GRADES, GRADES), max_size=30))
def test_a_second_judge_moves_prompts_from_unrelated_to_mild_and_never_back(
    pairs: dict[str, tuple[float, float]],
) -> None:
    scored = [(prompt, float(one)) for prompt, (one, _) in pairs.items()]
    seen = [prompt for prompt, (_, other) in pairs.items() if other > 0]
    alone, both = sort_out(scored, (), 0.0), sort_out(scored, (), 0.0, seen)
    assert set(both.unrelated) == set(alone.unrelated) - set(seen)
    assert sorted([*both.mild, *both.unrelated]) == sorted(pairs)
    assert [prompt for prompt in pairs if prompt in set(both.mild)] == list(both.mild)
    assert both.scores == alone.scores
