"""Run folders for the tests of the page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_run import RunMaker


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of three traits, with hostile text everywhere that a model or a file could put it."""
    return RunMaker(tmp_path_factory.mktemp("run") / "peas").write()


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Path]:
    """Writes a run that differs from the finished one by the given fields; small unless said."""

    def make(**fields: Any) -> Path:
        return RunMaker(
            tmp_path / "peas", **{"scenarios": 4, "traits": ("date_confusion",), **fields}
        ).write()

    return make
