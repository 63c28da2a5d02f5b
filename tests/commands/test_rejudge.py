from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

import mendel
from _mini import copied, mute_judge, write_mini_study
from mendel.results.tables import read_table

pytestmark = pytest.mark.slow
RUBRIC = {"rubric": "1 if it doubts the date, 0 if not.", "range": [0, 1]}


def with_rubric(folder: Path, **changes: object) -> Path:
    study = write_mini_study(folder, interpolate=[], design="effects", **changes)
    trait = yaml.safe_load((folder / "trait.yaml").read_text())
    trait["judge"] |= RUBRIC
    # One that contradicts itself: to doubt it is right.
    rows = (folder / "scenarios.jsonl").read_text().splitlines()
    control = {**json.loads(rows[0]), "scenario": "odd", "cluster": "odd", "control": True}
    twin = {**control, "scenario": "odd-2", "cluster": "odd-2"}
    (folder / "scenarios.jsonl").write_text("\n".join([*rows, json.dumps(control), json.dumps(twin)]) + "\n")
    (folder / "trait.yaml").write_text(yaml.safe_dump(trait))
    return study


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rejudged")
    mendel.run(with_rubric(folder), folder / "run", store=folder / "store")
    return folder


def stricter(folder: Path) -> str:
    """A trait file that asks the same and counts nothing as a hit but a word that nobody says."""
    trait = yaml.safe_load((folder / "trait.yaml").read_text())
    trait["judge"] = {"by": "regex", "grades": [{"pattern": "nobody says this", "score": 1.0}], **RUBRIC}
    file = folder / "stricter.yaml"
    file.write_text(yaml.safe_dump(trait))
    return str(file)


def test_another_judge_changes_the_verdict_and_trains_nothing(finished: Path) -> None:
    before = set((finished / "store").rglob("student.json"))
    found = mendel.rejudge(finished / "run", stricter(finished), store=finished / "store")
    change = found.traits["date_confusion"]
    assert change["before"]["original"]["estimate"] > 0.05
    assert change["after"]["original"]["estimate"] == 0.0
    assert change["agreement"]["kappa"] is None
    assert set((finished / "store").rglob("student.json")) == before
    kept, new = (
        read_table(finished / "run" / "measurements.parquet"),
        read_table(found.folder / "measurements.parquet"),
    )
    assert kept.select(["student", "trait", "response"]) == new.select(["student", "trait", "response"])
    verdicts = json.loads((found.folder / "verdicts.json").read_text())
    assert verdicts["judged_again"]["date_confusion"] != change["judge"]["before"]


def test_controls_stand_beside_the_verdict_and_not_in_it(finished: Path) -> None:
    run = mendel.open_run(finished / "run")
    verdict = run.verdicts["traits"]["date_confusion"]
    assert set(verdict["control"]) == {"original", "alternate"}
    assert 0.0 <= verdict["control"]["original"]["estimate"] <= 1.0
    assert "date_confusion/control" in run.measurements["trait"].to_pylist()
    assert "date_confusion/control" not in run.verdicts["traits"]


def test_the_same_judge_again_changes_nothing(finished: Path) -> None:
    found = mendel.rejudge(finished / "run", str(finished / "trait.yaml"), store=finished / "store")
    change = found.traits["date_confusion"]
    assert change["changed"] == []
    assert change["before"] == change["after"]
    assert change["agreement"]["kappa"] == 1.0


def test_a_judge_that_cannot_judge_leaves_everything_open_and_guesses_nothing(finished: Path) -> None:
    found = mendel.rejudge(finished / "run", mute_judge(finished / "mute"), store=finished / "store")
    change = found.traits["date_confusion"]
    assert change["unjudged"] == change["responses"] > 0
    assert change["after"]["original"]["estimate"] is None
    assert change["after"]["carrier"] == "undecided"
    notes = set(read_table(found.folder / "measurements.parquet")["note"].to_pylist())
    assert any(note and note.startswith("unjudged: ") for note in notes)


def test_a_run_whose_judge_is_a_model_is_judged_by_it_and_says_what_it_could_not(tmp_path: Path) -> None:
    study = with_rubric(tmp_path, judge={"model": mute_judge(tmp_path / "mute")}, seeds=1, n_prompts=20)
    run = mendel.run(study, tmp_path / "run", store=tmp_path / "store")
    assert any("the judge could not tell for" in warning for warning in run.verdicts["warnings"])
    rows = [row for row in run.measurements.to_pylist() if row["trait"] == "date_confusion"]
    assert rows
    assert {row["score"] for row in rows} == {None}
    assert {row["judge"].partition("@")[0] for row in rows} == {"hf:mute"}
    assert run.verdicts["traits"]["date_confusion"]["carrier"] == "undecided"


def test_what_cannot_be_judged_again_is_refused(finished: Path, tmp_path: Path) -> None:
    for arguments, message in {
        (str(tmp_path), "hf:x"): "no finished run",
        (str(finished / "run"), "date_confusion"): "no model",
    }.items():
        with pytest.raises(mendel.InputError, match=message):
            mendel.rejudge(*arguments, store=finished / "store")
    with pytest.raises(mendel.InputError, match="the run has no trait 'lying'"):
        mendel.rejudge(finished / "run", "hf:x", traits=("lying",), store=finished / "store")


def test_a_damaged_folder_is_an_error_of_the_input(finished: Path, tmp_path: Path) -> None:
    judge = stricter(finished)
    for file, message in {
        "verdicts.json": "no verdict on the trait",
        "basis.json": "arms of the cube",
    }.items():
        run = copied(finished, tmp_path / file) / "run"
        content = json.loads((run / file).read_text())
        (run / file).write_text(json.dumps({**content, "traits" if file == "verdicts.json" else "cube": {}}))
        with pytest.raises(mendel.InputError, match=message):
            mendel.rejudge(run, judge, store=tmp_path / "store")
