from __future__ import annotations

import random
import threading
from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mendel.engine.budget import Budget, Reservation, Spent, Tokens
from mendel.engine.errors import BudgetSpent

COSTS = st.tuples(st.floats(0, 0.01), st.integers(0, 50), st.integers(0, 50))
STEPS = st.lists(
    st.tuples(st.sampled_from(["reserve", "settle", "keep", "give_back"]), COSTS, st.integers(0, 63))
)


@given(
    steps=STEPS,
    dollars=st.none() | st.floats(0, 0.05),
    tokens=st.none() | st.integers(1, 300),
    requests=st.none() | st.integers(1, 12),
)
def test_no_interleaving_exceeds_a_limit(
    steps: list[tuple[str, tuple[float, int, int], int]],
    dollars: float | None,
    tokens: int | None,
    requests: int | None,
) -> None:
    budget, flying, sent = Budget(dollars, tokens, requests), list[Reservation](), 0
    for action, (cost, prompt, answer), which in steps:
        if action == "reserve":
            try:
                flying.append(budget.reserve(cost, Tokens(prompt, answer)))
                sent += 1
            except BudgetSpent:
                continue
        elif flying:
            done = flying.pop(which % len(flying))
            if action == "settle":
                used = Tokens(min(prompt, done.tokens.prompt), min(answer, done.tokens.answer))
                budget.settle(done, used, min(cost, done.dollars or 0.0))
            else:
                getattr(budget, action)(done)
        spent = budget.spent
        held = sum((one.tokens for one in flying), Tokens())
        assert spent.requests == sent
        assert requests is None or sent <= requests
        assert tokens is None or (spent.tokens + held).total <= tokens
        if dollars is not None:
            assert spent.dollars is not None
            assert Fraction(spent.dollars) <= Fraction(dollars)
            assert budget.in_flight == len(flying)


def test_many_threads_keep_to_the_limits() -> None:
    budget = Budget(dollars=1.0, tokens=5_000, requests=400)

    def spend(seed: int) -> None:
        rng = random.Random(seed)
        for _ in range(200):
            try:
                held = budget.reserve(0.01, Tokens(10, 20))
            except BudgetSpent:
                continue
            if rng.random() < 0.5:
                budget.settle(held, Tokens(5, rng.randint(0, 20)), 0.004)
            else:
                rng.choice([budget.keep, budget.give_back])(held)

    threads = [threading.Thread(target=spend, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spent = budget.spent
    assert spent.dollars is not None
    assert (spent.dollars <= 1.0, spent.tokens.total <= 5_000, spent.requests <= 400) == (True, True, True)
    assert budget.in_flight == 0


@pytest.mark.parametrize(
    ("end", "spent"),
    [
        (lambda budget, held: budget.settle(held, Tokens(3, 4), 0.25), Spent(0.25, Tokens(3, 4), 1)),
        (lambda budget, held: budget.keep(held), Spent(0.5, Tokens(10, 20), 1)),
        (lambda budget, held: budget.give_back(held), Spent(0.0, Tokens(), 1)),
    ],
)
def test_a_request_counts_with_what_it_cost_its_worst_case_or_nothing(
    end: Callable[[Budget, Reservation], None], spent: Spent
) -> None:
    budget = Budget()
    end(budget, budget.reserve(0.5, Tokens(10, 20)))
    assert budget.spent == spent


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        (Budget(dollars=0.3), r"budget\.dollars: .*\$0\.2 of \$0\.3 spent or set aside.*up to \$0\.2"),
        (Budget(tokens=50), r"budget\.tokens: .*30 of 50 spent or set aside.*up to 30"),
        (Budget(requests=1), r"budget\.requests: .*1 of 1 spent"),
    ],
)
def test_a_spent_budget_names_the_limit_what_is_spent_and_what_comes_next(budget: Budget, words: str) -> None:
    budget.reserve(0.2, Tokens(10, 20))
    with pytest.raises(BudgetSpent, match=words) as caught:
        budget.reserve(0.2, Tokens(10, 20))
    assert caught.value.exit_code == 3
    assert budget.spent.requests == 1


def test_tenths_add_up_to_the_whole() -> None:
    budget = Budget(dollars=0.25)
    for _ in range(2):
        budget.settle(budget.reserve(0.125, Tokens()), Tokens(), 0.125)
    assert budget.spent.dollars == 0.25


def test_an_unknown_price_is_not_nothing() -> None:
    budget = Budget(tokens=100)
    budget.settle(budget.reserve(None, Tokens(1, 1)), Tokens(1, 1), None)
    assert budget.spent.dollars is None
    with pytest.raises(BudgetSpent, match="unknown sum"):
        Budget(dollars=1.0).reserve(None, Tokens(1, 1))


def test_a_reservation_ends_once() -> None:
    budget = Budget()
    held = budget.reserve(0.1, Tokens(1, 1))
    budget.keep(held)
    with pytest.raises(ValueError, match="already closed"):
        budget.give_back(held)
