from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mendel.engine.errors import InputError, RunError
from mendel.engine.executors import LocalExecutor


def square(number: int) -> int:
    return number * number


def threads(_: int) -> str:
    return os.environ["OMP_NUM_THREADS"]


def refuse(number: int) -> int:
    raise InputError("no good", value=number)


def die(_: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_every_job_gives_its_result_once() -> None:
    with LocalExecutor(2) as executor:
        assert sorted(executor.map(square, range(20))) == [(n, n * n) for n in range(20)]
        assert list(executor.map(square, [])) == []


def test_workers_share_the_cores_and_the_environment_is_put_back() -> None:
    before = os.environ.get("OMP_NUM_THREADS")
    with LocalExecutor(2) as executor:
        expected = str(executor.threads)
        assert {result for _, result in executor.map(threads, range(8))} == {expected}
    assert os.environ.get("OMP_NUM_THREADS") == before


def test_an_error_of_a_job_is_raised_here() -> None:
    with pytest.raises(InputError, match="no good"), LocalExecutor(1) as executor:
        list(executor.map(refuse, [1]))


def test_a_worker_that_is_killed_is_said() -> None:
    with pytest.raises(RunError, match="killed from outside"), LocalExecutor(1) as executor:
        list(executor.map(die, [1]))


def test_workers_end_when_the_main_process_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "main.py"
    script.write_text(
        "import os, time\n"
        "from mendel.engine.executors import LocalExecutor\n"
        "def job(n):\n"
        "    print(os.getpid(), flush=True)\n"
        "    time.sleep(600)\n"
        "if __name__ == '__main__':\n"
        "    with LocalExecutor(1) as executor:\n"
        "        list(executor.map(job, [1]))\n"
    )
    process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    worker = int(process.stdout.readline())
    process.kill()
    process.wait()
    for _ in range(100):
        if not _running(worker):
            return
        time.sleep(0.1)
    pytest.fail(f"worker {worker} outlived its main process")


def _running(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    # A zombie has ended; only its parent's record of it is left.
    return status.exists() and status.read_text().rsplit(")", 1)[1].split()[0] != "Z"
