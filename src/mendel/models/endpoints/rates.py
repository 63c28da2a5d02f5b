"""Limits on requests and tokens a minute: no minute has more than the limit, bursts included."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiolimiter import AsyncLimiter

BURST = 0.1
"""Share of a minute's tokens that may come at once."""


class Rates:
    """Makes requests wait until they may be sent. None is no limit. `minute` is in seconds; tests shorten
    it.
    """

    def __init__(self, requests: float | None, tokens: float | None, minute: float = 60.0) -> None:
        self._requests: AsyncLimiter | None = None
        self._tokens: AsyncLimiter | None = None
        self._unused = 0.0
        if requests is not None or tokens is not None:
            from aiolimiter import AsyncLimiter
        if requests is not None:
            # A leaky bucket lets its size through at once, and its rate on top: up to twice the limit in the
            # first minute. With a bucket of one, requests are spaced evenly, and every minute stays within
            # the limit.
            self._requests = AsyncLimiter(1, minute / requests)
        if tokens is not None:
            # For the same reason: a bucket of a tenth, and a rate of eight tenths; `_unused` may add another
            # tenth.
            size = tokens * BURST
            self._tokens = AsyncLimiter(size, minute * BURST / (1 - 2 * BURST))

    async def wait(self, tokens: int) -> None:
        """Wait until a request of at most so many tokens may be sent."""
        if self._tokens is not None:
            fresh = max(0.0, tokens - self._unused)
            self._unused -= tokens - fresh
            while fresh > 0:
                # A request that is larger than the bucket passes in pieces.
                piece = min(fresh, self._tokens.max_rate)
                await self._tokens.acquire(piece)
                fresh -= piece
        if self._requests is not None:
            await self._requests.acquire()

    def give_back(self, tokens: int) -> None:
        """Give back tokens that were waited for and not used: the next request has them, up to a bucket's
        size.
        """
        if self._tokens is not None:
            self._unused = min(self._unused + max(0, tokens), self._tokens.max_rate)
