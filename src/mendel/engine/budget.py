"""A budget of dollars, tokens and requests that cannot be exceeded: a request's worst case is reserved before
it is sent."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

from mendel.engine.errors import BudgetSpent


@dataclass(frozen=True)
class Tokens:
    """Numbers of tokens of one or many requests."""

    prompt: int = 0
    answer: int = 0

    @property
    def total(self) -> int:
        """Tokens of prompt and answer together."""
        return self.prompt + self.answer

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(self.prompt + other.prompt, self.answer + other.answer)

    def __sub__(self, other: Tokens) -> Tokens:
        return Tokens(self.prompt - other.prompt, self.answer - other.answer)


@dataclass(frozen=True)
class Spent:
    """What was spent. Requests whose outcome is unknown count with their worst case."""

    dollars: float | None = 0.0
    """US dollars. None once a request was sent whose price is unknown."""
    tokens: Tokens = Tokens()
    requests: int = 0
    """Requests that were sent, including those that failed."""
    cached: int = 0
    """Answers that the store had already and that cost nothing."""


@dataclass(frozen=True, eq=False)
class Reservation:
    """The worst case of one request in flight."""

    dollars: float | None
    tokens: Tokens


@dataclass
class _Account:
    # Fractions, because rounding in a sum of floats could exceed a budget or refuse a request for nothing.
    dollars: Fraction = Fraction(0)
    tokens: Tokens = Tokens()
    unpriced: bool = False

    def add(self, dollars: float | None, tokens: Tokens) -> None:
        self.dollars += Fraction(dollars or 0)
        self.tokens += tokens
        self.unpriced |= dollars is None

    def subtract(self, dollars: float | None, tokens: Tokens) -> None:
        self.dollars -= Fraction(dollars or 0)
        self.tokens -= tokens


@dataclass
class Budget:
    """The limits of one command, shared by all its endpoints and threads. None is no limit.

    A request is reserved with its worst case before it is sent. It ends in one of three ways: `settle` with
    its true cost, `give_back` if it was certainly not charged, or `keep` if that is unknown. While no request
    costs more than its worst case, the sum of what is spent and reserved never exceeds a limit.

    Args:
        dollars: Limit of US dollars.
        tokens: Limit of tokens, prompts and answers together.
        requests: Limit of requests.
    """

    dollars: float | None = None
    tokens: int | None = None
    requests: int | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _spent: _Account = field(default_factory=_Account, repr=False)
    _held: _Account = field(default_factory=_Account, repr=False)
    _open: set[Reservation] = field(default_factory=set, repr=False)
    _sent: int = field(default=0, repr=False)
    _cached: int = field(default=0, repr=False)

    def reserve(self, dollars: float | None, tokens: Tokens) -> Reservation:
        """Reserve the worst case of one request.

        Args:
            dollars: The most that the request can cost, in US dollars; None where the price is unknown.
            tokens: The most tokens that the request can take.

        Raises:
            BudgetSpent: A limit could be exceeded. Nothing is reserved. While other requests are in flight,
                the same reservation may fit later.
        """
        with self._lock:
            self._refuse_unless_it_fits(dollars, tokens)
            reservation = Reservation(dollars, tokens)
            self._open.add(reservation)
            self._held.add(dollars, tokens)
            self._sent += 1
            return reservation

    def settle(self, reservation: Reservation, tokens: Tokens, dollars: float | None) -> None:
        """End a reservation of a request that was answered, with its true cost."""
        self._close(reservation, lambda: self._spent.add(dollars, tokens))

    def keep(self, reservation: Reservation) -> None:
        """End a reservation of a request that may have been charged (a time-out, a cut answer): its worst
        case is spent."""
        self._close(reservation, lambda: self._spent.add(reservation.dollars, reservation.tokens))

    def give_back(self, reservation: Reservation) -> None:
        """End a reservation of a request that was certainly not charged: it counts as a request, but costs
        nothing."""
        self._close(reservation, lambda: None)

    def count_cached(self, answers: int = 1) -> None:
        """Count answers that the store had already."""
        with self._lock:
            self._cached += answers

    @property
    def in_flight(self) -> int:
        """The number of open reservations."""
        with self._lock:
            return len(self._open)

    @property
    def spent(self) -> Spent:
        """What is spent so far, without open reservations."""
        with self._lock:
            dollars = None if self._spent.unpriced else float(self._spent.dollars)
            return Spent(dollars, self._spent.tokens, self._sent, self._cached)

    def _close(self, reservation: Reservation, book: Callable[[], None]) -> None:
        with self._lock:
            if reservation not in self._open:
                raise ValueError("this reservation is already closed, or belongs to another budget")
            self._open.remove(reservation)
            self._held.subtract(reservation.dollars, reservation.tokens)
            book()

    def _refuse_unless_it_fits(self, dollars: float | None, tokens: Tokens) -> None:
        if self.requests is not None and self._sent + 1 > self.requests:
            raise _refusal("requests", str(self.requests), str(self._sent), "1")
        taken = self._spent.tokens + self._held.tokens
        if self.tokens is not None and taken.total + tokens.total > self.tokens:
            raise _refusal("tokens", f"{self.tokens:,}", f"{taken.total:,}", f"{tokens.total:,}")
        if self.dollars is None:
            return
        if dollars is None:
            raise _refusal("dollars", f"${self.dollars:g}", "an unknown sum", "an unknown sum")
        sum_ = self._spent.dollars + self._held.dollars
        if sum_ + Fraction(dollars) > Fraction(self.dollars):
            raise _refusal("dollars", f"${self.dollars:g}", f"${float(sum_):.6g}", f"${dollars:.6g}")


def _refusal(limit: str, allowed: str, spent: str, next_: str) -> BudgetSpent:
    return BudgetSpent(
        f"the budget of {limit} is spent: {spent} of {allowed} spent or set aside, and the next request "
        f"could cost up to {next_}",
        where=f"budget.{limit}",
        fix=f"Raise 'budget: {{{limit}: …}}' and run the same command: answers that are there are not "
        "paid for again.",
    )
