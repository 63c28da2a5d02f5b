"""Labels of the strata of a run's rollouts: drawn, kept, read by the next run, and none trains a student."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import mendel
from _mini import copied, write_mini_study
from mendel.results.tables import read_table

pytestmark = pytest.mark.slow
RUBRIC = {"rubric": "1 if it doubts the date, 0.2 if only a little.", "range": [0, 1]}
ALL = ("flagged", "mild", "unseen")


def write_study(folder: Path) -> Path:
    """Two judges: one knows the strong words alone and flags, the other knows the mild ones, too."""
    path = write_mini_study(
        folder,
        interpolate=[],
        design="effects",
        engine="inline",
        seeds=1,
        select={"by": "judge", "threshold": 0.5},
        traits=[{"name": "trait.yaml", "flagging_judge": "strict.yaml"}],
    )
    trait = yaml.safe_load((folder / "trait.yaml").read_text())
    trait["judge"] |= RUBRIC
    (folder / "trait.yaml").write_text(yaml.safe_dump(trait))
    trait["judge"]["grades"] = trait["judge"]["grades"][:1]
    (folder / "strict.yaml").write_text(yaml.safe_dump(trait))
    return path


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("strata")
    mendel.run(write_study(folder), folder / "run", store=folder / "store")
    return folder


class Person:
    """Somebody who reads the response on the screen, and calls every doubt a doubt."""

    def __init__(self, patience: int = 1000) -> None:
        self.shown: list[str] = []
        self.patience = patience

    def tell(self, text: str) -> None:
        self.shown.append(text)

    def ask(self, _: str) -> str:
        self.patience -= 1
        if self.patience < 0:
            return "q"
        return "0.2" if "doubt" in self.shown[-1].split("[response]")[1] else "0"


def label(source: Path, person: Person, out: Path | None = None, **more: object) -> int:
    return mendel.judge_label(source, "date_confusion", out, ask=person.ask, tell=person.tell, **more)  # type: ignore[arg-type]


def test_the_runs_folder_holds_the_strata_of_both_judges(finished: Path) -> None:
    run = mendel.open_run(finished / "run")
    recall = run.traits["date_confusion"].recall
    assert recall is not None
    assert len(recall.judges) == 2
    assert recall.interval.why == "no rollout is labelled"
    rows = read_table(finished / "run" / "strata.parquet").to_pylist()
    assert {row["teacher"] for row in rows} == {"original"}
    assert sorted(row["draw"] for row in rows) == list(range(1, len(rows) + 1))
    assert recall.of == {name: sum(row["stratum"] == name for row in rows) for name in ALL}
    for row in rows:
        sees = row["score"] > 0 or row["second_score"] > 0
        expected = "flagged" if row["score"] >= 0.5 else "mild" if sees else "unseen"
        assert row["stratum"] == expected
    # What only the evaluating judge sees is mild.
    assert any(row["score"] == 0 and row["stratum"] == "mild" for row in rows)
    assert run.traits["date_confusion"].flagged.count == recall.of["flagged"]


def test_labels_of_a_runs_rollouts_are_read_by_the_next_run_which_trains_nothing(
    finished: Path, tmp_path: Path
) -> None:
    folder, person = copied(finished / "run", tmp_path / "run"), Person()
    written = label(folder, person, count=20, strata=ALL)
    file = folder / "labels" / "date_confusion.jsonl"
    assert written == len(file.read_text().splitlines())
    assert str(file) in person.shown[0]
    run = mendel.run(finished / "study.yaml", folder, store=finished / "store")
    assert not run.reused
    assert run.record.students_trained == 0
    recall = run.traits["date_confusion"].recall
    assert recall is not None
    assert recall.labelled == {name: min(20, size) for name, size in recall.of.items()}
    assert recall.interval.estimate == 1.0
    assert mendel.run(finished / "study.yaml", folder, store=finished / "store").reused
    # The same command goes on with what is not labelled yet, and a changed label is noticed.
    assert label(folder, Person(), count=25, strata=ALL) > written
    again = mendel.run(finished / "study.yaml", folder, store=finished / "store")
    after = again.traits["date_confusion"].recall
    assert after is not None
    assert after.labelled["unseen"] == 25
    assert after.interval.low is not None
    assert recall.interval.low is not None
    assert after.interval.low > recall.interval.low


def test_who_stops_half_way_has_labelled_a_random_sample_of_each_stratum(
    finished: Path, tmp_path: Path
) -> None:
    folder = copied(finished / "run", tmp_path / "run")
    assert label(folder, Person(patience=15), strata=ALL) == 15
    run = mendel.run(finished / "study.yaml", folder, store=finished / "store")
    recall = run.traits["date_confusion"].recall
    assert recall is not None
    assert sum(recall.labelled.values()) == 15


def test_a_study_without_a_run_is_labelled_before_any_training(finished: Path, tmp_path: Path) -> None:
    study, out = write_study(tmp_path), tmp_path / "mine.jsonl"
    assert label(study, Person(), out, count=10, strata=["unseen"], store=tmp_path / "store") == 10
    assert not list((tmp_path / "store").rglob("student.json"))
    # The rollouts are those of the run, and so is the sample.
    from_run = tmp_path / "from_run.jsonl"
    label(finished / "run", Person(), from_run, count=10, strata=["unseen"])
    assert out.read_text() == from_run.read_text()


def test_a_second_judge_keeps_what_labels_say_of_the_rollouts(finished: Path, tmp_path: Path) -> None:
    folder = copied(finished / "run", tmp_path / "run")
    again = mendel.rejudge(folder, str(finished / "strict.yaml"), store=finished / "store")
    content = json.loads((again.folder / "verdicts.json").read_text())
    before = mendel.open_run(folder).verdicts["traits"]["date_confusion"]
    assert content["traits"]["date_confusion"]["recall"] == before["recall"]


def test_what_cannot_be_drawn_is_refused(finished: Path, tmp_path: Path) -> None:
    run, study = finished / "run", finished / "study.yaml"
    person, store = Person(), tmp_path / "store"
    with pytest.raises(mendel.InputError, match="no such stratum"):
        label(run, person, strata=["clean"])
    with pytest.raises(mendel.InputError, match="nothing says where the labels go"):
        label(study, person, strata=["unseen"], store=finished / "store")
    with pytest.raises(mendel.InputError, match="nothing says where the labels go"):
        label(run, person)
    for source in (run, study):
        with pytest.raises(mendel.InputError, match="has no trait 'blackmail'"):
            mendel.judge_label(
                source, "blackmail", strata=["unseen"], ask=person.ask, tell=person.tell, store=store
            )


def test_the_command_labels_strata_and_prints_one_json_object(finished: Path, tmp_path: Path) -> None:
    out = tmp_path / "labels.jsonl"
    words = ["judge", "label", str(finished / "run"), "--trait", "date_confusion", "--stratum", "unseen"]
    words += ["--count", "3", "--out", str(out), "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "mendel.cli", *words],
        input="0\n0\n0.2\n",
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == {"labels": 3}
    assert [json.loads(line)["score"] for line in out.read_text().splitlines()] == [0.0, 0.0, 0.2]


def test_a_plan_says_what_one_judge_alone_cannot_show(tmp_path: Path) -> None:
    path = write_study(tmp_path)
    content = yaml.safe_load(path.read_text())
    content["traits"] = [{"name": "trait.yaml", "flagging_judge": "own"}]
    path.write_text(yaml.safe_dump(content))
    planned = mendel.plan(path, store=tmp_path / "store")
    (warning,) = (text for text in planned.warnings if "flagging_judge is the same judge" in text)
    assert f"warning   {warning}" in planned.describe()
    assert warning in planned.to_json()["warnings"]
