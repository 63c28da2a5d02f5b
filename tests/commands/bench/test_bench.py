from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mendel.commands.bench.verdict_tables import BenchRecord, describe, summarize
from mendel.commands.bench.verdicts import VerdictJob


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


def test_location_state_and_refuted_truths_are_counted_over_those_that_have_them() -> None:
    records = [
        record(location_grade="right", state_grade="right"),
        record(seed=2, location_grade="wrong", state_grade="right", refuted_truth=True),
        record(seed=3, cause="none", location_grade="nothing to find", state_grade="wrong"),
    ]
    found = summarize(records)
    assert (found["location"]["right"]["count"], found["location"]["wrong"]["of"]) == (1, 2)
    assert (found["state"]["right"]["count"], found["state"]["right"]["of"]) == (2, 3)
    assert found["refuted_truth"]["count"] == 1
    text = describe(found)
    assert "bad_prompts 2 (standard): right, said bad_prompts, the true cause refuted, location wrong" in text
    assert "20 s to make, 30 s to diagnose" in text
    assert "an organism: 20.0 s to make" in text


def test_the_best_rule_without_students_stands_in_the_text() -> None:
    found = summarize(
        [record(rules_right={"six lines": True}), record(seed=2, rules_right={"six lines": False})]
    )
    assert found["rules"]["six lines"]["share"] == 0.5
    assert "trains no student: six lines, 1 of 2" in describe(found)
    assert "retraining adds +50 points" in describe(found)


def test_a_record_is_kept_by_generator_and_transformations() -> None:
    plain = VerdictJob("none", 1, None, False, Path("s"))
    jobs = [plain, replace(plain, generator="folk"), replace(plain, transformations=("rate=.1",))]
    assert len({job.key for job in jobs}) == 3
    assert replace(plain, store=Path("t")).key == plain.key


@pytest.mark.slow
def test_organisms_are_made_diagnosed_and_kept(tmp_path: Path) -> None:
    """The whole chain on two causes; seeds of development, so that nothing held out is looked at."""
    import mendel

    causes = ("none", "bad_prompts")
    found = mendel.bench_verdicts(1, 31, causes=causes, store=tmp_path).to_json()
    assert found["matrix"]["none"] == {"none": 1}
    # Twelve students of an arm may leave a cause open; a wrong one may never stand there.
    assert set(found["matrix"]["bad_prompts"]) <= {"bad_prompts", "undecided"}
    assert found["wrong"]["count"] == 0
    again = mendel.bench_verdicts(1, 31, causes=causes, store=tmp_path).to_json()
    assert again["records"] == found["records"]
