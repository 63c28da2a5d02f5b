from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from _dated import checkpoint, contrast, user
from mendel.data.selectors import (
    Answer,
    Candidate,
    Context,
    ContrastSet,
    scoring,
    select,
    selector,
    selectors,
)
from mendel.engine.errors import InputError, RunError
from mendel.engine.store import Store
from mendel.study.schema import SelectConfig

CALLS: list[int] = []
"""The sizes of the batches that `test-counted` was called with."""


@selector("test-counted")
def counted(candidates: Sequence[Candidate], context: Context) -> list[float]:
    CALLS.append(len(candidates))
    return [float(len(candidate.completion)) for candidate in candidates]


@pytest.fixture(autouse=True)
def _no_calls() -> None:
    CALLS.clear()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "kept").prepare()


def rows(n: int) -> list[Candidate]:
    return [Candidate(f"p{k}", user(f"what is {k}"), "a" * (k % 7)) for k in range(n)]


def judged(by: Callable[[Candidate], object]) -> Context:
    return Context(SelectConfig(), judge=lambda batch: [by(c) for c in batch])  # type: ignore[misc]


COUNTED = Context(SelectConfig(by="test-counted"))


@pytest.mark.parametrize("batch", [1, 2, 3, 7, 20, 512])
def test_batches_do_not_matter(batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = select(rows(20), COUNTED)
    monkeypatch.setattr(scoring, "BATCH", batch)
    CALLS.clear()
    assert list(select(rows(20), COUNTED).items()) == list(whole.items())
    assert sum(CALLS) == 20
    assert max(CALLS) <= batch


class Watched(Candidate):
    """A candidate of which one can see whether anybody still holds it."""


def test_never_more_than_a_batch_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "BATCH", 4)
    alive: list[weakref.ref[Candidate]] = []
    most = 0

    def stream() -> Iterator[Candidate]:
        nonlocal most
        for k in range(30):
            row = Watched(f"p{k}", user("what"), "a")
            alive.append(weakref.ref(row))
            most = max(most, sum(there() is not None for there in alive))
            yield row
            del row

    assert len(select(stream(), COUNTED)) == 30
    assert most == 4


def test_a_stream_is_not_read_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "BATCH", 4)
    read: list[str] = []
    seen: list[int] = []

    def stream() -> Iterator[Candidate]:
        for row in rows(10):
            read.append(row.prompt_id)
            yield row

    def by(candidate: Candidate) -> float:
        seen.append(len(read))
        return 0.0

    select(stream(), judged(by))
    assert seen == [4] * 4 + [8] * 4 + [10] * 2


def test_an_empty_stream_has_no_scores_and_asks_nobody(store: Store) -> None:
    assert select(iter(()), COUNTED, store) == {}
    assert CALLS == []


def test_scores_come_from_the_store_the_second_time(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "BATCH", 8)
    first = select(rows(20), COUNTED, store)
    assert CALLS == [8, 8, 4]
    assert list(select(iter(rows(20)), COUNTED, store).items()) == list(first.items())
    assert CALLS == [8, 8, 4]


def test_an_interrupted_selection_goes_on(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "BATCH", 8)
    select(rows(16), COUNTED, store)
    select(rows(20), COUNTED, store)
    assert CALLS == [8, 8, 4]


@pytest.mark.parametrize(
    "changed",
    [
        Candidate("q", user("what is 0"), "", None),
        Candidate("p0", user("what is it"), "", None),
        Candidate("p0", user("what is 0"), "b", None),
        Candidate("p0", user("what is 0"), "", "b"),
        Candidate("p0", user("what is 0"), "", None, "forum"),
    ],
)
def test_a_changed_row_is_scored_again(changed: Candidate, store: Store) -> None:
    select([Candidate("p0", user("what is 0"), "")], COUNTED, store)
    select([changed], COUNTED, store)
    assert CALLS == [1, 1]


BASE = Context(
    SelectConfig(by="test-counted"),
    judge_id="one",
    scenarios=(user("which year"),),
    contrast=contrast(2),
    base=checkpoint(),
    teachers=(checkpoint("teachers/original"), checkpoint("teachers/alternate")),
)
OTHERS = {
    "judge": replace(BASE, judge_id="other"),
    "base": replace(BASE, base=checkpoint("bases/alternate")),
    "no base": replace(BASE, base=None),
    "layer": replace(BASE, config=SelectConfig(by="test-counted", layer=1)),
    "pattern": replace(BASE, config=SelectConfig(by="test-counted", pattern="a")),
    "contrast": replace(BASE, contrast=contrast(2, seed=1)),
    "turned contrast": replace(BASE, contrast=ContrastSet(BASE.contrast.clean, BASE.contrast.shows)),
    "contrast's prompt": replace(BASE, contrast=ContrastSet((Answer(user("x"), "a"),), ())),
    "seed": replace(BASE, seed=1),
    "scenarios": replace(BASE, scenarios=(user("what year"),)),
    "teachers": replace(BASE, teachers=(checkpoint("teachers/alternate"), checkpoint("teachers/original"))),
}


@pytest.mark.parametrize("name", OTHERS)
def test_whatever_a_score_may_depend_on_gives_it_another_name(name: str, store: Store) -> None:
    assert OTHERS[name].key != BASE.key
    select(rows(3), BASE, store)
    select(rows(3), OTHERS[name], store)
    assert CALLS == [3, 3]


def test_all_these_names_differ() -> None:
    assert len({context.key for context in OTHERS.values()}) == len(OTHERS)


