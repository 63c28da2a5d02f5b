"""Which students are trained side by side, and how they are told of."""

from __future__ import annotations

import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mendel.engine.executors import InlineExecutor
from mendel.engine.progress.board import Board
from mendel.engine.store import Store
from mendel.study import RecipeConfig
from mendel.workflow import fleets as _fleets
from mendel.workflow.fleets import FULL_PASS, MOST, TOKEN, Queue, in_fleets

RECIPES = [
    RecipeConfig(method="lora"),
    RecipeConfig(method="lora", rank=4),
    RecipeConfig(method="lora", trainer="trl"),
    RecipeConfig(method="full"),
]


@given(st.lists(st.integers(1, 3), max_size=8), st.integers(1, 4), st.randoms(use_true_random=False))
def test_whatever_the_order_in_which_they_end_all_students_are_told_of_rightly(
    sizes: list[int], at_once: int, order: random.Random
) -> None:
    board = Board()
    fleets = [[f"s{number}.{place}" for place in range(size)] for number, size in enumerate(sizes)]
    names = [name for fleet in fleets for name in fleet]
    places: Any = {name: (SimpleNamespace(name="arm"), 0) for name in names}
    queue = Queue(board, places, fleets, at_once)
    order.shuffle(names)
    for done, name in enumerate(names, 1):
        status = order.choice(["ok", "broken", "failed"])
        queue.done(name, status, "why")
        counted = board.snapshot()["students"]
        assert counted["done"] + counted["failed"] == done
        assert counted["total"] == len(names)
    counted = board.snapshot()["students"]
    assert (counted["waiting"], counted["running"]) == (0, [])


def test_a_whole_fleet_is_under_way_at_once() -> None:
    board = Board()
    fleets = [["a", "b"], ["c"], ["d", "e"]]
    places: Any = {name: (SimpleNamespace(name="arm"), 0) for name in "abcde"}
    queue = Queue(board, places, fleets, 2)

    def running() -> set[str]:
        return {student["student"] for student in board.snapshot()["students"]["running"]}

    assert running() == {"a", "b", "c"}
    queue.done("c", "ok", "")
    assert running() == {"a", "b", "d", "e"}
    queue.done("a", "ok", "")
    assert running() == {"b", "d", "e"}


def job(number: int, recipe: RecipeConfig, store: Path, base: str = "base", tokens: int = 8) -> Any:
    row = SimpleNamespace(
        messages=[{"role": "user", "content": "word" * (tokens - 1)}], completion="x" * TOKEN
    )
    rows = [row] * 20
    spec = SimpleNamespace(
        digest=f"{number:064x}", recipe=recipe, base=SimpleNamespace(digest=base), rows=rows
    )
    return SimpleNamespace(spec=spec, store=store)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["one", "other"])), max_size=40),
    st.integers(1, 8),
    st.booleans(),
)
def test_a_fleet_has_one_base_and_one_recipe_of_adapters_and_nobody_is_left_out(
    chosen: list[tuple[int, str]], workers: int, gpu: bool
) -> None:
    jobs = [job(n, RECIPES[recipe], Path("/nowhere"), base) for n, (recipe, base) in enumerate(chosen)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_fleets, "has_gpu", lambda: gpu)
        fleets = in_fleets(jobs, workers)
    assert sorted(job.spec.digest for fleet in fleets for job in fleet) == [job.spec.digest for job in jobs]
    firsts = [fleet[0].spec.digest for fleet in fleets]
    assert firsts == sorted(firsts)
    for fleet in fleets:
        assert len({(job.spec.base.digest, job.spec.recipe) for job in fleet}) == 1
        recipe = fleet[0].spec.recipe
        flies = recipe.method == "lora" and recipe.trainer == "fleet"
        assert len(fleet) <= (MOST if flies else 1)
    alike = sum(recipe == 0 and base == "one" for recipe, base in chosen)
    groups = sum(
        fleet[0].spec.recipe == RECIPES[0] and fleet[0].spec.base.digest == "one" for fleet in fleets
    )
    assert groups >= min(alike, workers) / 2  # no worker is idle for want of a group


@pytest.mark.parametrize("where", ["cpu", "gpu"])
def test_a_step_that_fills_a_pass_needs_no_company(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_fleets, "has_gpu", lambda: where == "gpu")
    recipe = RecipeConfig(method="lora", batch_size=8)

    def size(tokens: int) -> int:
        jobs = [job(number, recipe, Path("/nowhere"), tokens=tokens) for number in range(64)]
        return len(in_fleets(jobs, 2)[0])

    fitting = FULL_PASS[where] // 8
    assert size(fitting) == size(fitting * 4) == 1
    assert size(fitting // 2) == 2
    assert size(max(1, fitting // 1000)) == min(MOST, FULL_PASS[where] // (8 * max(1, fitting // 1000)))


def test_what_the_store_has_stands_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_fleets, "has_gpu", lambda: True)
    jobs = [job(number, RECIPES[0], tmp_path) for number in range(5)]
    with Store(tmp_path).prepare().writing("students", jobs[2].spec.digest):
        pass
    assert [[job.spec.digest[-1] for job in fleet] for fleet in in_fleets(jobs, 1)] == [list("0134"), ["2"]]


def test_who_stops_at_a_fleets_end_has_all_students_that_are_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = SimpleNamespace(status="ok", reason="")
    monkeypatch.setattr(_fleets, "make_students", lambda fleet: [done] * len(fleet))
    monkeypatch.setattr(_fleets, "has_gpu", lambda: True)
    jobs = [job(number, RECIPES[number % 2], tmp_path) for number in range(7)]
    places: Any = {job.spec.digest: (SimpleNamespace(name="arm"), 0) for job in jobs}
    made = _fleets.train_fleets({job.spec.digest: job for job in jobs}, places, InlineExecutor(), Board())
    seen = [(job.spec.digest[-1], last) for job, _, last in made]
    assert seen == [
        *(("0", False), ("2", False), ("4", False), ("6", True)),
        *(("1", False), ("3", False), ("5", True)),
    ]
