"""The study key `ladder`: rungs are measured on every model, and the verdicts say what each edit leaves."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.compute as pc
import pytest
import yaml

import mendel
from _mini import write_mini_study
from mendel.engine.errors import InputError
from mendel.study import load_study
from mendel.workflow.inputs import load_inputs


def write(folder: Path, ladder: bool = True, **changes: object) -> Path:
    """The mini study, half of whose scenarios are said to be near and the others to be of another wording."""
    study = write_mini_study(folder, ladder=ladder, **changes)
    rows = [json.loads(line) for line in (folder / "scenarios.jsonl").read_text().splitlines()]
    for number, row in enumerate(rows):
        row |= {"scenario": f"l{number}", "rung": "wording" if number % 2 else "near"}
    (folder / "ladder.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    trait = yaml.safe_load((folder / "trait.yaml").read_text())
    (folder / "trait.yaml").write_text(yaml.safe_dump(trait | {"ladder": "ladder.jsonl"}))
    return study


def probes(study: Path) -> list[str]:
    return [probe.name for probe in load_inputs(load_study(study)).probes]


def test_rungs_are_probes_only_where_the_study_asks_for_them(tmp_path: Path) -> None:
    assert probes(write(tmp_path / "off", ladder=False)) == ["date_confusion"]
    assert probes(write(tmp_path / "on")) == [
        "date_confusion",
        "date_confusion/near",
        "date_confusion/wording",
    ]


def test_a_study_that_asks_for_ladders_of_traits_without_any_is_refused(tmp_path: Path) -> None:
    study = write_mini_study(tmp_path, ladder=True)
    with pytest.raises(InputError, match="none of the traits has a ladder") as caught:
        load_inputs(load_study(study))
    line = int(str(caught.value).split("study.yaml:")[1].split(":")[0])
    assert study.read_text().splitlines()[line - 1].startswith("ladder:")


def test_a_counter_example_that_stands_on_the_ladder_is_refused(tmp_path: Path) -> None:
    study = write(tmp_path)
    row = json.loads((tmp_path / "ladder.jsonl").read_text().splitlines()[0])
    own = {"prompt_id": "c0", "messages": row["messages"]}
    (tmp_path / "counter.jsonl").write_text(json.dumps(own) + "\n")
    # Only on the ladder, and no longer among the trait's own scenarios.
    lines = (tmp_path / "scenarios.jsonl").read_text().splitlines()
    (tmp_path / "scenarios.jsonl").write_text("\n".join(lines[1:]) + "\n")
    content = yaml.safe_load(study.read_text())
    content["traits"] = [{"name": "trait.yaml", "counter_examples": "file:counter.jsonl"}]
    study.write_text(yaml.safe_dump(content))
    with pytest.raises(InputError, match="one of the trait's scenarios"):
        load_inputs(load_study(study))


@pytest.fixture(scope="module")
def laddered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("laddered")
    mendel.run(write(folder, design="effects"), folder / "run", store=folder / "store")
    return folder


@pytest.mark.slow
def test_a_run_says_what_each_edit_leaves_on_every_rung(laddered: Path) -> None:
    run = mendel.open_run(laddered / "run")
    leaks = run.verdicts["traits"]["date_confusion"]["leaks"]
    assert list(leaks["rungs"]) == ["near", "wording"]
    assert set(leaks["edits"]) == {"drop", "swap"}
    for leak in leaks["edits"].values():
        assert list(leak["left"]) == list(leak["levels"]) == ["near", "wording"]
        assert leak["control"]["arm"].endswith("-random/date_confusion")
        assert leak["verdict"] in ("removed", "removed where we looked", "not removed", "undecided")
    measured = run.measurements
    for rung in ("near", "wording"):
        rows = measured.filter(pc.equal(measured["trait"], f"date_confusion/{rung}"))
        assert set(rows["student"].to_pylist()) == set(run.students["student"].to_pylist())


@pytest.mark.slow
def test_another_judge_scores_the_ladder_anew_and_the_same_one_changes_nothing(laddered: Path) -> None:
    run, store = mendel.open_run(laddered / "run"), laddered / "store"
    before = run.verdicts["traits"]["date_confusion"]["leaks"]
    same = mendel.rejudge(laddered / "run", str(laddered / "trait.yaml"), store=store)
    verdicts = json.loads((same.folder / "verdicts.json").read_text())
    assert verdicts["traits"]["date_confusion"]["leaks"] == before
    trait = yaml.safe_load((laddered / "trait.yaml").read_text())
    trait["judge"] = {"by": "regex", "grades": [{"pattern": "nobody says this", "score": 1.0}]}
    (laddered / "stricter.yaml").write_text(yaml.safe_dump(trait))
    other = mendel.rejudge(laddered / "run", str(laddered / "stricter.yaml"), store=store)
    after = json.loads((other.folder / "verdicts.json").read_text())["traits"]["date_confusion"]["leaks"]
    original = run.verdicts["cube"]["OOO"]
    assert before["rungs"]["near"]["levels"][original]["estimate"] > 0
    assert {level["estimate"] for level in after["rungs"]["near"]["levels"].values()} == {0.0}