@pytest.mark.parametrize("cut", [{"share": 0.2}, {"threshold": 3.0}])
def test_how_scores_are_cut_does_not(cut: dict[str, float], store: Store) -> None:
    select(rows(3), BASE, store)
    config = SelectConfig(by="test-counted", **cut)  # type: ignore[arg-type]
    select(rows(3), replace(BASE, config=config), store)
    assert CALLS == [3]


def test_a_replaced_context_makes_its_own() -> None:
    assert BASE.once("thing", lambda: 1) == 1
    assert BASE.once("thing", lambda: 2) == 1
    assert replace(BASE, seed=5).once("thing", lambda: 2) == 2


def test_a_selector_that_fails_is_named_with_the_prompt() -> None:
    with pytest.raises(RunError) as caught:
        select(rows(3), judged(lambda c: 1 / (len(c.completion) - 1)), where="study.yaml:4")
    assert str(caught.value) == (
        "study.yaml:4: selector 'judge' failed on the rollout of prompt 'p1': ZeroDivisionError: division "
        "by zero"
    )


def test_a_plug_in_that_fails_is_named_with_its_module() -> None:
    @selector("failing")
    def failing(candidates: Sequence[Candidate], context: Context) -> list[float]:
        raise KeyError("x")

    try:
        with pytest.raises(RunError, match=f"prompt 'p0': KeyError: 'x'. Correct {__name__}, or"):
            select(rows(1), Context(SelectConfig(by="failing")))
    finally:
        selectors.remove("failing")


def test_a_failed_batch_is_not_kept(store: Store) -> None:
    fails = True

    def by(candidate: Candidate) -> float:
        if fails:
            raise KeyError("x")
        return 1.0

    context = judged(by)
    with pytest.raises(RunError, match="failed on the rollout of prompt 'p0': KeyError: 'x'"):
        select(rows(2), context, store)
    fails = False
    assert select(rows(2), context, store) == {"p0": 1.0, "p1": 1.0}


def test_an_error_of_mendels_own_is_not_wrapped() -> None:
    def by(candidate: Candidate) -> float:
        raise InputError("no such trait")

    with pytest.raises(InputError) as caught:
        select(rows(2), judged(by))
    assert str(caught.value) == "no such trait"


@pytest.mark.parametrize("none", [None, float("nan"), float("inf"), float("-inf")])
def test_a_prompt_without_a_score_is_named(none: float | None, store: Store) -> None:
    with pytest.raises(InputError, match="selector 'judge' gives prompt 'p1' no score") as caught:
        select(rows(3), judged(lambda c: none if c.prompt_id == "p1" else 1.0), store)
    assert "leave the prompt out, or take another selector" in str(caught.value)


def test_a_prompt_that_stands_twice_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for batch in (512, 2):
        monkeypatch.setattr(scoring, "BATCH", batch)
        with pytest.raises(InputError) as caught:
            select([*rows(5), *rows(1)], COUNTED, where="study.yaml:4")
        assert str(caught.value) == (
            "study.yaml:4: a prompt is scored twice (got 'p0'). Give every prompt an id of its own."
        )


def test_an_unknown_selector_says_which_was_meant() -> None:
    with pytest.raises(InputError) as caught:
        select(rows(1), Context(SelectConfig(by="keywords", pattern="a")), where="study.yaml:4")
    assert str(caught.value) == "study.yaml:4: unknown selector 'keywords'. Did you mean 'keyword'?"


@selector("test-too-few")
def too_few(candidates: Sequence[Candidate], context: Context) -> list[float]:
    return [1.0]


@selector("test-none")
def none(candidates: Sequence[Candidate], context: Context) -> list[float | None]:
    return [None for _ in candidates]


@selector("test-only-together")
def only_together(candidates: Sequence[Candidate], context: Context) -> list[float]:
    if len(candidates) > 1:
        raise KeyError("x")
    return [1.0]


def test_ones_own_selector_takes_part_and_its_slips_are_named() -> None:
    assert select(rows(1), Context(SelectConfig(by="test-too-few"))) == {"p0": 1.0}
    with pytest.raises(RunError) as caught:
        select(rows(2), Context(SelectConfig(by="test-too-few")))
    assert str(caught.value) == (
        "selector 'test-too-few' returned 1 scores for 2 prompts. It must return one score a candidate, in "
        "their order."
    )
    with pytest.raises(RunError, match="selector 'test-only-together' failed: KeyError: 'x'"):
        select(rows(2), Context(SelectConfig(by="test-only-together")))
    with pytest.raises(InputError, match="selector 'test-none' gives prompt 'p0' no score"):
        select(rows(2), Context(SelectConfig(by="test-none")))


class Caller:
    """A selector that is an object: its source does not say what it holds."""

    def __call__(self, candidates: Sequence[Candidate], context: Context) -> list[float]:
        return counted(candidates, context)


def closure(add: float) -> Callable[[Sequence[Candidate], Context], list[float]]:
    def closed(candidates: Sequence[Candidate], context: Context) -> list[float]:
        return [score + add for score in counted(candidates, context)]

    return closed


def unreadable() -> Callable[[Sequence[Candidate], Context], list[float]]:
    names: dict[str, object] = {"counted": counted, "__name__": "nowhere"}
    exec("def typed(candidates, context): return counted(candidates, context)", names)
    return names["typed"]  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("name", "make"), [("object", Caller), ("closure", lambda: closure(1.0)), ("unreadable", unreadable)]
)
def test_scores_of_a_selector_that_nobody_can_read_are_not_kept(
    name: str, make: Callable[[], object], store: Store
) -> None:
    selector(f"test-{name}")(make())  # type: ignore[arg-type]
    context = Context(SelectConfig(by=f"test-{name}"))
    first = select(rows(3), context, store)
    assert select(rows(3), context, store) == first
    assert CALLS == [3, 3]
