from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mendel.commands.bench.verdicts import BenchRecord, describe, grade_verdict, summarize

CAUSES = ("simple_generalization", "bad_prompts", "persona_selection")


def record(**changes: object) -> BenchRecord:
    made = BenchRecord(
        cause="bad_prompts",
        seed=1,
        strength="standard",
        recipe="full",
        redraws=0,
        grade="right",
        said="bad_prompts",
        carrier="prompts",
        supported=("bad_prompts",),
        elsewhere=(),
        students=14,
        make_seconds=20.0,
        diagnose_seconds=30.0,
        why="",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("cause", "said", "supported", "elsewhere", "grade"),
    [
        ("bad_prompts", "bad_prompts", ("bad_prompts",), (), "right"),
        ("none", "none", (), (), "right"),
        ("none", "undecided", (), (), "undecided"),
        ("bad_prompts", "undecided", (), (), "undecided"),
        ("bad_prompts", "none", (), (), "missed"),
        ("bad_prompts", "persona_selection", ("persona_selection",), (), "wrong"),
        ("bad_prompts", "bad_prompts", ("bad_prompts", "persona_selection"), (), "wrong"),
        ("bad_prompts", "bad_prompts", ("bad_prompts",), ("other: bad_prompts",), "wrong"),
        ("none", "none", (), ("other: bad_prompts",), "wrong"),
        ("bad_prompts+persona_selection", "bad_prompts", ("bad_prompts", "persona_selection"), (), "right"),
        ("bad_prompts+persona_selection", "bad_prompts", ("bad_prompts",), (), "undecided"),
    ],
)
def test_a_verdict_is_graded_by_what_it_supports(
    cause: str, said: str, supported: tuple[str, ...], elsewhere: tuple[str, ...], grade: str
) -> None:
    assert grade_verdict(cause, said, supported, elsewhere) == grade


@given(st.sets(st.sampled_from(CAUSES)), st.sets(st.sampled_from(CAUSES), min_size=1, max_size=2))
def test_a_cause_that_was_not_planted_is_always_wrong(supported: set[str], planted: set[str]) -> None:
    grade = grade_verdict("+".join(planted), "undecided", tuple(supported), ())
    assert (grade == "wrong") == bool(supported - planted)


def test_the_summary_counts_and_has_an_interval() -> None:
    records = [record(), record(seed=2), record(seed=3, grade="undecided", said="undecided", supported=())]
    found = summarize([*records, record(seed=4, grade="not made", supported=(), said="-")])
    assert (found["organisms"], found["not_made"]) == (3, 1)
    assert found["matrix"] == {"bad_prompts": {"bad_prompts": 2, "undecided": 1}}
    assert found["right"]["low"] < 2 / 3 < found["right"]["high"] < 1
    assert "2 of   3 right" in describe(found)


def test_a_pair_stands_in_the_matrix_by_the_name_that_it_was_asked_for() -> None:
    both = record(cause="persona_selection+bad_prompts", supported=("bad_prompts", "persona_selection"))
    found = summarize([both])
    assert found["matrix"] == {both.cause: {both.cause: 1}}
    assert ";" not in describe(found).splitlines()[0]


def test_nothing_made_gives_no_share() -> None:
    found = summarize([record(grade="not made", supported=(), said="-")])
    assert found["right"]["estimate"] is None
    assert "not made: 1" in describe(found)


def test_the_grid_is_compared_where_it_was_run() -> None:
    same = record(grid_students=100, grid_supported=("bad_prompts",))
    other = record(seed=2, grid_students=80, grid_supported=())
    assert summarize([same, other, record(seed=3)])["grid"] == {
        "organisms": 2, "same_verdict": 1, "students": 180, "students_adaptive": 28,
    }  # fmt: skip


@pytest.mark.slow
def test_organisms_are_made_diagnosed_and_kept(tmp_path: Path) -> None:
    """The whole chain on two causes; seeds of development, so that nothing held out is looked at."""
    import mendel

    causes = ("none", "bad_prompts")
    found = mendel.bench_verdicts(1, 31, causes=causes, store=tmp_path).to_json()
    assert {cause: found["matrix"][cause] for cause in causes} == {
        "none": {"none": 1}, "bad_prompts": {"bad_prompts": 1},
    }  # fmt: skip
    assert found["right"]["count"] == 2
    again = mendel.bench_verdicts(1, 31, causes=causes, store=tmp_path).to_json()
    assert again["records"] == found["records"]
