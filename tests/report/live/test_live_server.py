"""The server over real loopback HTTP: who gets in, what is served, and what never is."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from _made_run import HOSTILE
from hypothesis import given
from hypothesis import strategies as st

import mendel
from mendel.engine.errors import InputError
from mendel.engine.progress.state import STATE
from mendel.report import write_report
from mendel.report.live import LiveServer, SearchError, read_state, serving
from mendel.report.live.server import read_search


@pytest.fixture(scope="module")
def server(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("served") / "peas"
    shutil.copytree(run_folder, folder)
    write_report(folder)
    with serving(folder) as live:
        yield live


def ask(
    server: LiveServer, path: str, host: str | None = None, method: str = "GET", **headers: str
) -> tuple[int, str, http.client.HTTPMessage]:
    """The path as it is, with nothing normalised on the way."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    connection.putheader("Host", host or f"127.0.0.1:{server.port}")
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    found = answer.status, answer.read().decode(), answer.headers
    connection.close()
    return found


def get(server: LiveServer, path: str = "") -> tuple[int, str, http.client.HTTPMessage]:
    return ask(server, f"/{server.token}/{path}")


def raw(server: LiveServer, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
        return b"".join(parts)


def test_it_listens_on_the_loopback_alone(server: LiveServer) -> None:
    assert server.server_address[0] == "127.0.0.1"
    assert server.url == f"http://127.0.0.1:{server.port}/{server.token}/"
    assert len(server.token) >= 32


def test_two_servers_have_two_tokens(run_folder: Path, server: LiveServer) -> None:
    with serving(run_folder) as other:
        assert other.token != server.token
        assert ask(other, f"/{server.token}/state")[0] == 403


@pytest.mark.parametrize(
    "path",
    ["/", "/state", "/report.html", "/x/state", "//state", "/{token}", "/{token}x/state", "/{short}/state"],
)
def test_without_the_token_nothing_is_served(server: LiveServer, path: str) -> None:
    status, body, _ = ask(server, path.format(token=server.token, short=server.token[:-1]))
    assert status == 403
    assert "peas" not in body
    assert server.token not in body


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:{port}",
        "127.0.0.1",
        "127.0.0.1:1",
        "localhost.evil.example:{port}",
        "[::1]:{port}",
    ],
)
def test_a_foreign_host_is_refused_even_with_the_token(server: LiveServer, host: str) -> None:
    assert ask(server, f"/{server.token}/state", host.format(port=server.port))[0] == 403


def test_localhost_is_the_same_machine(server: LiveServer) -> None:
    assert ask(server, f"/{server.token}/state", f"localhost:{server.port}")[0] == 200


def test_no_host_two_hosts_and_an_absolute_address_are_refused(server: LiveServer) -> None:
    line = f"GET /{server.token}/state HTTP/1.1\r\n".encode()
    own = f"Host: 127.0.0.1:{server.port}\r\n".encode()
    for request in (
        line + b"\r\n",
        line + own + own + b"\r\n",
        line + own + b"Host: evil.example\r\n\r\n",
        line.replace(b"GET /", f"GET http://127.0.0.1:{server.port}/".encode()) + own + b"\r\n",
        line + own + b"Content-Length: 30\r\n\r\nGET / HTTP/1.1\r\n",
    ):
        assert raw(server, request).split(b" ")[1] in (b"400", b"403"), request


@pytest.mark.parametrize(
    "path",
    ["../study.yaml", "..%2fstudy.yaml", "%2e%2e/study.yaml", "./state/../../etc/passwd", "/etc/passwd", "//etc/passwd",
     "study.yaml", "measurements.parquet", "verdicts.json", "report.html/", "report.html/../study.yaml", "progress.json",
     "..\\study.yaml", "state%00", "state;x", "//[", "STATE", "%73tate", "state/", "static/../../../etc/passwd"],
)  # fmt: skip
def test_nothing_but_its_own_addresses_is_there(server: LiveServer, path: str) -> None:
    status, body, _ = get(server, path)
    assert status == 404
    assert body == "There is no such page.\n"


