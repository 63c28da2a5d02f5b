"""Which plug-ins take part in a study: with package, version and options, and never a built-in one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from _mini import write_mini_study
from mendel.data.selectors import selectors
from mendel.engine.executors import InlineExecutor, executors
from mendel.engine.registry import Origin
from mendel.measure import RegexJudge, judges
from mendel.measure.judges import Grade
from mendel.study import load_study
from mendel.train.trainers import trainers
from mendel.workflow.inputs import load_inputs
from mendel.workflow.plugins import plugins_of

MINE = Origin("a_package", "a_package.plugins")


class Options(BaseModel):
    longest: int = 100


@pytest.fixture
def registered() -> Iterator[None]:
    selectors.add("brief", lambda candidates, context: [0.0 for _ in candidates], MINE, Options)
    executors.add("mine", lambda workers: InlineExecutor(), MINE)
    judges.add("mine", lambda config: RegexJudge((Grade("a", 1.0),)), MINE)
    yield
    for registry, name in ((selectors, "brief"), (executors, "mine"), (judges, "mine")):
        registry.remove(f"a_package/{name}")  # type: ignore[attr-defined]


def listed(folder: Path, own_executor: bool = False, **changes: Any) -> list[dict[str, Any]]:
    study = load_study(write_mini_study(folder, design="effects", **changes))
    return plugins_of(load_inputs(study), ["cube", "drop"], own_executor=own_executor)


def test_a_study_without_plug_ins_lists_none(tmp_path: Path) -> None:
    assert listed(tmp_path) == []


def test_each_plug_in_stands_once_with_its_options(tmp_path: Path, registered: None) -> None:
    select = {"by": "brief", "share": 0.2, "options": {"longest": 3}}
    traits = [{"name": "trait.yaml", "select": select}]
    entry = {"package": "a_package", "version": None}
    assert listed(tmp_path, select=select, traits=traits, engine="a_package/mine") == [
        {"kind": "executor", "name": "a_package/mine", **entry, "options": {}},
        {"kind": "selector", "name": "a_package/brief", **entry, "options": {"longest": 3}},
    ]


def test_an_executor_that_the_caller_gives_takes_the_engines_place(tmp_path: Path, registered: None) -> None:
    assert listed(tmp_path, own_executor=True, engine="mine") == []


def test_a_trait_files_judge_is_listed_with_its_options(tmp_path: Path, registered: None) -> None:
    study = write_mini_study(tmp_path, design="effects")
    trait = yaml.safe_load((tmp_path / "trait.yaml").read_text())
    trait["judge"] = {"by": "mine", "options": {"strict": True}}
    trait.pop("ladder_grades", None)
    (tmp_path / "trait.yaml").write_text(yaml.safe_dump(trait))
    (judge,) = plugins_of(load_inputs(load_study(study)), [])
    assert (judge["kind"], judge["name"], judge["options"]) == ("judge", "a_package/mine", {"strict": True})


@pytest.mark.parametrize("package", ["a_package", "b_package"])
def test_students_are_named_by_the_package_of_their_trainer(tmp_path: Path, package: str) -> None:
    """Trainers of two packages that share a plain name would otherwise share their students in a store."""
    full = trainers.add("sgd", lambda students, tokenizer: None, Origin(package, f"{package}.plugins"))
    try:
        for name in ("sgd", full):
            study = load_study(write_mini_study(tmp_path / name, design="effects", recipe={"trainer": name}))
            assert load_inputs(study).study.config.recipe.trainer == full == f"{package}/sgd"
    finally:
        trainers.remove(full)
