from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import mendel
from _mini import copied
from mendel.data.assignment import everyone
from mendel.diagnose import Arm
from mendel.engine.executors import InlineExecutor
from mendel.study.schema import BudgetConfig
from mendel.workflow.extra_students import ExtraStudents
from mendel.workflow.reopen import reopen
from mendel.workflow.session import Session
from mendel.workflow.tables import PlacedStudent


@pytest.mark.slow
def test_selectors_are_compared_at_equal_size_and_what_was_trained_is_not_trained_again(
    finished: Path, tmp_path: Path
) -> None:
    folder = copied(finished, tmp_path / "copy")
    run, store = folder / "run", folder / "store"
    by = ["judge", "length"]
    found = mendel.selectors(run, "date_confusion", by, store=store, executor=InlineExecutor())
    flagged = mendel.open_run(run).verdicts["traits"]["date_confusion"]["flagged"]
    assert (found.count, found.of) == (flagged["count"], flagged["of"])
    assert found.selectors["judge"].shared == found.count  # what the run's own selector flags
    assert found.students_trained == 12
    judge, random = found.selectors["judge"], found.levels
    assert judge.levels["swap"].estimate is not None
    assert random["swap"].estimate is not None
    assert judge.beyond_random["swap"].estimate == pytest.approx(
        judge.levels["swap"].estimate - random["swap"].estimate
    )
    # The swap of what carries the trait takes more away than that of as many random prompts.
    assert judge.levels["swap"].estimate < random["swap"].estimate
    finer = judge.log_odds["swap"].estimate
    assert finer is not None
    assert finer < 0
    content = found.to_json()
    assert json.loads((run / "selectors" / "date_confusion.json").read_text()) == content
    assert len(content["selectors"]["length"]["prompts"]) == found.count
    text = found.describe()
    assert "left after" in text
    assert "the same in nats" in text
    assert max(map(len, text.splitlines())) <= 100

    command = [
        "selectors",
        str(run),
        "--trait",
        "date_confusion",
        "--by",
        "length",
        "--store",
        str(store),
        "--json",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "mendel.cli", *command], capture_output=True, text=True, check=True
    )
    again = json.loads(done.stdout)
    assert (again["students_trained"], again["students_reused"]) == (0, 8)
    # Intervals borrow from all arms that were trained, estimates do not.
    drop = [one["selectors"]["length"]["drop"]["estimate"] for one in (again, content)]
    assert drop[0] == pytest.approx(drop[1])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("trait", "by", "options", "message"),
    [
        ("date_confusions", ["judge"], {}, "the run has no trait 'date_confusions'"),
        ("date_confusion", ["jugde"], {}, "jugde"),
        ("date_confusion", ["judge"], {"share": 1.0}, "between 0 and 1"),
        ("date_confusion", ["judge"], {"share": 0.999}, "flags all"),
        ("date_confusion", ["judge"], {"seeds": 1}, "one student an arm"),
        ("date_confusion", [], {}, "no selector"),
    ],
)
def test_what_cannot_be_tried_is_said_before_anything_is_trained(
    finished: Path, trait: str, by: list[str], options: dict[str, float], message: str
) -> None:
    with pytest.raises(mendel.InputError, match=message):
        mendel.selectors(
            finished / "run", trait, by, store=finished / "store", executor=InlineExecutor(), **options
        )  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_spent_budget_keeps_the_students_that_are_done_and_the_same_command_goes_on(
    finished: Path, tmp_path: Path
) -> None:
    run, inputs = reopen(finished / "run")
    whole = everyone([p.prompt_id for p in inputs.prompts["original"]], "original")
    arm = Arm("more", "more", "original", "original", (whole, whole), (98, 99))

    def train() -> tuple[ExtraStudents, list[PlacedStudent]]:
        session = Session(
            inputs.study,
            store=tmp_path / "empty",
            executor=InlineExecutor(),
            budget=BudgetConfig(students=1),
        )
        with session:
            extra = ExtraStudents(run, inputs, inputs.traits, session)
            return extra, extra.train([arm])

    with pytest.raises(mendel.BudgetSpent, match=r"budget of 1 students is spent: 1 of 2 students are done"):
        train()
    assert len(list((tmp_path / "empty").rglob("student.json"))) == 1
    extra, students = train()
    assert [student.seed for student in students] == [98, 99]
    assert (extra.new, extra.reused) == (1, 1)