@given(st.binary(max_size=40))
def test_whatever_comes_the_server_lives(server: LiveServer, noise: bytes) -> None:
    raw(server, noise)
    path = f"/{server.token}/".encode() + noise.replace(b"\n", b"").replace(b" ", b"")
    raw(server, b"GET " + path + f" HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode())
    assert get(server, "state")[0] == 200


def test_only_reading_is_possible(server: LiveServer) -> None:
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE", "X" * 30):
        status, body, headers = ask(server, f"/{server.token}/state", method=method)
        assert status == 501
        assert "X" not in body
        assert "Access-Control-Allow-Origin" not in headers
    status, body, headers = ask(server, f"/{server.token}/state", method="HEAD")
    assert (status, body) == (200, "")
    assert int(headers["Content-Length"]) > 0


def test_every_answer_is_kept_from_other_sites(server: LiveServer) -> None:
    for path in ("", "state", "responses", "report.html", "nothing"):
        headers = get(server, path)[2]
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "unsafe-eval" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert headers["Server"].strip() == "mendel"


class Elements(HTMLParser):
    def __init__(self, source: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def test_the_page_runs_its_own_script_and_nothing_else(server: LiveServer) -> None:
    _, body, headers = get(server)
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "connect-src 'self'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    for tag, attributes in Elements(body).seen:
        assert not [
            name for name in attributes if name.startswith("on") or name in ("style", "src", "action")
        ], tag
    script = body.split("<script>")[1].split("</script>")[0]
    for sink in (
        "innerHTML",
        "outerHTML",
        "insertAdjacent",
        "document.write",
        "eval(",
        "Function(",
        ".style",
    ):
        assert sink not in script


def test_a_report_runs_our_own_script_alone_and_counts_as_another_site(server: LiveServer) -> None:
    status, body, headers = get(server, "report.html")
    assert status == 200
    assert body.startswith("<!doctype html>")
    policy = headers["Content-Security-Policy"]
    # Not allow-same-origin: its origin is nobody's, and it has no say here.
    assert policy.endswith("; sandbox allow-scripts")
    assert policy.count("script-src 'sha256-") == policy.count("script-src") == 1
    assert "connect-src" not in policy


def test_the_state_of_a_run_without_a_state_file_comes_from_its_results(server: LiveServer) -> None:
    state = json.loads(get(server, "state")[1])
    assert state["report"]
    assert state["searchable"]
    assert {one["trait"] for one in state["effects"]} == {"date_confusion", "blackmail", "negative_emotion"}
    assert state["students"]["total"] == state["students"]["done"] + state["students"]["failed"]
    assert state["students"]["failures"][0]["status"] == "broken"


def write_state(folder: Path, **changes: Any) -> dict[str, Any]:
    state = {
        "schema": 1, "study": "mini", "status": "running", "why": "", "pid": os.getpid(), "host": socket.gethostname(),
        "written": time.time(), "stage": "students", "label": "1 of 4", "done": 0.25, "elapsed": 10.0, "left": 30.0,
        "stages": [{"name": "students", "done": 0.25, "seconds": 10}],
        "students": {"total": 4, "done": 1, "waiting": 1, "failed": 1, "running": [], "failures": []},
        "effects": {}, **changes,
    }  # fmt: skip
    (folder / STATE).write_text(json.dumps(state))
    return state


def test_time_goes_on_between_two_words_of_a_run(tmp_path: Path) -> None:
    written = write_state(tmp_path)["written"]
    state = read_state(tmp_path, written + 4)
    assert (state["status"], state["elapsed"], state["left"], state["age"]) == ("running", 14.0, 26.0, 4.0)


def test_a_killed_run_is_seen_by_its_process_or_by_its_age(tmp_path: Path) -> None:
    process = os.fork()
    if process == 0:
        os._exit(0)
    os.waitpid(process, 0)
    written = write_state(tmp_path, pid=process)["written"]
    assert read_state(tmp_path, written)["status"] == "lost"
    # Of another machine's process nothing is known but when it last spoke.
    write_state(tmp_path, pid=process, host="elsewhere", written=written)
    assert read_state(tmp_path, written + 5)["status"] == "running"
    lost = read_state(tmp_path, written + 3600)
    assert (lost["status"], lost["left"], lost["elapsed"]) == ("lost", None, 10.0)
    write_state(tmp_path, pid=process, status="finished")
    assert read_state(tmp_path)["status"] == "finished"


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"written": 1e999}', b"x" * 9_000_000],
)
def test_a_broken_state_file_is_one_that_is_not_there(tmp_path: Path, content: bytes) -> None:
    (tmp_path / STATE).write_bytes(content)
    json.dumps(read_state(tmp_path), allow_nan=False)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = ("study", "status", "why", "pid", "host", "written", "stage", "label", "done", "elapsed", "left", "stages",
        "students", "effects")  # fmt: skip


@given(st.dictionaries(st.sampled_from(KEYS), json_values))
def test_whatever_the_state_file_says_the_answer_has_the_same_keys(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, Any]
) -> None:
    folder = tmp_path_factory.mktemp("state")
    write_state(folder)
    expected = set(read_state(folder))
    write_state(folder, **content)
    state = read_state(folder)
    assert set(state) == expected
    json.dumps(state, allow_nan=False)


