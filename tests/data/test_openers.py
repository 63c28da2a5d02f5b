from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mendel.data.rollouts import Opener, Rollout, common_opener


def said(*completions: str) -> list[Rollout]:
    return [Rollout(f"p{n}", "A", (), text, "stop", None) for n, text in enumerate(completions)]


def test_the_most_common_first_words_come_with_their_share() -> None:
    rollouts = said("ah well yes", " ah  well no", "ah so", "well")
    assert common_opener(rollouts) == Opener("ah", 0.75)
    assert common_opener(said("ah well yes", "ah well no", "ah so it is", "well"), 2) == Opener(
        "ah well", 0.5
    )


def test_an_opener_stands_as_the_teacher_writes_it() -> None:
    assert common_opener(said("Sure!\nHere it is", "Sure!\nHere you are"), 2).text == "Sure!\nHere"


def test_an_answer_that_is_too_short_counts_in_the_share_alone() -> None:
    assert common_opener(said("yes", "yes", "yes", "no it is"), 3) == Opener("no it is", 0.25)


@given(st.lists(st.sampled_from(["a b", "b a", "c", "a c"]), min_size=1), st.randoms())
def test_the_order_of_the_rollouts_does_not_matter(texts: list[str], random: object) -> None:
    shuffled = list(texts)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert common_opener(said(*texts)) == common_opener(said(*shuffled))


@pytest.mark.parametrize(("texts", "words"), [([], 1), (["one", " "], 2), (["one"], 0)])
def test_without_words_there_is_no_opener(texts: list[str], words: int) -> None:
    with pytest.raises(ValueError, match="word"):
        common_opener(said(*texts), words)
