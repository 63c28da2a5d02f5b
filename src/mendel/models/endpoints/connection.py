"""One endpoint's connection. Every request is reserved in the budget, sent again after a passing failure, and
its answer is kept.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from mendel.engine.budget import Budget, Reservation, Tokens
from mendel.engine.errors import BudgetSpent, InputError
from mendel.engine.store.answers import AnswerCache
from mendel.models.endpoints.faults import Failure, clean, status_failure
from mendel.models.endpoints.prices import Price
from mendel.models.endpoints.rates import Rates
from mendel.models.endpoints.requests import KIND, Shape, has_choice
from mendel.models.endpoints.spec import EndpointSpec
from mendel.models.endpoints.tokens import PromptBound, most_tokens, used_tokens
from mendel.study.schema import EndpointConfig

if TYPE_CHECKING:
    import openai
    from tenacity import RetryCallState

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 60.0
"""Seconds before a failed request is sent again: doubled each time up to the second, then drawn between a
half and the whole."""
ROOM = 0.02
"""Seconds between two checks whether the requests in flight have left room in the budget."""
LISTING = 10.0
"""Seconds to wait for the list of models, which only makes an error message clearer."""


@dataclass(frozen=True)
class BoughtCompletion:
    """A chat completion, and what it cost when it was bought."""

    completion: dict[str, Any]
    """The response body."""
    dollars: float | None
    """None if the price or the usage is not known."""
    cached: bool
    """Whether it was in the store already."""

    @property
    def tokens(self) -> Tokens | None:
        """The usage as the endpoint counts it; None if it does not say."""
        return used_tokens(self.completion)


class Connection:
    """The connection to one model at one address.

    All methods run in one event loop. `secret` shows in no `repr`.
    """

    def __init__(
        self,
        spec: EndpointSpec,
        config: EndpointConfig,
        secret: SecretStr,
        price: Price | None,
        budget: Budget,
        cache: AnswerCache,
    ) -> None:
        self.spec, self.config, self.price, self.budget, self.cache = spec, config, price, budget, cache
        self._secret, self._url = secret, f"{spec.base_url}/chat/completions"
        self.bound = PromptBound()
        self._shape = Shape()
        self.rates = Rates(config.requests_per_minute, config.tokens_per_minute)
        self._slots, self._first = asyncio.Semaphore(config.concurrency), asyncio.Lock()
        self._client: openai.AsyncOpenAI | None = None

    async def buy(self, request: Mapping[str, Any], key: str) -> BoughtCompletion:
        """Send a request until it is answered, and keep the answer under its key.

        Raises Failure if the request failed for good, BudgetSpent before a request that could exceed the
        budget.
        """
        from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt

        retrying = AsyncRetrying(
            sleep=asyncio.sleep,
            stop=stop_after_attempt(self.config.retries + 1),
            wait=_pause,
            retry=retry_if_exception(lambda error: isinstance(error, Failure) and error.kind == "passing"),
            reraise=True,
        )
        completion: dict[str, Any] = await retrying(self._adapted, request)
        used = used_tokens(completion)
        dollars = self.price.dollars(used) if self.price and used else None
        price = {"input": self.price.input, "output": self.price.output} if self.price else None
        # The answer is written first of all: what has arrived is never bought again.
        value = {
            "completion": completion,
            "dollars": dollars,
            "price": price,
            "base_url": self.spec.base_url,
            "model": self.spec.model,
        }
        self.cache.put(KIND, key, value)
        return BoughtCompletion(completion, dollars, cached=False)

    async def models(self) -> list[str]:
        """Return the models that the endpoint lists; none if it does not list them."""
        import httpx2

        try:
            async with asyncio.timeout(LISTING):
                response: Any = await self._open().get("/models", cast_to=httpx2.Response)
            return [str(model["id"]) for model in response.json()["data"]]
        except Exception:
            # The list is only for the text of an error that is raised in any case.
            return []

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def _adapted(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Send the request in the form that the server takes; the form is learned from what it refuses."""
        while True:
            shape = self._shape
            body = shape.apply(request)
            outcome = await self._attempt(body)
            if not isinstance(outcome, Failure):
                return outcome
            changed = self._shape.after(outcome, body)
            if changed is None or changed == shape:
                raise outcome
            self._shape = changed

    async def _attempt(self, body: dict[str, Any]) -> dict[str, Any] | Failure:
        """Send one request, in its turn."""
        async with self._slots:
            if not self.bound.seen and self._limited:
                # The first answer shows how much a chat template adds. Until then requests are sent one at a
                # time, so that at most one costs more than was reserved.
                async with self._first:
                    if not self.bound.seen:
                        return await self._reserved(body)
            return await self._reserved(body)

    async def _reserved(self, body: dict[str, Any]) -> dict[str, Any] | Failure:
        """Reserve the request's worst case in the budget, send it, and settle the reservation."""
        await self.rates.wait(self._most(body).total)
        reservation = await self._reserve(body)
        try:
            outcome = await self._send(body)
        except BaseException:
            self.budget.keep(reservation)
            raise
        return self._booked(outcome, reservation)

    @property
    def _limited(self) -> bool:
        """Whether the budget limits dollars or tokens."""
        return self.budget.dollars is not None or self.budget.tokens is not None

    def _most(self, body: Mapping[str, Any]) -> Tokens:
        """Return the most tokens that the request can use. Raises InputError for one without a limit, if
        there is a budget.
        """
        most = most_tokens(body, self.bound)
        if most.answer == 0 and self._limited:
            raise InputError(
                "a request without 'max_tokens' has no limit on its cost, and there is a budget",
                where=f"{self.spec.base_url}#{self.spec.model}",
                fix="Give the request 'max_tokens'.",
            )
        return most

    async def _reserve(self, body: Mapping[str, Any]) -> Reservation:
        """Reserve the request's worst case. It waits while requests in flight may still give back some of the
        budget.
        """
        while True:
            busy = self.budget.in_flight
            # Computed anew each time: an answer may have raised the bound.
            most = self._most(body)
            try:
                return self.budget.reserve(self.price.dollars(most) if self.price else None, most)
            except BudgetSpent:
                # Requests in flight are reserved with their worst case, and mostly give some of it back.
                if not busy:
                    raise
            await asyncio.sleep(ROOM)

    def _booked(
        self, outcome: dict[str, Any] | Failure, reservation: Reservation
    ) -> dict[str, Any] | Failure:
        """Settle the reservation by what was used, and return the outcome."""
        if isinstance(outcome, Failure):
            if outcome.charged is None:
                self.budget.keep(reservation)
            else:
                self.budget.give_back(reservation)
                self.rates.give_back(reservation.tokens.total)
            return outcome
        used = used_tokens(outcome)
        if used is None:
            self.budget.keep(reservation)
        else:
            self.bound.learn(reservation.tokens.prompt, used.prompt)
            self.budget.settle(reservation, used, self.price.dollars(used) if self.price else None)
            self.rates.give_back(reservation.tokens.total - used.total)
        if not has_choice(outcome):
            words = clean(outcome.get("error") or "", self._secret.get_secret_value())
            return Failure("passing", "an answer without choices", words, charged=None)
        return outcome

    async def _send(self, body: dict[str, Any]) -> dict[str, Any] | Failure:
        """Send one request.

        No object of the HTTP client's leaves this method: its errors hold the request, which holds the key.
        """
        import httpx2
        import openai

        limit = f"no answer within {self.config.timeout:g} s"
        try:
            async with asyncio.timeout(self.config.timeout):
                # The raw body: typed objects would take as long again, and fields that a server adds would be
                # lost.
                response: Any = await self._open().post(self._url, body=body, cast_to=httpx2.Response)
            completion = response.json()
        except openai.APIStatusError as error:
            secret, after = self._secret.get_secret_value(), error.response.headers.get("retry-after")
            return status_failure(error.status_code, error.body, after, secret)
        except TimeoutError:
            return Failure("passing", limit, charged=None)
        except openai.APIConnectionError as error:
            if _no_connection(error):
                return Failure("passing", "no connection", connection=True)
            return Failure("passing", "the connection broke before the answer was there", charged=None)
        except ValueError:
            return Failure("passing", "an answer that is no JSON", charged=None)
        except Exception as error:
            # Any other error of the HTTP libraries (a broken header, a TLS record); its text may hold the
            # request.
            return Failure("passing", f"the HTTP client failed ({type(error).__name__})", charged=None)
        if not isinstance(completion, dict):
            return Failure("passing", "an answer that is no JSON object", charged=None)
        return completion

    def _open(self) -> openai.AsyncOpenAI:
        if self._client is None:
            import httpx2
            import openai

            # aiohttp's transport halves the processor time of a request (benchmarks/endpoints.py).
            http = openai.DefaultAioHttpClient(
                limits=httpx2.Limits(max_connections=self.config.concurrency),
                # Longer than the limit on the whole request, which should end it.
                timeout=httpx2.Timeout(self.config.timeout + 5.0),
                trust_env=not self.spec.on_this_machine,
            )
            self._client = openai.AsyncOpenAI(
                api_key=self._secret.get_secret_value() or "none",
                base_url=self.spec.base_url,
                max_retries=0,
                http_client=http,
            )
        return self._client


def _pause(state: RetryCallState) -> float:
    """Return the seconds to wait: exponential with jitter, or what the server asks for, whichever is
    longer.
    """
    failure = state.outcome.exception() if state.outcome else None
    longest = min(FIRST_PAUSE * 2 ** (state.attempt_number - 1), LONGEST_PAUSE)
    # No result depends on it, so it needs no seed. Requests that failed together must not come back together.
    pause = random.uniform(longest / 2, longest)
    retry_after = failure.retry_after if isinstance(failure, Failure) else None
    return pause if retry_after is None else max(pause, retry_after * random.uniform(1.0, 1.1))


def _no_connection(error: BaseException | None) -> bool:
    """Return whether no connection was made at all."""
    import aiohttp
    import httpx2

    # The transport reports a refused connection as a time-out; only the error's cause shows the difference.
    while error is not None:
        if isinstance(error, (httpx2.ConnectError, aiohttp.ClientConnectorError)):
            return True
        error = error.__cause__
    return False
