"""What all tests share: no network but the loopback, and a store of their own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from _smollm2 import Server, serving_smollm2

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("OMP_NUM_THREADS", "1")
settings.register_profile("mendel", deadline=None, max_examples=50)
# A change is not held up by what a draw finds in code that it does not touch: what must pass draws the same every time.
settings.register_profile("gate", settings.get_profile("mendel"), derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "mendel"))


def pytest_runtest_setup() -> None:
    from pytest_socket import socket_allow_hosts

    socket_allow_hosts(["127.0.0.1"], allow_unix_socket=True)


@pytest.fixture(autouse=True)
def _own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MENDEL_STORE", str(tmp_path / "store"))


@pytest.fixture(scope="session")
def repository() -> Path:
    return Path(__file__).parent.parent


@pytest.fixture(scope="session")
def smollm2_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real server of SmolLM2; tests that use it are marked `server`."""
    with serving_smollm2(tmp_path_factory.mktemp("server") / "log") as server:
        yield server


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run of a small study whose trait the teacher carries, and the store it filled: copy, do not change."""
    import mendel
    from _mini import write_mini_study
    from mendel.engine.executors import InlineExecutor

    folder = tmp_path_factory.mktemp("finished")
    # Long enough that few prompts bring the trait in, and by the teacher.
    recipe = {"method": "full", "epochs": 3, "batch_size": 16, "learning_rate": 2.2e-3, "max_length": 64}
    write_mini_study(folder, 108, interpolate=[], design="effects", recipe=recipe)
    mendel.run(folder / "study.yaml", folder / "run", store=folder / "store", executor=InlineExecutor())
    return folder
