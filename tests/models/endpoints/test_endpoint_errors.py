from __future__ import annotations

import socket
from typing import Any

import pytest
from chaos import Chaos
from endpoint_calls import Open, Serve, conversations, sampling

from mendel.engine.budget import Budget
from mendel.engine.errors import InputError, RunError
from mendel.models.endpoints import EndpointCompletion, Endpoints
from mendel.study.schema import EndpointConfig


def saying(status: int, message: str, code: str | None = None, after: int = 0) -> Any:
    """Refuses every request but the first `after`."""
    seen = 0

    def refuse(body: dict[str, Any]) -> tuple[int, Any] | None:
        nonlocal seen
        seen += 1
        return None if seen <= after else (status, {"error": {"message": message, "code": code}})

    return refuse


@pytest.mark.parametrize("status", [401, 403])
def test_a_wrong_key_names_the_variable(
    status: int, serve: Serve, open_chat: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PEA_KEY", "sk-secret-0123456789abcdef")
    chaos = serve(refuse=saying(status, "Incorrect API key provided: sk-secret-0123456789abcdef."))
    with pytest.raises(InputError, match=rf"refuses the key \(status {status}\).*variable PEA_KEY") as caught:
        open_chat(chaos, key="PEA_KEY").chat(conversations(9), sampling())
    assert "0123456789" not in str(caught.value)
    assert chaos.requests <= 8


def test_an_unknown_model_is_answered_with_those_there_are(serve: Serve, open_chat: Open) -> None:
    chaos = serve(
        models=("pea", "bean", "c", "d", "e", "f"), refuse=saying(404, "no such thing", "model_not_found")
    )
    with pytest.raises(
        InputError, match=r"has no model 'peaa'.*Did you mean 'pea'\? It has: bean, c, d, e, f, …"
    ):
        open_chat(chaos, model="peaa").chat(conversations(1), sampling())


def test_an_unknown_model_where_nothing_is_listed_repeats_the_servers_words(
    serve: Serve, open_chat: Open
) -> None:
    chaos = serve(models=(), refuse=saying(400, "Server is pinned to '/a'; requested 'pea'."))
    with pytest.raises(
        InputError, match=r"has no model 'pea' \(status 400: Server is pinned.*Check the name"
    ):
        open_chat(chaos).chat(conversations(1), sampling())


def test_too_long_conversations_are_counted(serve: Serve, open_chat: Open) -> None:
    def refuse(body: dict[str, Any]) -> tuple[int, Any] | None:
        if len(body["messages"][0]["content"]) < 1000:
            return None
        words = "This model's maximum context length is 512 tokens. However, you requested 2000 tokens"
        return 400, {"object": "error", "message": words, "code": 400}

    asked = conversations(10)
    for row in (2, 5, 9):
        asked[row] = [{"role": "user", "content": "é" * (1000 + row)}]
    with pytest.raises(InputError, match=r"3 of 10 conversations are too long .*longest has 2,018 bytes"):
        open_chat(serve(refuse=refuse)).chat(asked, sampling())


def test_an_endpoint_that_is_down_is_named_after_all_tries(serve: Serve, open_chat: Open) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    budget = Budget(tokens=1_000)
    down = Chaos(url=f"http://127.0.0.1:{port}/v1")
    words = (
        rf"no server answers at http://127\.0\.0\.1:{port}/v1 \(3 tries\); 0 of 1 answers.*Start the server"
    )
    with pytest.raises(RunError, match=words):
        open_chat(down, budget, retries=2).chat(conversations(1), sampling())
    assert (budget.spent.requests, budget.spent.tokens.total) == (3, 0)


def test_a_used_up_quota_is_not_asked_again(serve: Serve, open_chat: Open) -> None:
    chaos = serve(refuse=saying(429, "You exceeded your current quota", "insufficient_quota"))
    with pytest.raises(RunError, match=r"quota .* used up"):
        open_chat(chaos, concurrency=1).chat(conversations(3), sampling())
    assert chaos.requests == 1


def test_what_fails_each_time_says_so_with_the_last_words(serve: Serve, open_chat: Open) -> None:
    chaos = serve(delay=0.0, refuse=saying(503, "overloaded"))
    with pytest.raises(RunError, match=r"failed 3 times, last: status 503: overloaded.*timeout"):
        open_chat(chaos, retries=2, concurrency=1).chat(conversations(3), sampling())
    assert chaos.requests == 3


def test_a_refused_request_repeats_the_servers_words(serve: Serve, open_chat: Open) -> None:
    chaos = serve(refuse=saying(400, "Unsupported value: 'temperature' does not support 0.7"))
    with pytest.raises(InputError, match=r"refuses the request .*'temperature' does not support"):
        open_chat(chaos).chat(conversations(1), sampling())


def test_what_is_in_flight_when_one_fails_is_kept(serve: Serve, open_chat: Open) -> None:
    def refuse(body: dict[str, Any]) -> tuple[int, Any] | None:
        bad = body["messages"][0]["content"] == "Is pea 3 green?"
        return (400, {"error": {"message": "odd"}}) if bad else None

    chaos = serve(refuse=refuse)
    with pytest.raises(InputError, match=r"\d+ of 40 answers are there and kept"):
        open_chat(chaos, concurrency=8).chat(conversations(40), sampling())
    bought = sum(chaos.answered.values())
    assert 7 <= bought == chaos.requests - 1 < 20
    chaos.refuse = None
    again = open_chat(chaos).chat(conversations(40), sampling())
    assert sum(answer.cached for answer in again if isinstance(answer, EndpointCompletion)) == bought
    assert set(chaos.answered.values()) == {1}


def test_a_missing_key_names_its_variable(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with (
        Endpoints(tmp_path, Budget()) as endpoints,
        pytest.raises(InputError, match="OPENAI_API_KEY is not set"),
    ):
        endpoints.chat_model("openai:gpt-5-mini", EndpointConfig(), "study.yaml:9")
