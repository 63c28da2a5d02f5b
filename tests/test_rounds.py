"""How a round's students are told of."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mendel._rounds import Queue
from mendel.engine.board import Board


@given(st.integers(0, 12), st.integers(1, 4), st.randoms(use_true_random=False))
def test_whatever_the_order_in_which_they_end_all_students_are_told_of_rightly(
    count: int, at_once: int, order: random.Random
) -> None:
    board = Board()
    places: Any = {f"s{i}": (SimpleNamespace(name="arm"), i) for i in range(count)}
    queue, names = Queue(board, places, at_once), list(places)
    order.shuffle(names)
    for done, name in enumerate(names, 1):
        status = order.choice(["ok", "broken", "failed"])
        queue.done(name, status, "why")
        counted = board.snapshot()["students"]
        assert counted["done"] + counted["failed"] == done
        assert len(counted["running"]) <= at_once
        assert counted["total"] == count
    counted = board.snapshot()["students"]
    assert (counted["waiting"], counted["running"]) == (0, [])
