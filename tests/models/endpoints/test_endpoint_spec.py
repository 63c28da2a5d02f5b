from __future__ import annotations

import datetime as dt
import subprocess
import sys
from email.utils import format_datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mendel.engine.budget import Budget, Tokens
from mendel.engine.errors import InputError
from mendel.models.endpoints import Endpoints, EndpointSpec, Price, parse_endpoint, price_of
from mendel.models.endpoints.faults import seconds_to_wait, status_failure
from mendel.models.endpoints.tokens import PER_MESSAGE, PromptBound
from mendel.study.schema import EndpointConfig, PriceConfig


@pytest.mark.parametrize(
    ("ref", "url", "model"),
    [
        ("openai:http://127.0.0.1:8000/v1#smollm2", "http://127.0.0.1:8000/v1", "smollm2"),
        ("openai:HTTP://Host:80/v1/#org/name:tag", "http://host:80/v1", "org/name:tag"),
        ("openai:gpt-5-mini", "https://api.openai.com/v1", "gpt-5-mini"),
        ("openai:http://[::1]:8000/v1#/some/folder", "http://[::1]:8000/v1", "/some/folder"),
    ],
)
def test_a_reference_names_address_and_model(ref: str, url: str, model: str) -> None:
    assert parse_endpoint(ref) == EndpointSpec(url, model)


@pytest.mark.parametrize(
    ("ref", "words"),
    [
        ("openai:http://127.0.0.1:8000/v1", r"no model is named .*openai:http://127.0.0.1:8000/v1#MODEL"),
        ("openai:http://127.0.0.1:8000/v1#", "no model is named"),
        ("openai:127.0.0.1:8000/v1#m", r"no http://.*openai:http://127.0.0.1:8000/v1#m"),
        ("openai:ftp://host/v1#m", "not an http address"),
        ("openai:http://:8000/v1#m", "not an http address"),
        ("openai:http://host:port/v1#m", "not an http address"),
        ("openai:", "not an endpoint"),
        ("hf:folder", "not an endpoint"),
    ],
)
def test_a_malformed_reference_is_refused_with_a_fix(ref: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        parse_endpoint(ref, "study.yaml:7")
    assert str(caught.value).startswith("study.yaml:7: ")


@pytest.mark.parametrize(
    "ref",
    [
        "openai:http://user:hunter2secret@host/v1#m",
        "openai:http://host/v1?api_key=hunter2secret#m",
        "openai:http://host/v1#sk-hunter2secret0123456789",
        "openai:sk-proj-hunter2secret0123456789",
    ],
)
def test_a_key_in_a_reference_is_refused_without_an_echo(ref: str) -> None:
    with pytest.raises(InputError, match="environment variable") as caught:
        parse_endpoint(ref)
    assert "hunter2" not in str(caught.value) + repr(caught.value)


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:1/v1", True),
        ("http://127.8.0.1/v1", True),
        ("http://localhost:1/v1", True),
        ("http://[::1]:1/v1", True),
        ("http://10.0.0.1:1/v1", False),
        ("https://localhost.example.com/v1", False),
    ],
)
def test_only_a_loopback_address_is_free_and_needs_no_key(url: str, here: bool) -> None:
    spec = EndpointSpec(url, "m")
    assert spec.on_this_machine is here
    assert price_of(spec, EndpointConfig()) == (Price(0.0, 0.0) if here else None)


def test_a_listed_price_counts_for_a_models_versions_and_the_studys_own_comes_first() -> None:
    spec = parse_endpoint("openai:gpt-5-mini-2025-08-07")
    assert price_of(spec, EndpointConfig()) == price_of(parse_endpoint("openai:gpt-5-mini"), EndpointConfig())
    assert price_of(parse_endpoint("openai:gpt-5-minimal"), EndpointConfig()) is None
    own = EndpointConfig(price=PriceConfig(input=1.0, output=2.0))
    assert price_of(spec, own) == Price(1.0, 2.0)
    assert Price(1.0, 2.0).dollars(Tokens(1_000_000, 500_000)) == 2.0


def test_an_unknown_price_is_refused_where_dollars_are_limited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_KEY", "k")
    config = EndpointConfig(key="SOME_KEY")
    with (
        Endpoints(tmp_path, Budget(dollars=1.0)) as endpoints,
        pytest.raises(InputError, match=r"price: \{input"),
    ):
        endpoints.chat_model("openai:http://far.example/v1#m", config, "study.yaml:3")
    with Endpoints(tmp_path, Budget(tokens=10)) as endpoints:
        endpoints.chat_model("openai:http://far.example/v1#m", config)


@given(st.lists(st.text(max_size=40), min_size=1, max_size=4))
def test_the_bound_is_never_below_the_bytes(contents: list[str]) -> None:
    messages = [{"role": "user", "content": content} for content in contents]
    size = sum(len(content.encode()) for content in contents)
    assert PromptBound().of({"messages": messages}) >= size + PER_MESSAGE * len(messages)


def test_the_bound_widens_once_an_answer_used_more() -> None:
    bound, request = PromptBound(), {"messages": [{"role": "user", "content": "hi"}]}
    before = bound.of(request)
    bound.learn(before, before)
    assert bound.of(request) == before
    bound.learn(before, before + 500)
    assert bound.of(request) > before + 500


def test_retry_after_is_seconds_or_a_date() -> None:
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=30)
    assert seconds_to_wait("2") == 2.0
    assert seconds_to_wait("-3") == 0.0
    assert seconds_to_wait(format_datetime(soon, usegmt=True)) == pytest.approx(30, abs=2)
    assert [seconds_to_wait(header) for header in (None, "soon", "nan", "inf")] == [None] * 4
    assert seconds_to_wait("1e9") == 600.0


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (429, {"error": {"message": "slow down"}}, "passing"),
        (429, {"error": {"message": "pay", "code": "insufficient_quota"}}, "quota"),
        (408, None, "passing"),
        (409, "busy", "passing"),
        (503, "<html>", "passing"),
        (401, None, "key"),
        (404, {"error": {"message": "no", "code": "model_not_found"}}, "model"),
        (400, {"detail": "Server is pinned to 'a'; requested 'b'."}, "model"),
        (400, {"message": "This model's maximum context length is 2048 tokens."}, "context"),
        (400, {"error": {"message": "x", "code": "context_length_exceeded"}}, "context"),
        (400, {"error": "odd"}, "refused"),
    ],
)
def test_a_status_says_whether_it_passes(status: int, body: object, kind: str) -> None:
    failure = status_failure(status, body, None, "secret")
    assert (failure.kind, failure.charged) == (kind, False)


def test_importing_the_endpoints_loads_no_client() -> None:
    names = "openai httpx2 aiohttp tenacity aiolimiter torch transformers"
    code = (
        f"import sys, mendel.models, mendel.models.endpoints; print({names.split()!r} and "
        f"[n for n in {names.split()!r} if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
