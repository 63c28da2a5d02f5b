from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mendel.engine.errors import InputError
from mendel.engine.store.answers import FILE, AnswerCache

WRITER = """
import sys, time
from pathlib import Path
from mendel.engine.store.answers import AnswerCache
cache = AnswerCache(Path(sys.argv[1]))
for number in range(int(sys.argv[3])):
    cache.put("chat", f"{sys.argv[2]}{number}", {"n": number})
    print(number, flush=True)
time.sleep(float(sys.argv[4]))
"""


def writer(store: Path, name: str, n: int, then: float = 0.0) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(store), name, str(n), str(then)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_a_value_comes_back_as_it_was_put_and_kinds_are_apart(tmp_path: Path) -> None:
    cache = AnswerCache(tmp_path)
    value = {"text": "ä\ud800 ☃", "number": 0.1, "none": None, "list": [1, True]}
    cache.put("chat", "k", value)
    cache.put("judge", "k", 0.5)
    assert (cache.get("chat", "k"), cache.get("judge", "k"), cache.get("chat", "other")) == (value, 0.5, None)
    cache.close()
    assert AnswerCache(tmp_path).get("chat", "k") == value


def test_the_first_value_of_a_key_stays(tmp_path: Path) -> None:
    cache = AnswerCache(tmp_path)
    cache.put("chat", "k", 1)
    cache.put("chat", "k", 2)
    assert cache.get("chat", "k") == 1


def test_many_are_found_at_once(tmp_path: Path) -> None:
    cache = AnswerCache(tmp_path)
    for number in range(1200):
        cache.put("chat", str(number), number)
    asked = [str(number) for number in range(0, 2400, 2)]
    assert cache.get_many("chat", asked) == {str(number): number for number in range(0, 1200, 2)}
    assert cache.get_many("chat", []) == {}


def test_what_was_put_outlives_a_killed_process(tmp_path: Path) -> None:
    with writer(tmp_path, "a", 50, then=60) as process:
        assert process.stdout is not None
        for _ in range(50):
            process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
    assert len(AnswerCache(tmp_path).get_many("chat", [f"a{n}" for n in range(50)])) == 50


def test_processes_and_threads_write_side_by_side(tmp_path: Path) -> None:
    cache = AnswerCache(tmp_path)

    def write(name: str) -> None:
        for number in range(100):
            cache.put("chat", f"{name}{number}", number)

    threads = [threading.Thread(target=write, args=(name,)) for name in "cd"]
    with writer(tmp_path, "a", 100) as first, writer(tmp_path, "b", 100) as second:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for process in (first, second):
            process.communicate()
    assert (first.returncode, second.returncode) == (0, 0)
    assert len(cache.get_many("chat", [f"{name}{n}" for name in "abcd" for n in range(100)])) == 400


def test_a_damaged_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"no database at all, but long enough to be read as one" * 40)
    with pytest.raises(InputError, match=r"damaged.*Remove .*answers\.sqlite \(and answers\.sqlite-wal"):
        AnswerCache(tmp_path).get("chat", "k")


def test_a_value_that_is_no_json_is_damage_too(tmp_path: Path) -> None:
    cache = AnswerCache(tmp_path)
    cache.put("chat", "k", 1)
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.execute("UPDATE answers SET value = '{half'")
    connection.close()
    with pytest.raises(InputError, match="no JSON"):
        cache.get("chat", "k")


def test_a_page_overwritten_in_the_middle_is_damage(tmp_path: Path) -> None:
    cache = AnswerCache(tmp_path)
    for number in range(2000):
        cache.put("chat", f"{number:05}", "x" * 100)
    cache.close()
    file = tmp_path / FILE
    data = bytearray(file.read_bytes())
    data[4096 : len(data) - 4096] = b"\xff" * (len(data) - 8192)
    file.write_bytes(data)
    with pytest.raises(InputError, match="damaged"):
        AnswerCache(tmp_path).get_many("chat", [f"{number:05}" for number in range(2000)])


def test_a_store_that_is_a_file_is_an_error_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("")
    with pytest.raises(Exception, match="store"):
        AnswerCache(tmp_path / "store").get("chat", "k")
