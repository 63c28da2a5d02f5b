"""Earlier looks: counted where a run gets other seeds, and not again where it goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from _planted import config
from mendel.workflow.looks import earlier_looks


def folder_of(folder: Path, *, looks: int = 2, earlier: int = 0, complete: bool = True, **study: Any) -> Path:
    """What of a run's folder the count is read from."""
    folder.mkdir(exist_ok=True)
    content = config(**study).model_dump(mode="json")
    (folder / "study.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    basis = {"levels": {"looks": looks, "hypotheses": 8}, "earlier_looks": earlier}
    (folder / "basis.json").write_text(json.dumps(basis))
    (folder / "verdicts.json").write_text(json.dumps({"complete": complete}))
    return folder


@pytest.mark.parametrize(
    "change",
    [
        {"seeds": 5},
        {"max_seeds": 9},
        {"design": "grid"},
        {"budget": {"students": 50}},
        {"seeds": 6, "design": "grid"},
    ],
)
def test_a_finished_run_that_gets_more_counts_its_looks(tmp_path: Path, change: dict[str, Any]) -> None:
    run = folder_of(tmp_path / "run", looks=3)
    assert earlier_looks(run, config(**change)) == 3


def test_reading_or_continuing_a_run_counts_nothing_again(tmp_path: Path) -> None:
    run = folder_of(tmp_path / "run", looks=4, earlier=2, seeds=5)
    assert earlier_looks(run, config(seeds=5)) == 2
    stopped = folder_of(tmp_path / "run", looks=4, earlier=2, complete=False, budget={"students": 5})
    assert earlier_looks(stopped, config(budget={"students": 5})) == 2
    assert earlier_looks(stopped, config(budget={"students": 50})) == 2
    assert earlier_looks(stopped, config(budget={"students": 50}, seeds=7)) == 4


def test_what_changes_no_test_is_no_look(tmp_path: Path) -> None:
    run = folder_of(tmp_path / "run")
    assert earlier_looks(run, config(robustness=True, workers=1)) == 0
    assert earlier_looks(run, config(robustness=True, seeds=5)) == 2


def test_another_study_or_no_run_has_no_looks(tmp_path: Path) -> None:
    run = folder_of(tmp_path / "run")
    assert earlier_looks(run, config(seeds=5, name="another")) == 0
    assert earlier_looks(run, config(seeds=5, recipe={"epochs": 2})) == 0
    assert earlier_looks(tmp_path / "none", config()) == 0
    (run / "basis.json").unlink()
    assert earlier_looks(run, config(seeds=5)) == 0


def test_looks_add_up_over_several_runs(tmp_path: Path) -> None:
    run = tmp_path / "run"
    looks = earlier = 0
    for seeds in (2, 3, 4):
        if looks:
            earlier = earlier_looks(run, config(seeds=seeds))
        looks = earlier + 2
        folder_of(run, looks=looks, earlier=earlier, seeds=seeds)
    assert (looks, earlier) == (6, 4)


@pytest.mark.parametrize("text", ["", "[", "- 1", "\ud7ff: {"])
def test_a_study_that_cannot_be_read_has_no_looks(tmp_path: Path, text: str) -> None:
    run = folder_of(tmp_path / "run")
    (run / "study.yaml").write_text(text, encoding="utf-8")
    assert earlier_looks(run, config(seeds=5)) == 0
