from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import mendel
from _mini import copied
from mendel.commands.locate import _plan, level
from mendel.engine.executors import InlineExecutor
from mendel.results.tables import table
from mendel.workflow.reopen import reopen

LEAST = 26
"""Students of the shortest search that there is, with its confirmation."""


@pytest.mark.slow
def test_a_search_ends_in_a_subset_that_its_own_students_were_asked_about(finished: Path) -> None:
    found = mendel.locate(
        finished / "run",
        "date_confusion",
        students=LEAST,
        store=finished / "store",
        executor=InlineExecutor(),
    )
    content = found.to_json()
    assert 14 <= found.students_trained <= LEAST
    assert next(part["kind"] for part in content["rounds"]) == "screen"
    assert content["one_at_a_time"] == content["of"] == 108
    assert json.loads((finished / "run" / "locate" / "date_confusion.json").read_text()) == content
    known = {prompt.prompt_id for prompt in reopen(finished / "run")[1].prompts["original"]}
    assert set(found.prompts) <= known
    if found.prompts:
        assert found.confirmation is not None
        assert found.confirmation.answer in ("yes", "undecided")
        assert len(found.prompts) <= 54
        assert set(content["checks"]) == {
            "necessary", "sufficient", "random_necessary", "random_sufficient",
        }  # fmt: skip
    else:
        assert "No small subset" in found.reads
    assert "students trained" in found.describe()
    again = mendel.locate(
        finished / "run",
        "date_confusion",
        students=LEAST,
        store=finished / "store",
        executor=InlineExecutor(),
    )
    assert again.prompts == found.prompts
    assert again.students_trained == 0


@pytest.mark.slow
def test_a_trait_that_is_not_there_trains_nothing_and_says_so(finished: Path, tmp_path: Path) -> None:
    folder = copied(finished, tmp_path / "copy")
    file = folder / "run" / "verdicts.json"
    verdicts = json.loads(file.read_text())
    verdicts["traits"]["date_confusion"]["present"] = False
    file.write_text(json.dumps(verdicts))
    found = mendel.locate(folder / "run", "date_confusion", store=tmp_path / "store")
    assert (found.prompts, found.students_trained) == ((), 0)
    assert not (tmp_path / "store").exists()
    assert found.reads.startswith("There is nothing to locate")
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "mendel.cli",
            "locate",
            str(folder / "run"),
            "--trait",
            "date_confusion",
            "--json",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(run.stdout)["prompts"] == []


@pytest.mark.slow
def test_an_unknown_trait_names_the_closest(finished: Path) -> None:
    with pytest.raises(mendel.InputError, match=r"no trait 'date_confusions'.*date_confusion"):
        mendel.locate(finished / "run", "date_confusions")


@pytest.mark.parametrize(
    ("students", "seeds", "message"),
    [(25, 2, "Allow 26 at least"), (40, 1, "one student an arm has no interval")],
)
def test_too_few_students_are_refused_before_anything_is_read(
    students: int, seeds: int, message: str, tmp_path: Path
) -> None:
    with pytest.raises(mendel.InputError, match=message):
        mendel.locate(tmp_path, "t", students=students, seeds=seeds)


@pytest.mark.parametrize("students", [26, 30, 40, 60])
@pytest.mark.parametrize("seeds", [2, 3])
def test_a_plan_and_its_confirmation_never_take_more_students_than_allowed(students: int, seeds: int) -> None:
    if students < 18 + 4 * seeds:
        return
    assert _plan(students, seeds).budget + 4 * seeds <= students


def test_no_run_and_no_folder_are_said(tmp_path: Path) -> None:
    with pytest.raises(mendel.InputError, match="no finished run"):
        mendel.locate(tmp_path, "t")


@pytest.mark.slow
def test_a_level_is_a_mean_probability_where_log_odds_are_known_and_a_rate_where_not(finished: Path) -> None:
    trait = reopen(finished / "run")[1].traits[0]
    row = {"student": "s", "trait": trait.name, "scenario": "a", "cluster": "a", "sample": 0, "turn": 1,
           "score": 1.0, "hit": True, "judge": "j", "prompt": "", "response": ""}  # fmt: skip
    odds = table("measurements", [{**row, "log_odds": 0.0}, {**row, "scenario": "b", "log_odds": 1000.0}])
    assert level(odds, trait) == pytest.approx(0.75)
    nothing = table("measurements", [{**row, "hit": None, "score": None}])
    assert level(nothing, trait) is None
    rate = table(
        "measurements", [row, {**row, "scenario": "b", "hit": False}, {**row, "scenario": "c", "hit": None}]
    )
    assert level(rate, trait) == pytest.approx(0.5)
