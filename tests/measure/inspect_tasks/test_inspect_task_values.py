from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from _inspect_tasks import TASKS, task_of
from mendel.engine.errors import InputError
from mendel.measure.inspect_tasks import InspectConfig, parse_inspect_ref

pytest.importorskip("inspect_ai")


def test_a_task_is_a_value_named_by_its_content(tasks: Path, tmp_path: Path) -> None:
    task = task_of(
        tasks, "peas", args={"shape": "round"}, variants=({"colour": "green"}, {"colour": "yellow"})
    )
    assert pickle.loads(pickle.dumps(task)) == task
    assert (
        len(
            {
                task,
                task_of(
                    tasks,
                    "peas",
                    args={"shape": "round"},
                    variants=({"colour": "green"}, {"colour": "yellow"}),
                ),
            }
        )
        == 1
    )
    others = [
        task_of(tasks, "peas"),
        task_of(tasks, "one"),
        task_of(tasks, "peas", limit=1),
        task_of(tasks, "peas", args={"shape": "flat"}),
        task,
    ]
    moved = tmp_path / "elsewhere.py"
    moved.write_text(TASKS)
    assert task_of(moved, "one").digest == others[1].digest
    moved.write_text(TASKS + "\n")
    assert len({*(other.digest for other in others), task_of(moved, "one").digest}) == 6


@pytest.mark.parametrize(
    ("variants", "labels"),
    [
        (({},), ("peas",)),
        (({"colour": "green"}, {"colour": "yellow", "shape": "flat"}), ("green", "yellow-flat")),
        (({"colour": "a"}, {"shape": "a"}), ("colour=a", "shape=a")),
    ],
)
def test_variants_have_labels_that_differ(tasks: Path, variants: Any, labels: tuple[str, ...]) -> None:
    assert task_of(tasks, "peas", variants=variants).labels == labels


@pytest.mark.parametrize(
    "wrong", [{"variants": ({"a": 1}, {"a": 1})}, {"args": {"a": {1, 2}}}, {"limit": 0}, {"variants": ()}]
)
def test_a_config_that_says_nothing_sensible_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        InspectConfig(task="a/b", **wrong)


def test_references_name_packages_and_files(tasks: Path) -> None:
    assert (
        parse_inspect_ref("inspect:inspect_evals/agentic_misalignment").name
        == "inspect_evals/agentic_misalignment"
    )
    assert parse_inspect_ref(f"inspect:{tasks.name}@one", tasks.parent) == task_of(tasks, "one")
    for wrong in ("inspect_evals/x", "inspect:", f"inspect:{tasks.name}x.py@one"):
        with pytest.raises(InputError):
            parse_inspect_ref(wrong, tasks.parent)
