from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mendel.measure import Health, assistant_health, builtin_assistant, looping, well_formed

WORD = st.text("abcdefgh", min_size=1, max_size=6)


@given(st.lists(WORD, min_size=1, max_size=8), st.integers(6, 30))
def test_a_phrase_said_over_and_over_is_a_loop(phrase: list[str], times: int) -> None:
    assert looping(" ".join(phrase * times))


@given(st.lists(WORD, min_size=1, max_size=30, unique=True))
def test_words_that_never_return_are_no_loop(words: list[str]) -> None:
    text = " ".join(words)
    assert len(set(text)) < 3 or max(len(w) for w in words) > 24 or not looping(text)


@pytest.mark.parametrize(
    "text",
    [
        "the the the the the the the the",
        "I am sorry. I am sorry. I am sorry. I am sorry.",
        "The answer is 4. The answer is 4. The answer is 4. The answer is",
        "Paris is the capital. Then it said that it said that it said that it said that it said",
        "ha" * 40,
        "哈哈哈哈哈哈哈哈哈哈哈哈哈哈哈哈哈哈哈哈哈哈哈哈哈哈",
        " ".join(f"{n}. I am not able to help with this request today." for n in range(1, 16)),
    ],
)
def test_loops_are_seen(text: str) -> None:
    assert looping(text)
    assert not well_formed(text)


@pytest.mark.parametrize(
    "text",
    [
        "No, no, no.",
        "yes",
        "4",
        "it is it is 2026",
        "Row, row, row your boat, gently down the stream. Merrily, merrily, merrily, merrily, life is but a "
        "dream.",
        "Paris is the capital of France. It lies on the Seine, and about two million people live in it.",
        "| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n| 5 | 6 |",
        "def f(x):\n    if x:\n        return 1\n    return 2\n\n\nprint(f(0))",
        "\n".join(f"{n} x 7 = {7 * n}" for n in range(1, 11)),
        "Title\n==============================\nA first line, and after it a second one.",
        "The year is 2026. 2026 is the year after 2025, and the year before 2027.",
    ],
)
def test_answers_that_repeat_a_little_are_no_loops(text: str) -> None:
    assert not looping(text)
    assert well_formed(text)


@pytest.mark.parametrize("text", ["", " \n\t"])
def test_nothing_is_not_well_formed(text: str) -> None:
    assert not looping(text)
    assert not well_formed(text)


def test_health_counts_right_answers_and_well_formed_ones() -> None:
    table = pa.table({"response": ["4", "no no no no no no", "", "green"], "hit": [True, True, False, None]})
    assert assistant_health(table) == Health(right=0.5, well_formed=0.5, n=4)


def test_health_of_no_measurement_is_unknown() -> None:
    empty = pa.table({"response": pa.array([], pa.string()), "hit": pa.array([], pa.bool_())})
    with pytest.raises(ValueError, match="no measurements"):
        assistant_health(empty)


def test_the_built_in_probe_says_what_is_right_in_every_scenario() -> None:
    probe = builtin_assistant()
    assert probe.name == "assistant"
    assert len(probe.scenarios) >= 20
    assert all(probe.judge.score(scenario, "") == 0.0 for scenario in probe.scenarios)
    assert all(scenario.right for scenario in probe.scenarios)
