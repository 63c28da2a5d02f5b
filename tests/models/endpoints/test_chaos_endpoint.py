from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from chaos import FAULTS, answer, canonical
from endpoint_calls import Open, Serve, conversations, sampling, texts

from mendel.engine.budget import Budget
from mendel.engine.errors import BudgetSpent, InputError
from mendel.models.endpoints import BoughtCompletion, EndpointCompletion
from mendel.models.endpoints.rates import Rates
from mendel.study.schema import PriceConfig

PRICE = PriceConfig(input=1000.0, output=2000.0)


def test_with_faults_the_same_answers_come_and_none_is_bought_twice(serve: Serve, open_chat: Open) -> None:
    calm, wild = serve(delay=0.01), serve(delay=0.01, faults=0.3, slow=4.0)
    asked = conversations(120)
    expected = texts(open_chat(calm).chat(asked, sampling()))
    model = open_chat(wild, concurrency=16, retries=20, timeout=2.0)
    assert texts(model.chat(asked, sampling())) == expected
    assert wild.requests > 130
    assert set(wild.answered.values()) == {1}
    before = wild.requests
    again = open_chat(wild, concurrency=16).chat(asked, sampling())
    assert texts(again) == expected
    assert wild.requests == before


@pytest.mark.parametrize("kind", FAULTS)
def test_each_fault_passes(kind: str, serve: Serve, open_chat: Open) -> None:
    chaos = serve(delay=0.0, faults=0.6, kinds=(kind,), slow=0.4)
    answers = open_chat(chaos, retries=20, timeout=0.2).chat(conversations(6), sampling())
    assert texts(answers) == [answer(body) for body in in_order(chaos.bodies, 6)]
    assert chaos.requests > 6


def in_order(bodies: list[dict[str, Any]], n: int) -> list[dict[str, Any]]:
    by_prompt = {body["messages"][0]["content"]: body for body in bodies}
    return [by_prompt[f"Is pea {row} green?"] for row in range(n)]


def test_an_answer_says_what_it_used_what_it_cost_and_whether_it_was_there(
    serve: Serve, open_chat: Open
) -> None:
    chaos, budget = serve(usage=lambda body: (10, 5)), Budget()
    first, second = (
        open_chat(chaos, budget, price=PRICE).chat(conversations(2), sampling())[0] for _ in range(2)
    )
    assert isinstance(first, EndpointCompletion)
    assert (first.prompt_tokens, first.tokens, first.cached) == (10, 5, False)
    assert first.dollars == pytest.approx(10 * 0.001 + 5 * 0.002)
    assert second == EndpointCompletion(first.text, "stop", 5, 10, first.dollars, True)
    spent = budget.spent
    assert (spent.dollars, spent.requests, spent.cached) == (pytest.approx(0.04), 2, 2)
    assert (spent.tokens.prompt, spent.tokens.answer) == (20, 10)


def test_samples_of_one_prompt_differ_and_are_kept_apart(serve: Serve, open_chat: Open) -> None:
    chaos = serve(delay=0.0)
    asked = [conversations(1)[0]] * 5
    assert len(set(texts(open_chat(chaos).chat(asked, sampling(seed=1))))) == 5
    assert len({body["seed"] for body in chaos.bodies}) == 5
    assert all(0 <= body["seed"] < 2**31 for body in chaos.bodies)
    open_chat(chaos).chat(asked, sampling(seed=2))
    assert chaos.requests == 10


def test_an_address_a_temperature_or_a_tool_is_another_answer(serve: Serve, open_chat: Open) -> None:
    chaos = serve(delay=0.0)
    request: dict[str, Any] = {"messages": conversations(1)[0], "max_tokens": 5}
    changes: list[dict[str, Any]] = [
        {},
        {"temperature": 0.5},
        {"tools": [{"type": "function"}]},
        {"max_tokens": 6},
    ]
    model = open_chat(chaos)
    for change in changes:
        model.complete({**request, **change})
    assert chaos.requests == 4
    model.complete(request)
    assert chaos.requests == 4
    model.complete(request, place=1)
    open_chat(chaos, model="bean").complete(request)
    assert chaos.requests == 6


