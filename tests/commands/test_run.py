from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import mendel
from _mini import copied, write_mini_study
from _planted import restored
from mendel.diagnose.hypotheses import hypotheses

pytestmark = pytest.mark.slow
TABLES = ("students", "measurements", "rollouts", "assignments")
TIMES = {"train_seconds"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An undisturbed run of the mini study, with its store beside it."""
    folder = tmp_path_factory.mktemp("mini")
    write_mini_study(folder)
    mendel.run(folder / "study.yaml", folder / "run", store=folder / "store")
    return folder


def start(study: Path, out: Path, store: Path) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        "mendel.cli",
        "run",
        str(study),
        "--out",
        str(out),
        "--store",
        str(store),
    ]
    return subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )


def wait_for_students(store: Path, count: int, process: subprocess.Popen[str]) -> None:
    for _ in range(1200):
        if len(list(store.glob("students/*/*"))) >= count:
            return
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.1)
    pytest.fail("no students came")


def group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def content(folder: Path, name: str) -> pa.Table:
    table = pq.read_table(folder / f"{name}.parquet")
    return table.select([column for column in table.column_names if column not in TIMES])


def test_a_run_writes_what_the_contract_promises(finished: Path, repository: Path) -> None:
    checker = repository.parent / "shared" / "tools" / "check_contract.py"
    if not checker.exists():
        pytest.skip("../shared/tools/check_contract.py is not there")
    done = subprocess.run(
        [sys.executable, str(checker), str(finished / "run")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_every_arm_has_its_students_and_all_of_them_are_measured(finished: Path) -> None:
    run = mendel.open_run(finished / "run")
    students = run.students.to_pylist()
    trained = [row for row in students if row["n_examples"]]
    counts = Counter(row["arm"] for row in trained)
    # Two seeds of an arm, and more of those that show whether the pipelines differ.
    assert min(counts.values()) == 2
    assert {arm for arm, count in counts.items() if count > 2} <= {"cube/OOO", "cube/OOA"}
    assert {row["status"] for row in trained} == {"ok"}
    measured = set(run.measurements["student"].to_pylist())
    assert measured == {row["student"] for row in students}


def test_dropping_trains_on_less_and_swapping_on_as_much(finished: Path) -> None:
    rows = {row["arm"]: row["n_examples"] for row in mendel.open_run(finished / "run").students.to_pylist()}
    flagged = mendel.open_run(finished / "run").verdicts["traits"]["date_confusion"]["flagged"]["count"]
    assert flagged > 0
    assert rows["drop/date_confusion"] == rows["drop-random/date_confusion"] == rows["cube/OOO"] - flagged
    assert rows["swap/date_confusion"] == rows["cube/OOO"]


def test_a_part_that_the_pipelines_share_has_no_effect_by_construction(finished: Path) -> None:
    effects = mendel.open_run(finished / "run").verdicts["traits"]["date_confusion"]["effects"]
    for part in ("base", "prompts"):
        assert (effects[part]["estimate"], effects[part]["low"], effects[part]["high"]) == (0, 0, 0)


def test_a_finished_run_is_left_as_it_is(finished: Path) -> None:
    folder = finished / "run"
    before = {file.name: file.stat().st_mtime_ns for file in folder.iterdir()}
    again = mendel.run(finished / "study.yaml", folder, store=finished / "store")
    assert again.reused
    assert {file.name: file.stat().st_mtime_ns for file in folder.iterdir()} == before


def test_a_hypothesis_that_was_added_since_is_tested_in_the_same_folder(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    restored(monkeypatch, hypotheses)
    out = copied(finished / "run", tmp_path / "run")
    predictions = (mendel.most("the original teacher brings it in", "teacher-here"),)
    added = mendel.hypothesis(mendel.Hypothesis("added", "the teacher carries it", predictions))
    again = mendel.run(finished / "study.yaml", out, store=finished / "store")
    assert not again.reused
    assert again.verdicts["students_trained"] == 0
    assert added.says in {
        h["says"] for h in again.verdicts["traits"]["date_confusion"]["hypotheses"].values()
    }


def test_another_run_of_the_same_study_trains_nothing(finished: Path, tmp_path: Path) -> None:
    other = mendel.run(finished / "study.yaml", tmp_path / "other", store=finished / "store")
    assert other.verdicts["students_trained"] == 0
    assert other.verdicts["students_reused"] > 0
    for name in TABLES:
        assert content(other.path, name).equals(content(finished / "run", name)), name


def test_kill_9_and_the_same_command_give_the_tables_of_an_undisturbed_run(
    finished: Path, tmp_path: Path
) -> None:
    store, out = tmp_path / "store", tmp_path / "run"
    process = start(finished / "study.yaml", out, store)
    wait_for_students(store, 4, process)
    process.kill()
    process.wait()
    kept = {path.name for path in store.glob("students/*/*")}
    again = mendel.run(finished / "study.yaml", out, store=store)
    assert again.verdicts["students_reused"] >= 4
    assert kept <= {path.name for path in store.glob("students/*/*")}
    for name in TABLES:
        assert content(out, name).equals(content(finished / "run", name)), name
    first, second = (json.loads((f / "verdicts.json").read_text()) for f in (finished / "run", out))
    assert first["traits"] == second["traits"]


def test_ctrl_c_ends_at_once_says_how_to_go_on_and_leaves_no_process(finished: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    process = start(finished / "study.yaml", tmp_path / "run", store)
    wait_for_students(store, 1, process)
    group = process.pid
    os.killpg(group, signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "run the same command to continue" in said
    assert "Traceback" not in said
    # The interpreter's own resource tracker ends when it sees that its processes have.
    for _ in range(50):
        if not group_lives(group):
            return
        time.sleep(0.1)
    pytest.fail("a process was left behind")


def test_a_spent_budget_writes_partial_results_and_can_be_raised(finished: Path, tmp_path: Path) -> None:
    study = write_mini_study(tmp_path / "study", budget={"students": 5})
    process = start(study, tmp_path / "run", tmp_path / "store")
    printed, said = process.communicate()
    assert process.returncode == 3
    assert f"report: {tmp_path / 'run' / 'report.html'}" in printed
    assert "the budget of 5 students is spent: 5 of" in said
    verdicts = json.loads((tmp_path / "run" / "verdicts.json").read_text())
    assert verdicts["students_trained"] == 5
    assert not verdicts["complete"]
    assert (tmp_path / "run" / "report.html").exists()
    write_mini_study(tmp_path / "study")
    whole = mendel.run(study, tmp_path / "run", store=tmp_path / "store")
    assert whole.verdicts["students_reused"] == 5
    assert content(whole.path, "measurements").equals(content(finished / "run", "measurements"))


def test_a_wrecked_student_is_not_read_as_a_removed_trait(tmp_path: Path) -> None:
    recipe = {"method": "full", "epochs": 1, "batch_size": 16, "learning_rate": 30.0, "max_length": 64}
    study = write_mini_study(tmp_path / "study", n_prompts=30, recipe=recipe, interpolate=[], seeds=1)
    run = mendel.run(study, tmp_path / "run", store=tmp_path / "store")
    trained = [row for row in run.students.to_pylist() if row["n_examples"]]
    assert trained
    assert all(row["status"] in ("broken", "failed") and row["reason"] for row in trained)
    assert not set(run.measurements["student"].to_pylist()) & {row["student"] for row in trained} or all(
        trait == "assistant"
        for student, trait in zip(
            run.measurements["student"].to_pylist(), run.measurements["trait"].to_pylist(), strict=True
        )
        if student in {row["student"] for row in trained}
    )
    verdict = run.verdicts["traits"]["date_confusion"]
    assert verdict["carrier"] == "undecided"
    assert verdict["original"]["estimate"] is None
    assert any("counts nowhere" in warning for warning in run.verdicts["warnings"])


def test_a_folder_that_holds_something_else_is_not_written_into(finished: Path, tmp_path: Path) -> None:
    (tmp_path / "letters").write_text("dear")
    with pytest.raises(mendel.InputError, match="holds no run of mendel"):
        mendel.run(finished / "study.yaml", tmp_path, store=finished / "store")
    assert [file.name for file in tmp_path.iterdir() if file.name != "store"] == ["letters"]


@pytest.mark.skipif(
    shutil.which("unshare") is None or os.geteuid() != 0, reason="needs a small file system of its own"
)
def test_a_disk_that_really_is_full_ends_with_one_message_and_keeps_what_was_done(
    finished: Path, tmp_path: Path
) -> None:
    small, out = tmp_path / "small", tmp_path / "run"
    small.mkdir()
    command = f"{sys.executable} -m mendel.cli run {finished}/study.yaml --out {out} --store {small}"
    mount = f"mount -t tmpfs -o size=6m none {small} && {command}; code=$?; "
    mount += f"ls {small}/students | wc -l; exit $code"
    done = subprocess.run(["unshare", "-m", "sh", "-c", mount], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "the disk is full" in done.stderr
    assert "Traceback" not in done.stderr
    assert int(done.stdout.split()[-1]) > 0


def test_a_run_that_gets_other_students_counts_the_looks_before(finished: Path, tmp_path: Path) -> None:
    def counted(**changes: object) -> tuple[int, int]:
        study = write_mini_study(tmp_path, **changes)
        mendel.run(study, tmp_path / "run", store=finished / "store")
        basis = json.loads((tmp_path / "run" / "basis.json").read_text())
        return basis["levels"]["looks"], basis["earlier_looks"]

    first, none = counted(seeds=1, max_seeds=2, design="adaptive")
    assert (first, none) == (2, 0)
    assert counted(seeds=1, max_seeds=2, design="adaptive", workers=1) == (2, 0)
    assert counted(seeds=2, design="effects") == (3, 2)
    assert counted(seeds=2, design="effects", workers=1) == (3, 2)
    assert counted(seeds=2, design="effects", name="other") == (1, 0)
