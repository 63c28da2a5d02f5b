from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from mendel.engine.errors import InputError, RunError
from mendel.engine.store import Store, write_atomic

KEY = "ab" + "0" * 62


def test_an_entry_is_there_only_when_its_block_has_ended(tmp_path: Path) -> None:
    store = Store(tmp_path / "s").prepare()
    with store.writing("students", KEY) as folder:
        (folder / "weights").write_bytes(b"1")
        assert not store.has("students", KEY)
    assert (store.path("students", KEY) / "weights").read_bytes() == b"1"
    assert not list((tmp_path / "s" / "tmp").iterdir())


def test_a_block_that_raises_leaves_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path).prepare()
    with pytest.raises(ValueError, match="mine"), store.writing("students", KEY) as folder:
        (folder / "half").write_bytes(b"1")
        raise ValueError("mine")
    assert not store.has("students", KEY)
    assert not list((tmp_path / "tmp").iterdir())


def test_the_first_writer_of_an_entry_stays(tmp_path: Path) -> None:
    store = Store(tmp_path).prepare()
    with store.writing("speeds", KEY) as second:
        (second / "value.json").write_text("2")
        store.write_json("speeds", KEY, 1)
    assert store.read_json("speeds", KEY) == 1


def test_what_is_not_there_reads_as_none(tmp_path: Path) -> None:
    assert Store(tmp_path).read_json("speeds", KEY) is None


def test_an_unknown_kind_is_a_programming_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unknown kind"):
        Store(tmp_path).path("weights", KEY)


def test_kill_9_amid_writing_leaves_no_entry_and_the_next_process_cleans_up(tmp_path: Path) -> None:
    script = f"""
import time
from pathlib import Path
from mendel.engine.store import Store
store = Store(Path({str(tmp_path)!r})).prepare()
with store.writing("students", {KEY!r}) as folder:
    (folder / "half").write_bytes(b"x" * 1000)
    print("writing", flush=True)
    time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    assert list((tmp_path / "tmp").iterdir())
    process.send_signal(signal.SIGKILL)
    process.wait()
    store = Store(tmp_path).prepare()
    assert not store.has("students", KEY)
    assert not list((tmp_path / "tmp").iterdir())


def test_a_store_that_cannot_be_made_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"the store cannot be written: .*--store or MENDEL_STORE"):
        Store(tmp_path / "file" / "store").prepare()


def test_a_full_disk_is_said_and_keeps_what_was_done(tmp_path: Path) -> None:
    store = Store(tmp_path).prepare()
    store.write_json("speeds", KEY, 1)
    with pytest.raises(RunError, match="the disk is full"), store.writing("speeds", "cd" + KEY[2:]):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert store.read_json("speeds", KEY) == 1


def test_a_disk_that_is_full_from_the_start_is_no_wrong_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    with pytest.raises(RunError, match="the disk is full"):
        Store(tmp_path).prepare()


def test_write_atomic_replaces_whole_files(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "file.json"
    write_atomic(target, "old")
    write_atomic(target, "new")
    assert target.read_text() == "new"
    assert [file.name for file in target.parent.iterdir()] == ["file.json"]


def test_entries_of_living_processes_are_left_alone(tmp_path: Path) -> None:
    store = Store(tmp_path).prepare()
    mine = tmp_path / "tmp" / f"{socket.gethostname()}-{os.getpid()}-working"
    mine.mkdir()
    store.prepare()
    assert mine.exists()
