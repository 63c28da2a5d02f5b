"""What a plan says beside its counts: whether the budget suffices, and what the study would see."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import mendel
from _mini import write_mini_study
from _planted import catalogue
from mendel.commands.plan import Plan
from mendel.diagnose.adaptive import most_students
from mendel.workflow.speed import Speed


def plan(**changes: Any) -> Plan:
    speed = Speed("cpu", 1.0, 1.0, 1.0, 1, 1.0, 1.0)
    counts = {
        "study": "s", "students": 6, "students_at_most": 90, "students_in_store": 4, "arms": 2, "seeds": 3, "rollouts": 1,
        "rollouts_in_store": 1, "train_tokens": 1, "generate_tokens": 1, "seconds": 1.0, "disk_bytes": 1, "workers": 1,
    }  # fmt: skip
    return Plan(**{**counts, "speed": speed, **changes})


@pytest.mark.parametrize(("budget", "enough"), [(None, True), (86, True), (85, False), (4, False)])
def test_a_plan_says_whether_the_budget_allows_the_most_students(budget: int | None, enough: bool) -> None:
    made = plan(budget_students=budget)
    assert made.budget_suffices == made.to_json()["budget_suffices"] == enough
    text = made.describe()
    assert ("the run may stop before its verdict is reached" in text) == (not enough)
    assert ("budget" in text) == (budget is not None)


def test_robustness_is_counted_in_the_most_students() -> None:
    without, asked = (catalogue(design="adaptive", robustness=asked) for asked in (False, True))
    assert most_students(asked) > most_students(without)


@pytest.mark.slow
def test_a_plan_of_a_real_study_says_what_it_would_see(tmp_path: Path) -> None:
    study = write_mini_study(tmp_path, n_prompts=30, interpolate=[], seeds=2, budget={"students": 3})
    made = mendel.plan(study, store=tmp_path / "store")
    (trait,) = made.power
    content = json.loads(json.dumps(made.to_json()))
    assert content["power"][trait]["visible"][0]["seeds"] == 2
    assert content["power"][trait]["visible"][0]["difference"] is None
    assert content["power"][trait]["needed_seeds"]["difference"] > 2
    assert "none: with 2 seeds no difference can be shown" in made.describe()
    assert "the run may stop before" in made.describe()
