from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from _tiny import make_checkpoint
from mendel.models import Checkpoint, load_model, load_tokenizer, resolve_checkpoint


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def checkpoint(folder: Path) -> Checkpoint:
    return resolve_checkpoint(f"hf:{folder}", Path("/"))


@pytest.fixture(scope="session")
def tokenizer(checkpoint: Checkpoint) -> Any:
    return load_tokenizer(checkpoint)


@pytest.fixture(scope="session")
def model(checkpoint: Checkpoint) -> Any:
    return load_model(checkpoint)
