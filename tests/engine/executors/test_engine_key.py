"""Executors as plug-ins: opened by name, stopped where the block raises."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from mendel.engine.errors import InputError, RunError
from mendel.engine.executors import InlineExecutor, LocalExecutor, at_once, executors, open_executor


class Counting:
    """An executor that remembers what it was asked for."""

    threads = 1
    stopped = False

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def map(self, function: Callable[[Any], Any], jobs: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
        return ((job, function(job)) for job in jobs)

    def stop(self) -> None:
        self.stopped = True


@pytest.fixture
def registered() -> Iterator[str]:
    executors.register("counting")(Counting)
    yield "counting"
    executors.remove("counting")


def test_the_built_in_executors_are_opened_by_name() -> None:
    with open_executor("local", 2) as local:
        assert isinstance(local, LocalExecutor)
        assert at_once(local) == 2
    with open_executor("inline", 2) as inline:
        assert isinstance(inline, InlineExecutor)
        assert at_once(inline) == 1


def test_a_plug_in_is_made_with_the_workers_and_stopped_where_the_block_raises(registered: str) -> None:
    with open_executor(registered, 3) as executor:
        assert at_once(executor) == 3
        assert list(executor.map(str, [1, 2])) == [(1, "1"), (2, "2")]
    assert not executor.stopped  # type: ignore[attr-defined]
    with pytest.raises(KeyError), open_executor(registered, 3) as executor:
        raise KeyError
    assert executor.stopped  # type: ignore[attr-defined]


def test_an_unknown_executor_is_told_with_its_line() -> None:
    with (
        pytest.raises(InputError, match=r"study\.yaml:9: unknown executor 'lokal'. Did you mean 'local'"),
        open_executor("lokal", 1, where="study.yaml:9"),
    ):
        pass


def test_a_plug_in_that_makes_no_executor_or_fails_is_named() -> None:
    executors.register("nothing")(lambda workers: object())  # type: ignore[arg-type, return-value]
    executors.register("failing")(lambda workers: 1 // 0)  # type: ignore[arg-type, return-value]
    try:
        with (
            pytest.raises(InputError, match=r"executor 'test_engine_key/nothing': makes a object.*'threads'"),
            open_executor("nothing", 1),
        ):
            pass
        with (
            pytest.raises(RunError, match=r"executor 'test_engine_key/failing': failed: ZeroDivisionError"),
            open_executor("failing", 1),
        ):
            pass
    finally:
        executors.remove("nothing")
        executors.remove("failing")
