from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from _inspect_tasks import TASKS, Endpoint, Scripted, answers, task_of
from mendel.engine.errors import BudgetSpent, RunError
from mendel.measure.inspect_tasks import batching
from mendel.models.chat import Completion

pytest.importorskip("inspect_ai")


@pytest.mark.parametrize("kind", [Scripted, Endpoint])
def test_a_chat_models_own_error_comes_through_as_it_is(
    kind: type[Scripted], tasks: Path, tmp_path: Path
) -> None:
    spent = BudgetSpent("the budget is spent", fix="Raise it.")
    with pytest.raises(BudgetSpent) as caught:
        answers(kind(spent), task_of(tasks, "peas"), tmp_path)
    assert caught.value is spent


def test_another_error_of_the_model_says_what_it_was(tasks: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="the student failed: MemoryError: full"):
        answers(Scripted(MemoryError("full")), task_of(tasks, "peas"), tmp_path)


def test_an_interrupted_run_is_interrupted(tasks: Path, tmp_path: Path) -> None:
    class Interrupted(Scripted):
        def chat(self, *_: Any, **__: Any) -> list[Completion]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        answers(Interrupted(), task_of(tasks, "peas"), tmp_path)
    assert "mendel-inspect" not in {thread.name for thread in threading.enumerate()}
    answers(Scripted(), task_of(tasks, "peas"), tmp_path)


def test_a_sample_that_fails_is_named(tasks: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"broken, sample 'year', epoch 1: .*the pod is empty"):
        answers(Scripted(), task_of(tasks, "broken"), tmp_path)


def test_who_waits_is_not_kept_by_a_sample_that_hangs(
    tasks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(batching, "PATIENCE", 0.2)
    text = TASKS.replace('raise KeyError("the pod is empty")', "import anyio; await anyio.sleep(1.5)")
    file = tmp_path / "slow.py"
    file.write_text(text)
    scripted = Scripted()
    answers(scripted, task_of(file, "broken"), tmp_path)
    assert [len(batch) for batch in scripted.asked] == [4, 2]
    assert "not waiting for them" in caplog.text
