from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mendel.engine.errors import BudgetSpent, InputError, Waiting
from mendel.engine.progress import Tee
from mendel.engine.progress.board import FAILED_SHOWN, Board
from mendel.engine.progress.events import Interval, StudentEvent, TraitSoFar
from mendel.engine.progress.state import STATE, StateFile

HOSTILE = "\x1b]8;;http://evil.example\x07[bold red]x[/]\u202e</script>\n\x00"
STATUSES = ("waiting", "running", "ok", "broken", "failed")


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def read(folder: Path) -> dict[str, object]:
    content: dict[str, object] = json.loads((folder / STATE).read_text(encoding="utf-8"))
    return content


def trait(name: str = "t") -> TraitSoFar:
    value = Interval(0.5, 0.4, 0.6)
    return TraitSoFar(name, value, value, {"base": value, "prompts": Interval(), "teacher": value})


def test_time_left_is_at_the_speed_so_far_and_runs_down_between_steps() -> None:
    clock = Clock()
    board = Board(clock)
    board.stage("students", 10)
    assert board.snapshot()["left"] is None
    clock.now += 6
    board.step(2, "1 of 5")
    assert board.snapshot()["left"] == 24
    clock.now += 4
    assert board.snapshot()["left"] == 20
    clock.now += 100
    assert board.snapshot()["left"] is None
    board.step(8)
    assert (board.snapshot()["done"], board.snapshot()["left"]) == (1.0, 0.0)


@given(st.lists(st.tuples(st.integers(0, 30), st.sampled_from(STATUSES)), max_size=200))
def test_every_student_stands_in_one_place_and_the_last_word_counts(told: list[tuple[int, str]]) -> None:
    board = Board()
    for number, status in told:
        board.student(StudentEvent(f"s{number}", "arm", number, status, "why"))  # type: ignore[arg-type]
    counted = board.snapshot()["students"]
    last = dict(told)
    assert counted["total"] == len(last)
    assert counted["done"] == sum(status == "ok" for status in last.values())
    assert counted["failed"] == sum(status in ("broken", "failed") for status in last.values())
    assert (
        counted["done"] + counted["waiting"] + counted["failed"] + len(counted["running"]) == counted["total"]
    )


@given(st.lists(st.floats(0, 10), max_size=20), st.floats(0, 50))
@example([5e-324], 1.0)  # so little done that the time left overflows
def test_shares_stay_between_0_and_1(costs: list[float], total: float) -> None:
    board = Board()
    board.stage("s", total)
    for cost in costs:
        board.step(cost)
        assert 0 <= board.snapshot()["done"] <= 1
        json.dumps(board.snapshot(), allow_nan=False)


def test_many_failures_are_counted_and_only_some_are_named() -> None:
    board = Board()
    for number in range(3 * FAILED_SHOWN):
        board.student(StudentEvent(str(number), "arm", 0, "failed", "why"))
    counted = board.snapshot()["students"]
    assert (counted["failed"], len(counted["failures"])) == (3 * FAILED_SHOWN, FAILED_SHOWN)


def test_hostile_names_are_inert_and_short(tmp_path: Path) -> None:
    with StateFile(tmp_path, HOSTILE) as state:
        state.stage(HOSTILE * 100, 1)
        state.step(1, HOSTILE)
        state.student(StudentEvent("a", HOSTILE, 0, "broken", HOSTILE * 1000))
        state.effects([trait(HOSTILE)])
    text = (tmp_path / STATE).read_text(encoding="utf-8")
    assert not any(character in text.rstrip("\n") for character in "\x1b\x07\x00\u202e\n")
    assert "\\u001b" not in text
    assert len(text) < 5000


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (None, "finished"),
        (KeyboardInterrupt(), "interrupted"),
        (SystemExit(1), "interrupted"),
        (BudgetSpent("5 students are spent"), "stopped by its budget"),
        (Waiting("send the batch"), "waiting"),
        (InputError("no such file"), "failed"),
        (ValueError("a bug"), "failed"),
    ],
)
def test_the_file_says_how_the_run_ended(tmp_path: Path, error: BaseException | None, status: str) -> None:
    def go() -> None:
        with StateFile(tmp_path, "mini") as state:
            state.student(StudentEvent("a", "arm", 0, "running"))
            if error is not None:
                raise error

    if error is None:
        go()
    else:
        with pytest.raises(type(error)):
            go()
    found = read(tmp_path)
    assert found["status"] == status
    assert str(error or "") in str(found["why"]) or status == "interrupted"
    assert found["students"]["running"] == []  # type: ignore[index]
    assert found["pid"] == os.getpid()
    assert [file.name for file in tmp_path.iterdir() if file.name != "store"] == [STATE]


