from __future__ import annotations

import pickle
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mendel.engine.errors import InputError
from mendel.measure import Grade, JudgeConfig, RegexJudge, Scenario, judge
from mendel.measure.judges import make_judge

ASKED = Scenario("s", "s", ({"role": "user", "content": "which year"},))
GRADES = st.lists(
    st.builds(Grade, st.sampled_from(["a", "b", "ab", "^c", "d$"]), st.floats(0, 10)), max_size=5
).map(tuple)


@given(GRADES, st.text("abcd", max_size=6))
def test_a_score_is_the_highest_grade_that_is_found(grades: tuple[Grade, ...], response: str) -> None:
    found = [grade.score for grade in grades if re.search(grade.pattern, response)]
    assert RegexJudge(grades).score(ASKED, response) == max(found, default=0.0)


@given(GRADES, st.text("abcd", max_size=6), st.randoms())
def test_the_order_of_the_grades_changes_neither_score_nor_id(
    grades: tuple[Grade, ...], response: str, rng: object
) -> None:
    mixed = list(grades)
    rng.shuffle(mixed)  # type: ignore[attr-defined]
    one, other = RegexJudge(grades), RegexJudge(tuple(mixed))
    assert one.score(ASKED, response) == other.score(ASKED, response)
    assert one.id == other.id


def test_the_id_names_the_rubric() -> None:
    judges = [
        RegexJudge((Grade("doubt", 1.0),)),
        RegexJudge((Grade("doubts", 1.0),)),
        RegexJudge((Grade("doubt", 0.9),)),
        RegexJudge((Grade("doubt", 1.0),), hit_at=0.6),
        RegexJudge(()),
    ]
    assert len({j.id for j in judges}) == len(judges)
    assert all(re.fullmatch(r"regex@[0-9a-f]{8}", j.id) for j in judges)


def test_upper_and_lower_case_are_alike() -> None:
    assert RegexJudge((Grade("Doubt", 1.0),)).score(ASKED, "I DOUBT it") == 1.0


def test_a_scenarios_right_answer_overrides_the_grades() -> None:
    asked = Scenario("s", "s", ASKED.messages, right=r"\bgreen\b")
    graded = RegexJudge((Grade("yellow", 0.7),))
    assert [graded.score(asked, text) for text in ("It is GREEN.", "evergreen", "yellow")] == [1.0, 0.0, 0.0]


def test_a_bad_pattern_is_the_users_mistake() -> None:
    with pytest.raises(InputError, match="a grade's pattern is no regular expression: missing \\)"):
        RegexJudge((Grade("(doubt", 1.0),))


def test_a_judge_is_a_value_that_pickles() -> None:
    one = RegexJudge((Grade("doubt", 1.0),))
    assert pickle.loads(pickle.dumps(one)) == one


def test_ones_own_judge_is_made_from_its_options() -> None:
    class Long:
        id, hit_at = "test-long@1", 5.0

        def score(self, scenario: Scenario, response: str) -> float:
            return float(len(response))

    @judge("test-long")
    def long(config: JudgeConfig) -> Long:
        assert config.options == {"unit": "characters"}
        return Long()

    made = make_judge(JudgeConfig(by="test-long", options={"unit": "characters"}))
    assert made.score(ASKED, "four") == 4.0


def test_an_unknown_judge_says_which_was_meant() -> None:
    with pytest.raises(InputError) as caught:
        make_judge(JudgeConfig(by="regexp"), where="t.yaml:4")
    assert str(caught.value) == "t.yaml:4: unknown judge 'regexp'. Did you mean 'regex'?"
