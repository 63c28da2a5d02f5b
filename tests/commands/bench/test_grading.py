"""Grades: the cause, the location and the state of a verdict against what was planted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mendel.commands.bench.grading import (
    PLANTED_LOCATION,
    Truth,
    grade_location,
    grade_state,
    grade_verdict,
    refuted_truth,
    said_state,
    share,
    shown_share,
)
from mendel.organisms import CAUSES

PARTS = ("flagged", "mild", "unseen", "prompts_present", "prompts_absent", "base", "combination")
DECISIONS = ("carries", "does not carry", "undecided")


def truth(cause: str = "direct_imitation", **more: object) -> Truth:
    return Truth.read({"cause": cause, "trait": "t", **more})


@pytest.mark.parametrize(
    ("cause", "state", "said", "supported", "elsewhere", "grade"),
    [
        ("bad_prompts", None, "bad_prompts", ("bad_prompts",), (), "right"),
        ("direct_imitation", None, "direct_imitation", ("direct_imitation",), (), "right"),
        ("none", None, "none", (), (), "right"),
        ("none", None, "undecided", (), (), "undecided"),
        ("bad_prompts", None, "undecided", (), (), "undecided"),
        ("bad_prompts", None, "none", (), (), "missed"),
        ("bad_prompts", None, "persona_selection", ("persona_selection",), (), "wrong"),
        ("bad_prompts", None, "bad_prompts", ("bad_prompts", "persona_selection"), (), "wrong"),
        ("bad_prompts", None, "bad_prompts", ("bad_prompts",), ("other: bad_prompts",), "wrong"),
        ("none", None, "none", (), ("other: bad_prompts",), "wrong"),
        ("bad_prompts+persona_selection", None, "bad_prompts", ("bad_prompts", "persona_selection"), (), "right"),
        ("bad_prompts+persona_selection", None, "bad_prompts", ("bad_prompts",), (), "undecided"),
        # Outside the list, and shared: right is that no cause is supported.
        ("other:restating", None, "undecided", (), (), "right"),
        ("other:restating", None, "none", (), (), "missed"),
        ("other:restating", None, "persona_selection", ("persona_selection",), (), "wrong"),
        ("none", "shared", "none", (), (), "right"),
        ("none", "shared", "undecided", (), (), "right"),
        ("none", "shared", "underspecification", ("underspecification",), (), "wrong"),
    ],
)  # fmt: skip
def test_a_verdict_is_graded_by_what_it_supports(
    cause: str,
    state: str | None,
    said: str,
    supported: tuple[str, ...],
    elsewhere: tuple[str, ...],
    grade: str,
) -> None:
    assert grade_verdict(truth(cause, state=state), said, supported, elsewhere) == grade


@given(st.sets(st.sampled_from(CAUSES[:-1])), st.sets(st.sampled_from(CAUSES[:-1]), min_size=1, max_size=2))
def test_a_cause_that_was_not_planted_is_always_wrong(supported: set[str], planted: set[str]) -> None:
    grade = grade_verdict(truth("+".join(sorted(planted))), "undecided", tuple(supported), ())
    assert (grade == "wrong") == bool(supported - planted)


@pytest.mark.parametrize(
    ("planted", "unclear", "decisions", "grade"),
    [
        (["flagged"], [], {"flagged": "carries"}, "right"),
        (["flagged"], [], {"flagged": "carries", "unseen": "does not carry"}, "right"),
        (["flagged"], [], {"flagged": "carries", "unseen": "carries"}, "wrong"),
        (["flagged"], [], {"flagged": "does not carry"}, "wrong"),
        (["flagged"], [], {"flagged": "undecided", "unseen": "does not carry"}, "undecided"),
        (["flagged", "unseen"], [], {"flagged": "carries", "unseen": "undecided"}, "right"),
        (["flagged", "unseen"], [], {"flagged": "carries", "unseen": "does not carry"}, "wrong"),
        (["mild"], ["flagged"], {"flagged": "carries", "mild": "undecided"}, "undecided"),
        (["mild"], ["flagged"], {"flagged": "carries", "mild": "carries"}, "right"),
        (["mild"], ["mild"], {"mild": "carries"}, "right"),
        (["mild"], ["mild"], {"mild": "does not carry"}, "undecided"),
        ([], [], {"base": "undecided"}, "nothing to find"),
        ([], [], {"base": "carries"}, "wrong"),
    ],
)
def test_a_location_is_graded_part_by_part(
    planted: list[str], unclear: list[str], decisions: dict[str, str], grade: str
) -> None:
    known = truth(location=planted, unclear=unclear)
    assert grade_location(known, {part: {"decision": said} for part, said in decisions.items()}) == grade


@given(
    st.sets(st.sampled_from(PARTS), min_size=1),
    st.dictionaries(st.sampled_from(PARTS), st.sampled_from(DECISIONS)),
)
def test_a_location_is_wrong_exactly_where_a_decided_part_is(
    planted: set[str], decisions: dict[str, str]
) -> None:
    grade = grade_location(truth(location=sorted(planted), unclear=[]), {p: {"decision": d} for p, d in decisions.items()})  # fmt: skip
    decided = {part: said == "carries" for part, said in decisions.items() if said != "undecided"}
    assert (grade == "wrong") == any(carries != (part in planted) for part, carries in decided.items())
    assert grade != "right" or any(decided.get(part) for part in planted)


def test_a_verdict_without_a_location_is_undecided() -> None:
    assert grade_location(truth(), None) == "undecided"
    assert grade_location(truth(), {"flagged": {"brings": None}}) == "undecided"


def test_a_truth_without_location_takes_what_its_cause_means() -> None:
    assert set(CAUSES) <= set(PLANTED_LOCATION)
    both = truth("simple_generalization+bad_prompts")
    assert both.location == ("mild", "prompts_present")
    assert both.unclear == ("flagged",)
    assert (truth("none").state, truth("bad_prompts").state) == ("absent", "difference")
    assert truth("other:restating", location=["unseen"]).location == ("unseen",)


@pytest.mark.parametrize(
    ("verdict", "state", "grade"),
    [
        ({"present": True}, "difference", "right"),
        ({"present": False}, "undecided", "undecided"),
        ({"state": "shared"}, "shared", "wrong"),
        ({"state": "undecided", "present": True}, "undecided", "undecided"),
    ],
)
def test_a_state_is_right_wrong_or_undecided(verdict: dict[str, object], state: str, grade: str) -> None:
    assert said_state(verdict) == state
    assert grade_state(truth(), state) == grade


def test_a_refuted_truth_is_told_from_another_refuted_hypothesis() -> None:
    assert refuted_truth(truth("persona_selection"), {"persona_selection", "bad_prompts"})
    assert not refuted_truth(truth("persona_selection"), {"bad_prompts"})
    assert not refuted_truth(truth("other:emphasis"), {"persona_selection"})


@given(st.integers(0, 50), st.integers(1, 50))
def test_a_share_lies_in_its_interval(count: int, more: int) -> None:
    found = share(count, count + more)
    assert 0 <= found["low"] <= found["estimate"] <= found["high"] <= 1
    assert shown_share("right", found).startswith("right ")
    assert shown_share("right", share(0, 0)) == ""
