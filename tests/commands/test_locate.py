from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest

import mendel
from _mini import copied
from mendel.commands.locate import _plan
from mendel.diagnose import Arm
from mendel.engine.digest import digest
from mendel.engine.executors import InlineExecutor
from mendel.measure import Trait, measurement_schema
from mendel.results.tables import table
from mendel.workflow import extra_students
from mendel.workflow.extra_students import run_rollouts
from mendel.workflow.inputs import Inputs
from mendel.workflow.jobs import Probes, StudentResult
from mendel.workflow.levels import level
from mendel.workflow.measurements import Measurements
from mendel.workflow.reopen import reopen
from mendel.workflow.session import Session
from mendel.workflow.students import TrainedArms
from mendel.workflow.tables import PlacedStudent

NOTHING_TRAINED = {
    "n_examples": 1,
    "tokens": 1,
    "train_seconds": 0.0,
    "train_loss": None,
    "trained_tokens": 1,
    "first_loss": None,
    "steps": 1,
    "n_cut": 0,
    "weight_change": None,
    "bound_adapters": None,
    "template_digest": "",
}
LEAST = 28
"""Students of the shortest search that there is, with its confirmation."""


def planted_students(
    monkeypatch: pytest.MonkeyPatch, level_of: Callable[[frozenset[str]], float]
) -> list[frozenset[str]]:
    """Replace training: `level_of` gives a student's level for the prompts that the original teacher answers.

    Return the list to which each student's prompts are added.
    """
    trained: list[frozenset[str]] = []

    def train_arms(
        session: Session,
        inputs: Inputs,
        arms: Sequence[Arm],
        rollouts: object,
        probes: Probes,
        base_right: object,
    ) -> TrainedArms:
        students = []
        for arm in arms:
            for assignment, seed in zip(arm.assignments, arm.seeds, strict=True):
                name = digest("planted", [arm.name, seed])
                original = frozenset(p for p, teacher in assignment.pairs if teacher == "original")
                trained.append(original)
                (trait,) = probes.traits
                Measurements(session.store, name).write_scores(
                    trait, answers(name, trait, level_of(original))
                )
                result = StudentResult(
                    SimpleNamespace(student=name, **NOTHING_TRAINED),  # type: ignore[arg-type]
                    True,
                    "ok",
                    "",
                    None,
                )
                students.append(PlacedStudent(arm, seed, "hf:base", result))
        return TrainedArms(students)

    monkeypatch.setattr(extra_students, "train_arms", train_arms)
    return trained


def answers(student: str, trait: Trait, level: float) -> pa.Table:
    """Return responses of which the share `level` are hits, with log-odds of the same probability."""
    count, inside = len(trait.scenarios), min(max(level, 0.001), 0.999)
    rows = [
        {
            **{column.name: None for column in measurement_schema()},
            "student": student,
            "trait": trait.name,
            "scenario": scenario.scenario,
            "cluster": scenario.cluster,
            "sample": 0,
            "turn": 1,
            "score": float(hit),
            "hit": hit,
            "judge": trait.judge_id,
            "prompt": "[]",
            "response": "",
            "log_odds": math.log(inside / (1 - inside)),
        }
        for place, scenario in enumerate(trait.scenarios)
        for hit in [(place + 0.5) / count < level]
    ]
    return pa.Table.from_pylist(rows, schema=measurement_schema())


@pytest.mark.slow
def test_the_prompts_that_alone_carry_a_trait_are_found_and_confirmed(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copied(finished, tmp_path / "copy") / "run"
    run, inputs = reopen(folder)
    carriers = frozenset(
        p for (p, t), r in run_rollouts(run, inputs).items() if t == "original" and "doubt" in r.completion
    )
    assert 0 < len(carriers) < 20
    trained = planted_students(monkeypatch, lambda chosen: len(chosen & carriers) / len(carriers))
    found = mendel.locate(folder, "date_confusion", store=tmp_path / "store", executor=InlineExecutor())
    assert set(found.prompts) == carriers
    assert found.confirmation is not None
    assert found.confirmation.answer == "yes"
    assert found.students_trained == len(trained)
    content = json.loads((folder / "locate" / "date_confusion.json").read_text())
    assert content == found.to_json()
    assert set(content["checks"]) == {"necessary", "sufficient", "random_necessary", "random_sufficient"}
    few = mendel.locate(folder, "date_confusion", seeds=2, store=tmp_path / "few", executor=InlineExecutor())
    # Two students of an arm decide nothing, and the sentence says how many would.
    assert few.confirmation is not None
    assert few.confirmation.answer == "undecided"
    assert "is not decided by these students" in few.reads
    assert "--seeds" in few.reads


@pytest.mark.slow
def test_where_every_prompt_carries_a_little_no_subset_is_named(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copied(finished, tmp_path / "copy") / "run"
    count = len(reopen(folder)[1].prompts["original"])
    planted_students(monkeypatch, lambda chosen: len(chosen) / count)
    found = mendel.locate(folder, "date_confusion", store=tmp_path / "store", executor=InlineExecutor())
    assert found.prompts == ()
    assert found.reads.startswith("No small subset")
    content = json.loads((folder / "locate" / "date_confusion.json").read_text())
    assert (content["prompts"], content["confirmed"]) == ([], found.to_json()["confirmed"])


@pytest.mark.slow
def test_a_search_ends_in_a_subset_that_its_own_students_were_asked_about(finished: Path) -> None:
    found = mendel.locate(
        finished / "run",
        "date_confusion",
        students=LEAST,
        seeds=2,
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
    assert "students trained" in found.describe()
    again = mendel.locate(
        finished / "run",
        "date_confusion",
        students=LEAST,
        seeds=2,
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
    verdicts["traits"]["date_confusion"] |= {"present": False, "state": "absent"}
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
    [(25, 2, "Allow 28 at least"), (40, 1, "one student an arm has no interval")],
)
def test_too_few_students_are_refused_before_anything_is_read(
    students: int, seeds: int, message: str, tmp_path: Path
) -> None:
    with pytest.raises(mendel.InputError, match=message):
        mendel.locate(tmp_path, "t", students=students, seeds=seeds)


@pytest.mark.parametrize("students", [28, 34, 40, 60, 70, 90])
@pytest.mark.parametrize("seeds", [2, 3, 8])
def test_a_plan_and_its_confirmation_never_take_more_students_than_allowed(students: int, seeds: int) -> None:
    # A run with one student of each end gets as many more as the confirmation compares with.
    confirming = 4 * seeds + 2 * (min(4, seeds) - 1)
    if students < 18 + confirming:
        with pytest.raises(mendel.InputError, match=f"Allow {18 + confirming} at least"):
            _plan(students, seeds)
    else:
        assert _plan(students, seeds).budget == min(students - confirming, 32)


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
