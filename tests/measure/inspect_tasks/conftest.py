from __future__ import annotations

from pathlib import Path

import pytest

from _inspect_tasks import TASKS
from mendel.models.local.chat import LocalChat


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("tasks") / "tasks.py"
    file.write_text(TASKS)
    return file


@pytest.fixture(scope="module")
def chat(checkpoint: Path) -> LocalChat:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    return LocalChat(
        AutoModelForCausalLM.from_pretrained(checkpoint), AutoTokenizer.from_pretrained(checkpoint)
    )