def test_a_thousand_events_are_few_writes_and_the_last_one_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes = []
    from mendel.engine.progress import state as module

    real = module.write_atomic
    monkeypatch.setattr(module, "write_atomic", lambda *a, **k: (writes.append(1), real(*a, **k)))
    began = time.monotonic()
    with StateFile(tmp_path, "mini", every=0.2) as state:
        state.stage("students", 1000)
        for number in range(1000):
            state.step(1, f"{number + 1} of 1000")
        told = time.monotonic() - began
        deadline = time.monotonic() + 5
        while read(tmp_path)["label"] != "1000 of 1000" and time.monotonic() < deadline:
            time.sleep(0.02)
        assert read(tmp_path)["label"] == "1000 of 1000"
        assert read(tmp_path)["status"] == "running"
    assert len(writes) <= 6
    assert told < 1


def test_an_idle_run_still_shows_that_it_lives(tmp_path: Path) -> None:
    with StateFile(tmp_path, "mini", every=0.01, heartbeat=0.05):
        first = read(tmp_path)["written"]
        deadline = time.monotonic() + 5
        while read(tmp_path)["written"] == first and time.monotonic() < deadline:
            time.sleep(0.02)
        assert read(tmp_path)["written"] != first


def test_a_file_that_cannot_be_written_is_warned_of_once_and_breaks_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / STATE).mkdir()
    (tmp_path / STATE / "in the way").touch()
    with StateFile(tmp_path, "mini", every=0.01) as state:
        for _ in range(20):
            state.stage("students", 1)
            time.sleep(0.01)
    assert [record.message.count("cannot be written") for record in caplog.records] == [1]


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    seen, over = [], threading.Event()

    def look() -> None:
        while not over.is_set():
            seen.append(read(tmp_path)["status"])

    with StateFile(tmp_path, "mini", every=0.001) as state:
        reader = threading.Thread(target=look)
        reader.start()
        state.stage("students", 300)
        for number in range(300):
            state.student(StudentEvent(f"s{number}", "arm" * 20, 0, "failed", "why" * 50))
            state.step(1)
            time.sleep(0.001)
        over.set()
        reader.join()
    assert len(seen) > 5
    assert set(seen) == {"running"}


def test_a_tee_tells_all_of_everything() -> None:
    first, second = Board(), Board()
    tee = Tee(first, second)
    tee.stage("students", 2)
    tee.step(1, "1 of 2")
    tee.student(StudentEvent("a", "arm", 0, "ok"))
    tee.effects([trait()])
    tee.close()
    for board in (first, second):
        state = board.snapshot()
        assert (state["done"], state["students"]["done"], list(state["effects"])) == (0.5, 1, ["t"])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = ("estimate", "low", "high", "original", "alternate", "effects", "unit", "carrier", "base")


@given(
    st.dictionaries(st.sampled_from(KEYS), json_values | st.dictionaries(st.sampled_from(KEYS), json_values))
)
def test_whatever_stands_there_is_read_as_a_trait(content: dict[str, object]) -> None:
    one = TraitSoFar.read("t", content)
    assert one.unit > 0
    json.dumps(one.json(), allow_nan=False)
    assert TraitSoFar.read("t", one.json()) == one
