from __future__ import annotations

import logging
import socket
import traceback
from pathlib import Path
from typing import Any

import pytest
from chaos import FAULTS, Chaos
from endpoint_calls import Open, Serve, conversations, sampling

from mendel.engine.errors import InputError, MendelError
from mendel.models.endpoints import Endpoints
from mendel.study.loading import load_study

SECRET = "sk-proj-Sh0uldNeverBeSeen0123456789"


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PEA_KEY", SECRET)


def everything(error: BaseException | None, seen: set[int] | None = None) -> str:
    """An error and all that it hangs on: text, repr, fields, causes and contexts, and the locals' reprs of
    its frames.
    """
    seen = seen if seen is not None else set()
    if error is None or id(error) in seen:
        return ""
    seen.add(id(error))
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    # The tests' own frames know the key.
    shown.stack = traceback.StackSummary.from_list([f for f in shown.stack if "/tests/" not in f.filename])
    parts = ["".join(shown.format()), str(error), repr(error), repr(vars(error)), repr(error.args)]
    return "\n".join([*parts, everything(error.__cause__, seen), everything(error.__context__, seen)])


def test_the_key_is_sent_and_seen_nowhere_else(
    serve: Serve, open_chat: Open, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    chaos = serve(delay=0.0, faults=0.4, slow=0.6)
    with caplog.at_level(logging.DEBUG):
        for name in ("openai", "httpx", "httpx2", "httpcore", "httpcore2", "aiohttp", "asyncio"):
            logging.getLogger(name).setLevel(logging.DEBUG)
        model = open_chat(chaos, key="PEA_KEY", retries=20, timeout=0.3)
        model.chat(conversations(30), sampling())
    assert f"Bearer {SECRET}" in chaos.headers[0]
    assert caplog.records
    assert SECRET not in caplog.text + "".join(str(vars(record)) for record in caplog.records)
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or SECRET.encode() not in file.read_bytes()
    shown: list[Any] = [model, model.connection, vars(model), vars(model.connection)]
    assert SECRET not in "".join(map(repr, shown))


@pytest.mark.parametrize("fault", FAULTS)
def test_no_failure_shows_the_key(fault: str, serve: Serve, open_chat: Open) -> None:
    chaos = serve(delay=0.0, faults=1.0, kinds=(fault,), slow=0.3)
    with pytest.raises(MendelError) as caught:
        open_chat(chaos, key="PEA_KEY", retries=1, timeout=0.1).chat(conversations(1), sampling())
    assert SECRET not in everything(caught.value)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
def test_a_server_that_repeats_the_key_does_not_bring_it_out(
    status: int, serve: Serve, open_chat: Open
) -> None:
    said = {"message": f"odd {SECRET} here", "code": SECRET, "param": SECRET, "type": SECRET}
    chaos = serve(delay=0.0, refuse=lambda body: (status, {"error": said}))
    with pytest.raises(MendelError) as caught:
        open_chat(chaos, key="PEA_KEY", retries=1).chat(conversations(1), sampling())
    assert SECRET not in everything(caught.value)


def test_a_server_that_is_down_does_not_bring_the_key_out(open_chat: Open) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
    with pytest.raises(MendelError) as caught:
        open_chat(Chaos(url=url), key="PEA_KEY", retries=0).chat(conversations(1), sampling())
    assert SECRET not in everything(caught.value)


@pytest.mark.parametrize("odd", ["\n", " and more", "é", "\x00"])
def test_an_odd_key_is_refused_without_an_echo(
    odd: str, open_chat: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The environment itself refuses a null byte.
    odd = odd.replace("\x00", "\x7f")
    monkeypatch.setenv("PEA_KEY", f"{SECRET}{odd}{SECRET}")
    with pytest.raises(InputError, match="PEA_KEY holds no key") as caught:
        open_chat(Chaos(url="http://127.0.0.1:1/v1"), key="PEA_KEY")
    assert SECRET not in everything(caught.value)


def test_a_server_here_gets_no_key_that_the_study_does_not_name(
    serve: Serve, open_chat: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    chaos = serve(delay=0.0)
    open_chat(chaos).chat(conversations(1), sampling())
    assert SECRET not in "".join(chaos.headers)


@pytest.mark.parametrize(
    "place",
    ["teachers: {a: {model: hf:x, endpoint: {key: KEY}}}", "judge: {model: hf:x, endpoint: {key: KEY}}"],
)
def test_a_key_in_the_place_of_its_variables_name_is_refused_without_an_echo(
    place: str, tmp_path: Path
) -> None:
    study = tmp_path / "study.yaml"
    pipeline = "{base: hf:x, prompts: file:p, teacher: a}"
    lines = ["name: s", f"original: {pipeline}", f"alternate: {pipeline}", "traits: [t]"]
    lines += ["teachers: {a: {model: hf:x}}"] if "teachers" not in place else []
    study.write_text("\n".join([*lines, place.replace("KEY", SECRET)]))
    with pytest.raises(
        InputError, match=r"endpoint\.key.*Write the NAME of an environment variable"
    ) as caught:
        load_study(study)
    assert SECRET not in str(caught.value) + repr(vars(caught.value))


def test_endpoints_show_no_key(tmp_path: Path) -> None:
    from mendel.engine.budget import Budget
    from mendel.study.schema import EndpointConfig

    with Endpoints(tmp_path, Budget()) as endpoints:
        endpoints.chat_model("openai:gpt-5-mini", EndpointConfig(key="PEA_KEY"))
        assert SECRET not in repr(endpoints) + repr(vars(endpoints))