def test_requests_never_exceed_the_budget_and_the_rest_is_bought_later(serve: Serve, open_chat: Open) -> None:
    # Nothing slow: on a busy machine, a time-out may come when the answer is on its way.
    chaos = serve(delay=0.01, faults=0.3, kinds=("429", "500", "cut", "malformed", "hang-up"))
    with pytest.raises(BudgetSpent, match=r"budget\.requests: .*answers are there and kept") as caught:
        open_chat(chaos, Budget(requests=50), concurrency=64, retries=20).chat(conversations(120), sampling())
    assert caught.value.exit_code == 3
    assert chaos.requests == 50
    bought = sum(chaos.answered.values())
    answers = open_chat(chaos, concurrency=64, retries=20).chat(conversations(120), sampling())
    assert sum(answer.cached for answer in answers if isinstance(answer, EndpointCompletion)) == bought
    assert (sum(chaos.answered.values()), set(chaos.answered.values())) == (120, {1})


@pytest.mark.parametrize("limits", [{"tokens": 4_000}, {"dollars": 4.0}])
def test_tokens_and_dollars_are_never_over_the_budget(
    limits: dict[str, Any], serve: Serve, open_chat: Open
) -> None:
    chaos, budget = serve(delay=0.01, faults=0.2, slow=1.0, kinds=("429", "500")), Budget(**limits)
    model = open_chat(chaos, budget, concurrency=64, retries=20, price=PriceConfig(input=1000, output=1000))
    with pytest.raises(BudgetSpent):
        model.chat(conversations(400), sampling())
    # A token is a thousandth of a dollar here.
    assert 3_600 < chaos.tokens <= 4_000
    assert budget.spent.tokens.total == chaos.tokens
    assert budget.spent.dollars is not None
    assert budget.spent.dollars <= 4.0


def test_a_template_that_says_much_by_itself_costs_one_request_too_much_at_most(
    serve: Serve, open_chat: Open
) -> None:
    chaos, budget = serve(delay=0.01, usage=lambda body: (600, 10)), Budget(tokens=20_000)
    with pytest.raises(BudgetSpent):
        open_chat(chaos, budget, concurrency=64).chat(conversations(100), sampling())
    assert 18_000 < chaos.tokens <= 20_000
    small = Budget(tokens=200)
    with pytest.raises(BudgetSpent):
        open_chat(chaos, small, concurrency=64).chat(conversations(100), sampling(seed=1))
    assert small.spent.requests == 1


def test_what_timed_out_counts_with_its_worst_case(serve: Serve, open_chat: Open) -> None:
    chaos, budget = serve(faults=1.0, kinds=("slow",), slow=0.5), Budget()
    with pytest.raises(Exception, match=r"failed 2 times.*no answer within 0.1 s"):
        open_chat(chaos, budget, retries=1, timeout=0.1).chat(conversations(1), sampling(max_tokens=16))
    assert budget.spent.requests == 2
    assert budget.spent.tokens.answer == 32
    assert budget.in_flight == 0


def test_a_request_without_a_limit_is_refused_where_there_is_a_budget(serve: Serve, open_chat: Open) -> None:
    chaos = serve()
    with pytest.raises(InputError, match="max_tokens"):
        open_chat(chaos, Budget(tokens=10_000)).complete({"messages": conversations(1)[0]})
    assert chaos.requests == 0