def test_hostile_text_is_inert_in_the_state(tmp_path: Path) -> None:
    for text in HOSTILE:
        write_state(tmp_path, study=text, why=text, stage=text, effects={text: {}}, stages=[{"name": text}])
        said = json.dumps(read_state(tmp_path), ensure_ascii=False)
        assert not any(c in said for c in "\x1b\x9b\u202e\u2066\u2067\u200f\x07\x00")


def test_many_readers_at_once_get_whole_answers_while_the_run_writes(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    write_state(tmp_path)
    faults: list[object] = []
    over = threading.Event()

    def write() -> None:
        number = 0
        while not over.is_set():
            number += 1
            aside = tmp_path / "aside"
            aside.write_text(json.dumps({**state, "label": f"{number} of 4", "written": time.time()}))
            aside.replace(tmp_path / STATE)

    def read() -> None:
        for _ in range(25):
            status, body, _ = get(live, "state")
            if status != 200 or json.loads(body)["status"] != "running":
                faults.append((status, body))

    state = write_state(tmp_path)
    with serving(tmp_path) as live:
        threads = [threading.Thread(target=write), *(threading.Thread(target=read) for _ in range(12))]
        for thread in threads:
            thread.start()
        for thread in threads[1:]:
            thread.join()
        over.set()
        threads[0].join()
    assert faults == []


def test_searches_at_once_are_all_answered(server: LiveServer) -> None:
    answers: list[tuple[int, int]] = []

    def search() -> None:
        status, body, _ = get(server, "responses?" + urlencode({"query": "the", "limit": "5"}))
        answers.append((status, json.loads(body)["total"]))

    threads = [threading.Thread(target=search) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8
    assert len(set(answers)) == 1
    assert answers[0][0] == 200


def test_a_run_without_tables_says_when_it_can_be_searched(tmp_path: Path) -> None:
    write_state(tmp_path)
    with serving(tmp_path) as live:
        status, body, _ = get(live, "responses?query=a")
        assert status == 404
        assert "when the run has written its tables" in json.loads(body)["error"]
        assert get(live, "report.html")[0] == 404


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "limit=-1", "limit=1e3", "limit=²", "offset=-1", "offset=99999999999", "hit=maybe", "hit=TRUE",
     "min_score=nan", "min_score=inf", "min_score=x", "order=1", "query=a&query=b", "query=" + "a" * 501, "&".join("a=1" for _ in range(30))],
)  # fmt: skip
def test_a_search_that_cannot_be_meant_is_refused_with_the_reason(server: LiveServer, query: str) -> None:
    with pytest.raises(SearchError):
        read_search(query)
    status, body, _ = get(server, "responses?" + quote(query, safe="=&"))
    assert status == 400
    assert json.loads(body)["error"]


def test_an_open_page_hears_of_the_end_and_nobody_is_waited_for_in_vain(tmp_path: Path) -> None:
    write_state(tmp_path)
    with serving(tmp_path) as live:
        began = time.monotonic()
        live.let_hear(30)
        assert time.monotonic() - began < 1
        get(live, "state")
        write_state(tmp_path, status="finished")
        asked = threading.Timer(0.3, lambda: get(live, "state"))
        asked.start()
        began = time.monotonic()
        live.let_hear(30)
        assert 0.2 < time.monotonic() - began < 10
        asked.join()


def test_a_port_that_is_taken_is_said(run_folder: Path, server: LiveServer) -> None:
    with (
        pytest.raises(InputError, match=f"--port {server.port}: the port cannot be had"),
        serving(run_folder, server.port),
    ):
        pass


def test_watch_serves_until_it_is_told_to_stop_and_wants_a_run(run_folder: Path, tmp_path: Path) -> None:
    over, said = threading.Event(), []
    thread = threading.Thread(
        target=mendel.watch, args=(run_folder,), kwargs={"announce": said.append, "until": over}
    )
    thread.start()
    while not said:
        time.sleep(0.01)
    host, _, rest = said[0].removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(host)
    connection.request("GET", f"/{rest}state")
    assert connection.getresponse().status == 200
    over.set()
    thread.join(10)
    assert not thread.is_alive()
    with pytest.raises(OSError, match="refused"):
        http.client.HTTPConnection(host).request("GET", "/")
    with pytest.raises(InputError, match="no run in this folder"):
        mendel.watch(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        mendel.watch(tmp_path / "nowhere")
