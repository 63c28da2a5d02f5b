"""A run writes how it stands, says how it ended, and can be watched by another process."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import mendel
from _mini import write_mini_study
from mendel.engine.executors import InlineExecutor
from mendel.engine.progress import NullProgress
from mendel.engine.progress.events import StudentEvent, TraitSoFar
from mendel.engine.progress.state import STATE
from mendel.report.live import read_state
from mendel.workflow import rounds as _rounds

pytestmark = pytest.mark.slow


def state(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / STATE).read_text())
    return content


class Recorder(NullProgress):
    """Remembers all; interrupts as the user would when so many students are done."""

    def __init__(self, interrupt_after: int | None = None) -> None:
        self.students: list[StudentEvent] = []
        self.looks: list[list[TraitSoFar]] = []
        self._left = interrupt_after

    def student(self, event: StudentEvent) -> None:
        self.students.append(event)
        if self._left is not None and event.status == "ok":
            self._left -= 1
            if self._left == 0:
                raise KeyboardInterrupt

    def effects(self, traits: Sequence[TraitSoFar]) -> None:
        self.looks.append(list(traits))


def again(finished: Path, out: Path, told: NullProgress) -> mendel.Run:
    """The finished study into another folder: the store has all, so it takes seconds."""
    return mendel.run(
        finished / "study.yaml", out, store=finished / "store", progress=told, executor=InlineExecutor()
    )


def test_a_run_ends_finished_with_what_its_verdicts_say(finished: Path) -> None:
    run, found = mendel.open_run(finished / "run"), state(finished / "run")
    assert (found["status"], found["why"], found["study"]) == ("finished", "", "mini")
    trained = [row for row in run.students.to_pylist() if row["n_examples"]]
    assert found["students"]["done"] == len({row["digest"] for row in trained if row["status"] == "ok"})
    assert (found["students"]["running"], found["students"]["waiting"]) == ([], 0)
    assert [stage["name"] for stage in found["stages"]] == ["rollouts", "models", "students", "verdicts"]
    assert all(stage["done"] == 1 for stage in found["stages"])
    verdict, told = run.verdicts["traits"]["date_confusion"], found["effects"]["date_confusion"]
    for key in ("original", "alternate"):
        assert told[key] == {k: verdict[key][k] for k in ("estimate", "low", "high")}
    for part in ("base", "prompts", "teacher"):
        assert told["effects"][part] == {k: verdict["effects"][part][k] for k in ("estimate", "low", "high")}
    assert told["carrier"] == verdict["carrier"]


def test_students_wait_run_and_are_done_in_that_order_as_many_at_once_as_the_pool_takes(
    finished: Path, tmp_path: Path
) -> None:
    told = Recorder()
    again(finished, tmp_path / "run", told)
    stands: dict[str, str] = {}
    for event in told.students:
        assert (stands.get(event.student, ""), event.status) in {
            ("", "waiting"),
            ("waiting", "running"),
            ("running", "ok"),
        }
        stands[event.student] = event.status
        assert sum(status == "running" for status in stands.values()) <= 1
    assert set(stands.values()) == {"ok"}
    # After the only round, and with the verdicts: the same.
    assert len(told.looks) == 2
    assert told.looks[0] == told.looks[1]


def test_effects_are_looked_at_within_a_round_and_change_no_verdict(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_rounds, "LOOK_EVERY", 0.0)
    monkeypatch.setattr(_rounds, "LOOK_SHARE", 1e9)
    told = Recorder()
    run = again(finished, tmp_path / "run", told)
    # Once after each student but the last, once after the round, once with the verdicts.
    assert len(told.looks) == sum(event.status == "ok" for event in told.students) + 1
    assert told.looks[0][0].effects["teacher"].estimate is None
    assert run.verdicts["traits"] == mendel.open_run(finished / "run").verdicts["traits"]


def test_looks_within_a_round_take_a_small_share_of_its_time(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_rounds, "LOOK_EVERY", 0.0)
    told = Recorder()
    again(finished, tmp_path / "run", told)
    # Reused students take no time, so that a look costs more than all that follow it.
    assert len(told.looks) <= 3


def test_an_interrupted_run_says_so_and_the_same_command_goes_on(finished: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        again(finished, tmp_path / "run", Recorder(interrupt_after=2))
    found = read_state(tmp_path / "run")
    assert found["status"] == "interrupted"
    assert found["students"]["running"] == []
    assert 0 < found["students"]["done"] <= 2 < found["students"]["total"]
    again(finished, tmp_path / "run", NullProgress())
    assert read_state(tmp_path / "run")["status"] == "finished"


def test_a_spent_budget_is_said(tmp_path: Path) -> None:
    study = write_mini_study(tmp_path / "study", 30, budget={"students": 2}, interpolate=[], seeds=1)
    with pytest.raises(mendel.BudgetSpent):
        mendel.run(study, tmp_path / "run", store=tmp_path / "store", executor=InlineExecutor())
    found = read_state(tmp_path / "run")
    assert found["status"] == "stopped by its budget"
    assert "the budget of 2 students is spent" in found["why"]
    assert found["students"]["done"] + found["students"]["failed"] == 2
    assert found["report"]


def test_broken_students_are_named_with_arm_and_reason(tmp_path: Path) -> None:
    recipe = {"method": "full", "epochs": 1, "batch_size": 16, "learning_rate": 30.0, "max_length": 64}
    study = write_mini_study(
        tmp_path / "study", 30, recipe=recipe, interpolate=[], seeds=1, budget={"students": 2}
    )
    with pytest.raises(mendel.BudgetSpent):
        mendel.run(study, tmp_path / "run", store=tmp_path / "store", executor=InlineExecutor())
    students = read_state(tmp_path / "run")["students"]
    assert (students["done"], students["failed"]) == (0, 2)
    assert all(one["arm"] and one["reason"] for one in students["failures"])


def test_a_folder_whose_state_cannot_be_written_is_diagnosed_all_the_same(
    finished: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "run" / STATE / "in the way").mkdir(parents=True)
    (tmp_path / "run" / "manifest.json").write_text("{}")
    assert again(finished, tmp_path / "run", NullProgress()).verdicts["complete"]
    assert sum("cannot be written" in record.message for record in caplog.records) == 1


def start(*arguments: str, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "mendel.cli", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def test_a_killed_run_is_told_from_one_that_goes_on(tmp_path: Path) -> None:
    study = write_mini_study(tmp_path / "study", 30, interpolate=[], seeds=1)
    out = tmp_path / "run"
    process = start(
        "run", str(study), "--out", str(out), "--store", str(tmp_path / "store"), start_new_session=True
    )
    try:
        for _ in range(600):
            if (out / STATE).exists():
                break
            time.sleep(0.1)
        assert read_state(out)["status"] == "running"
        assert state(out)["pid"] == process.pid
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    assert read_state(out)["status"] == "lost"


def test_watch_prints_its_address_serves_a_finished_run_and_ends_well_at_ctrl_c(finished: Path) -> None:
    process = start("watch", str(finished / "run"))
    assert process.stdout is not None
    url = process.stdout.readline().removeprefix("watch: ").strip()
    with urllib.request.urlopen(f"{url}state", timeout=10) as answer:
        assert json.load(answer)["status"] == "finished"
    with urllib.request.urlopen(f"{url}responses?trait=date_confusion&limit=3", timeout=30) as answer:
        assert len(json.load(answer)["rows"]) == 3
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "Traceback" not in said
    assert url not in said


def test_a_watched_run_in_a_pipe_says_the_address_and_ends_by_itself(finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished / "run", tmp_path / "run")
    study, store = str(finished / "study.yaml"), str(finished / "store")
    process = start("run", study, "--out", str(tmp_path / "run"), "--store", store, "--watch", "--json")
    out, said = process.communicate(timeout=120)
    assert process.returncode == 0
    assert said.startswith("watch: http://127.0.0.1:")
    assert json.loads(out)["study"] == "mini"


def test_watching_what_is_no_run_is_the_users_mistake(tmp_path: Path) -> None:
    process = start("watch", str(tmp_path))
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "no run in this folder" in said
