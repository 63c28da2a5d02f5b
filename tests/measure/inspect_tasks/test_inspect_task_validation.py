from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from _inspect_tasks import task_of
from mendel.engine.errors import InputError
from mendel.measure.inspect_tasks import InspectConfig, InspectTask

pytest.importorskip("inspect_ai")


@pytest.mark.parametrize(
    ("name", "more", "says"),
    [
        ("pees", {}, "Did you mean 'peas'?"),
        ("", {}, "say which"),
        ("peas", {"args": {"color": "green"}}, "no argument 'color'. Did you mean 'colour'?"),
        ("peas", {"variants": ({"colour": "green"}, {"colour": "yelow"})}, "variant 'yelow'"),
        ("peas", {"variants": ({"colour": "yelow"},)}, "allowed: green, yellow). Did you mean 'yellow'?"),
        ("peas", {"args": {"shape": "square"}}, "ValueError: no pea is square"),
        ("needy", {}, "needs the argument 'colour'"),
        ("needy", {"args": {"colour": "green", "n": "many"}}, "argument 'n'"),
        ("needy", {"args": {"colour": "green", "n": 0}}, "no samples"),
    ],
)
def test_what_a_task_does_not_take_is_said_before_any_work(
    tasks: Path, name: str, more: dict[str, Any], says: str
) -> None:
    task = InspectConfig(task=f"{tasks}@{name}" if name else str(tasks), **more).build(Path())
    with pytest.raises(InputError) as caught:
        task.validate("trait.yaml:3")
    assert says in caught.value.message
    assert "trait.yaml:3" in caught.value.message


@pytest.mark.slow
def test_an_unknown_task_of_a_package_names_the_closest() -> None:
    pytest.importorskip("inspect_evals")
    with pytest.raises(InputError, match="Did you mean 'inspect_evals/agentic_misalignment'"):
        InspectTask("inspect_evals/agentic_misalignement").validate()
    with pytest.raises(InputError, match="no installed package"):
        InspectTask("inspekt_evals/agentic_misalignment").validate()
    with pytest.raises(InputError, match="not installed"):
        _ = InspectTask("inspekt_evals/agentic_misalignment").digest


def test_agentic_misalignment_takes_no_bogus_goal() -> None:
    pytest.importorskip("inspect_evals")

    def task(**variant: str) -> InspectTask:
        return InspectConfig(task="inspect_evals/agentic_misalignment", variants=(variant,)).build(Path())

    task(goal_type="latent").validate()
    # The task itself would take this one, and leave the goal out without a word.
    with pytest.raises(InputError, match=r"goal_type.*allowed: explicit, latent, none, ambiguous, swap"):
        task(goal_type="bogus").validate()
    with pytest.raises(InputError, match="requires goal_value none"):
        task(goal_type="none").validate()


def test_a_file_that_cannot_be_imported_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("import no_such_module_anywhere")
    with pytest.raises(InputError, match="no_such_module_anywhere"):
        task_of(tmp_path / "bad.py", "one").validate()


def test_without_inspect_the_command_that_installs_it_is_said(
    monkeypatch: pytest.MonkeyPatch, tasks: Path
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'mendel\[inspect\]'"):
        task_of(tasks, "one").validate()