def test_no_more_are_in_flight_than_the_concurrency(serve: Serve, open_chat: Open) -> None:
    chaos = serve(delay=0.02)
    model = open_chat(chaos, concurrency=5)
    threads = [
        threading.Thread(target=model.chat, args=(conversations(20), sampling(seed))) for seed in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (chaos.requests, chaos.peak) == (60, 5)


def test_a_minute_keeps_to_its_number_of_requests(serve: Serve, open_chat: Open) -> None:
    chaos = serve(delay=0.0)
    model = open_chat(chaos, concurrency=16)
    model.connection.rates = Rates(20, None, minute=0.5)
    model.chat(conversations(50), sampling())
    assert most_in(chaos.times, [1] * 50, 0.5) <= 20
    assert chaos.times[-1] - chaos.times[0] < 2.0


def test_a_minute_keeps_to_its_number_of_tokens(serve: Serve, open_chat: Open) -> None:
    chaos = serve(delay=0.0, usage=lambda body: (90, 10))
    model = open_chat(chaos, concurrency=4)
    model.connection.rates = Rates(None, 2_000, minute=0.5)
    began = time.monotonic()
    model.chat(conversations(60), sampling())
    assert most_in(chaos.times, [100] * 60, 0.5) <= 2_000
    # Tokens that were waited for and not used are used by the next.
    assert time.monotonic() - began < 60 * 100 / 2_000 * 0.5 * 2


def most_in(times: list[float], amounts: list[int], window: float) -> int:
    """The most of any window; a hair less than the window, for a request takes its time to arrive."""
    pairs = list(zip(times, amounts, strict=True))
    return max(sum(a for t, a in pairs if start <= t < start + window * 0.95) for start in times)


def test_a_chat_can_be_asked_from_an_event_loop(serve: Serve, open_chat: Open) -> None:
    import asyncio

    chaos = serve()
    model = open_chat(chaos)

    async def ask() -> list[BoughtCompletion]:
        request = {"messages": conversations(1)[0], "max_tokens": 5}
        return list(await asyncio.gather(*(model.acomplete(request, place) for place in range(3))))

    assert len(asyncio.run(ask())) == 3
    assert chaos.answered[canonical(chaos.bodies[0])] == 3


@pytest.mark.parametrize(
    ("message", "finish", "text"),
    [
        ({"content": ""}, "length", ""),
        ({"content": None, "refusal": "I will not."}, "stop", "I will not."),
        ({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, "stop", "ab"),
        ({"content": "cut by"}, "content_filter", "cut by"),
        ({"content": "so"}, None, "so"),
    ],
)
def test_whatever_the_message_is_there_is_a_text_and_a_reason(
    message: dict[str, Any], finish: str | None, text: str, serve: Serve, open_chat: Open
) -> None:
    body = {"choices": [{"message": message, "finish_reason": finish}]}
    answers = open_chat(serve(delay=0.0, refuse=lambda _: (200, body))).chat(conversations(1), sampling())
    assert isinstance(answers[0], EndpointCompletion)
    assert (answers[0].text, answers[0].finish_reason) == (text, finish or "unknown")
    assert (answers[0].tokens, answers[0].dollars) == (None, None)


def refusing(field: str, param: str | None = None, status: int = 400) -> Any:
    def refuse(body: dict[str, Any]) -> tuple[int, Any] | None:
        if field not in body:
            return None
        words = f"Unsupported parameter: '{field}' is not supported with this model."
        words += " Use 'max_completion_tokens' instead." if field == "max_tokens" else ""
        return status, {"error": {"message": words, "param": param, "code": "unsupported_parameter"}}

    return refuse


@pytest.mark.parametrize("field", ["max_tokens", "seed", "response_format"])
def test_what_a_server_refuses_is_put_otherwise_once(field: str, serve: Serve, open_chat: Open) -> None:
    chaos = serve(delay=0.0, refuse=refusing(field))
    model = open_chat(chaos, concurrency=1)
    answers = model.chat(conversations(4), sampling(), schema={"type": "object"})
    assert len(answers) == 4
    assert chaos.requests == 5
    assert [field in body for body in chaos.bodies] == [True, False, False, False, False]
    assert ("max_completion_tokens" in chaos.bodies[-1]) is (field == "max_tokens")


def test_all_of_it_is_put_otherwise_with_many_in_flight(serve: Serve, open_chat: Open) -> None:
    refusals = [refusing("max_tokens"), refusing("seed", status=422), refusing("response_format")]
    chaos = serve(refuse=lambda body: next((said for r in refusals if (said := r(body))), None))
    answers = open_chat(chaos, concurrency=8).chat(conversations(20), sampling(), schema={"type": "object"})
    assert len(answers) == 20
    assert chaos.requests <= 20 + 3 * 8


def test_a_schema_is_sent_as_a_strict_one(serve: Serve, open_chat: Open) -> None:
    chaos, schema = serve(), {"type": "object", "properties": {"score": {"type": "number"}}}
    open_chat(chaos).chat(conversations(1), sampling(), schema=schema)
    sent = chaos.bodies[0]["response_format"]
    assert (sent["type"], sent["json_schema"]["strict"]) == ("json_schema", True)
    assert sent["json_schema"]["schema"] == schema


def test_an_endpoint_has_no_log_odds_and_cannot_be_opened(
    serve: Serve, open_chat: Open, tmp_path: Path
) -> None:
    model = open_chat(serve())
    assert model.log_odds(conversations(1), "", ["a"], ["b"]) is None
    with pytest.raises(InputError, match="begin with given words"):
        model.chat(conversations(1), sampling(), prefix="So")
    assert model.chat([], sampling()) == []
