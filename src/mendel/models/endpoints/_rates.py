"""Requests and tokens a minute: never more than the number within any minute, bursts included."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiolimiter import AsyncLimiter

BURST = 0.1
"""Share of a minute's tokens that may come at once."""


class Rates:
    """Waits before a request until it may be sent; None is no limit. `minute` is in seconds, shorter in tests."""

    def __init__(self, requests: float | None, tokens: float | None, minute: float = 60.0) -> None:
        self._requests: AsyncLimiter | None = None
        self._tokens: AsyncLimiter | None = None
        self._unused = 0.0
        if requests is not None or tokens is not None:
            from aiolimiter import AsyncLimiter
        if requests is not None:
            # A leaky bucket lets its size through at once and its rate on top, up to twice the number in the first
            # minute; with a bucket of one, requests are spaced evenly and every minute keeps to the number.
            self._requests = AsyncLimiter(1, minute / requests)
        if tokens is not None:
            # For the same reason: a bucket of a tenth, and two tenths less than the rate (the other one is `_unused`).
            size = tokens * BURST
            self._tokens = AsyncLimiter(size, minute * BURST / (1 - 2 * BURST))

    async def wait(self, tokens: int) -> None:
        """Until one request of at most so many tokens may be sent."""
        if self._tokens is not None:
            fresh = max(0.0, tokens - self._unused)
            self._unused -= tokens - fresh
            while fresh > 0:
                # A request larger than the bucket passes in pieces.
                piece = min(fresh, self._tokens.max_rate)
                await self._tokens.acquire(piece)
                fresh -= piece
        if self._requests is not None:
            await self._requests.acquire()

    def give_back(self, tokens: int) -> None:
        """Tokens that were waited for and not used: the next request has them, as far as a bucket holds them."""
        if self._tokens is not None:
            self._unused = min(self._unused + max(0, tokens), self._tokens.max_rate)
