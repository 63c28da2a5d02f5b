from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mendel.measure import looping
from mendel.measure.judges.collapse import collapse_loops

WORD = st.text("abcdefgh", min_size=1, max_size=6)
PHRASE = st.lists(WORD, min_size=1, max_size=8).map(" ".join)
NUMBERED = st.builds(
    lambda phrase, n: " ".join(f"{i}. {phrase}" for i in range(n)), PHRASE, st.integers(10, 30)
)
LOOPS = st.one_of(
    st.builds(lambda phrase, n: " ".join([phrase] * n), PHRASE, st.integers(6, 30)),
    st.builds(lambda run, n: run * n, st.text("ab哈!", min_size=1, max_size=4), st.integers(24, 60)),
    NUMBERED,
)
TEXTS = st.one_of(st.text(max_size=200), PHRASE, LOOPS, st.builds("{} {} {}".format, PHRASE, LOOPS, PHRASE))


@given(TEXTS)
def test_collapsing_again_changes_nothing(text: str) -> None:
    once = collapse_loops(text)
    assert collapse_loops(once) == once


@given(TEXTS)
def test_what_does_not_loop_is_left_alone(text: str) -> None:
    assert looping(text) or collapse_loops(text) == text


@given(TEXTS)
def test_a_loop_gets_shorter_and_no_loop_is_left(text: str) -> None:
    if looping(text):
        short = collapse_loops(text)
        assert 0 < len(short) < len(text)
        assert not looping(short)


@given(TEXTS)
def test_no_word_is_made_up_or_moved(text: str) -> None:
    """What is left is the text with parts taken out."""
    characters = iter(text)
    assert all(character in characters for character in collapse_loops(text))


@pytest.mark.parametrize(
    ("text", "once"),
    [
        ("no no no no no no", "no"),
        ("I am sorry. I am sorry. I am sorry. I am sorry.", "I am sorry."),
        (
            "Paris is the capital. Then it said that it said that it said that it said that it said",
            "Paris is the capital. Then it said that",
        ),
        ("ha" * 40, "ha"),
        ("哈" * 26, "哈"),
        (
            " ".join(f"{n}. I am not able to help with this request today." for n in range(1, 16)),
            "1. I am not able to help with this request today. " + " ".join(f"{n}." for n in range(2, 16)),
        ),
        ("I hate this.\n\nI hate this. I hate this. I HATE this. Help me!", "I hate this. Help me!"),
    ],
)
def test_loops_are_said_once(text: str, once: str) -> None:
    assert collapse_loops(text) == once
