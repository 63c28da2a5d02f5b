"""The server behind `mendel watch`.

The loopback alone, a random word in every address, four pages and nothing else.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import math
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from mendel.engine.errors import InputError
from mendel.report.live.page import live_page, report_policy
from mendel.report.live.search import (
    MOST_OFFSET,
    MOST_QUERY,
    MOST_ROWS,
    ResponseFiles,
    ResponseQuery,
    SearchError,
)
from mendel.report.live.state import read_state

HOST = "127.0.0.1"
IDLE = 30.0
"""Seconds after which a connection that says nothing is closed."""
ALWAYS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class LiveServer(ThreadingHTTPServer):
    """Serves one run's folder; `url` is its only address."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, folder: Path, port: int = 0) -> None:
        """Open the server; raise InputError where the port is taken."""
        self.folder, self.responses = folder, ResponseFiles(folder)
        self.token = secrets.token_urlsafe(24)
        self.closing = False
        self._asked = -math.inf
        try:
            super().__init__((HOST, port), _Handler)
        except (OSError, OverflowError) as error:
            raise InputError(
                f"the port cannot be had: {error}", where=f"--port {port}", fix="Name another one, or none."
            ) from None

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        """The address of the page; its random part is a secret."""
        return f"http://{HOST}:{self.port}/{self.token}/"

    def tell_state(self) -> dict[str, Any]:
        """Return the state of the run, for a reader who asks now."""
        self._asked = time.monotonic()
        return read_state(self.folder)

    def let_hear(self, seconds: float = 3.0) -> None:
        """Wait until an open page has asked once more, so that it shows how the run ended.

        Return at once without one.
        """
        now = time.monotonic()
        if now - self._asked > 2 * seconds:
            return
        while self._asked < now and time.monotonic() < now + seconds:
            time.sleep(0.05)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore the error: a reader that went away is no news."""


@contextlib.contextmanager
def serving(folder: Path, port: int = 0) -> Iterator[LiveServer]:
    """Context manager: serve a run's folder from a thread.

    Args:
        folder: The run's folder.
        port: The port on the loopback; 0 is any free port.

    Yields:
        The server; its `url` holds a secret word.

    Raises:
        InputError: The port is taken.
    """
    server = LiveServer(folder, port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.closing = True
        server.shutdown()
        thread.join()
        server.server_close()
        server.responses.close()


class _Handler(BaseHTTPRequestHandler):
    server: LiveServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "mendel", ""
    timeout = IDLE

    def do_GET(self) -> None:
        """Answer the four addresses; refuse all others."""
        rest = self._admitted()
        if rest is None:
            return
        path, _, query = rest.partition("?")
        if path == "":
            page = live_page()
            self._send(HTTPStatus.OK, page.html, "text/html", page.policy)
        elif path == "state":
            self._send_json(HTTPStatus.OK, self.server.tell_state())
        elif path == "responses":
            self._search(query)
        elif path == "report.html":
            self._report()
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "There is no such page.")

    def do_HEAD(self) -> None:
        """Answer as `do_GET`, without the content."""
        self.do_GET()

    def log_message(self, format: str, *_: Any) -> None:
        """Log nothing: the terminal is the run's, and the address is a secret."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse without repeating the request, as the standard library would."""
        self.close_connection = True
        with contextlib.suppress(ValueError):
            self._refuse(HTTPStatus(code), HTTPStatus(code).phrase)

    def _admitted(self) -> str | None:
        """Return the address after its random word; None after a request that was refused.

        A page elsewhere whose name was bound to this machine (DNS rebinding) names itself in Host.
        """
        if self.server.closing:
            # A reader's connection may outlive the server's socket.
            self.close_connection = True
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "The server has been closed.")
            return None
        hosts = self.headers.get_all("Host") or []
        names = {f"{HOST}:{self.server.port}", f"localhost:{self.server.port}"}
        if len(hosts) != 1 or hosts[0] not in names:
            self._refuse(HTTPStatus.FORBIDDEN, "This server answers under its own address alone.")
            return None
        if self.headers.get("Content-Length") not in (None, "0") or "Transfer-Encoding" in self.headers:
            # A body that nobody reads would be taken for the next request.
            self.close_connection = True
            self._refuse(HTTPStatus.BAD_REQUEST, "A request here has no body.")
            return None
        given, slash, rest = self.path.removeprefix("/").partition("/")
        # As bytes: compare_digest takes no text beyond ASCII.
        admitted = hmac.compare_digest(given.encode("utf-8", "replace"), self.server.token.encode())
        if not admitted or not slash or not self.path.startswith("/"):
            self._refuse(HTTPStatus.FORBIDDEN, "Open the address that `mendel watch` printed.")
            return None
        return rest

    def _search(self, query: str) -> None:
        try:
            search = read_search(query)
            page = self.server.responses.find(search)
        except SearchError as error:
            self._send_json(HTTPStatus(error.status), {"error": str(error)})
            return
        self._send_json(HTTPStatus.OK, page)

    def _report(self) -> None:
        try:
            report = (self.server.folder / "report.html").read_bytes()
        except OSError:
            self._refuse(HTTPStatus.NOT_FOUND, "The run has not written its report yet.")
            return
        self._send(HTTPStatus.OK, report, "text/html", report_policy())

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        self._send(status, f"{why}\n".encode(), "text/plain", "default-src 'none'")

    def _send_json(self, status: HTTPStatus, content: Mapping[str, Any]) -> None:
        body = json.dumps(content, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")
        self._send(status, body, "application/json", "default-src 'none'")

    def _send(self, status: HTTPStatus, body: bytes, kind: str, policy: str) -> None:
        self.send_response(status)
        headers = {"Content-Type": f"{kind}; charset=utf-8", "Content-Security-Policy": policy}
        for name, value in {**ALWAYS, **headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def read_search(query: str) -> ResponseQuery:
    """Return the search that an address asks for; raise SearchError for what cannot be meant."""
    try:
        fields = parse_qs(query, keep_blank_values=True, errors="replace", max_num_fields=20)
    except ValueError:
        raise SearchError("The address holds too many fields.") from None
    allowed = {"trait", "arm", "query", "hit", "min_score", "offset", "limit"}
    unknown = sorted(set(fields) - allowed)
    if unknown:
        raise SearchError(f"Unknown: {unknown[0][:40]!r}; known are {', '.join(sorted(allowed))}.")
    if any(len(values) > 1 for values in fields.values()):
        raise SearchError("A field stands there twice.")
    text = {name: values[0] for name, values in fields.items()}
    if any(len(value) > MOST_QUERY for value in text.values()):
        raise SearchError(f"A field has more than {MOST_QUERY} characters.")
    hit = {"": None, "true": True, "false": False}
    if text.get("hit", "") not in hit:
        raise SearchError("hit is true, false or empty.")
    return ResponseQuery(
        query=text.get("query", ""),
        trait=text.get("trait", ""),
        arm=text.get("arm", ""),
        hit=hit[text.get("hit", "")],
        min_score=_score(text.get("min_score", "")),
        offset=_whole(text, "offset", 0, 0, MOST_OFFSET),
        limit=_whole(text, "limit", 50, 1, MOST_ROWS),
    )


def _score(text: str) -> float | None:
    if not text.strip():
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise SearchError("min_score is a number.")
    return number


def _whole(text: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    given = text.get(name, "").strip()
    if not given:
        return default
    if not (given.isascii() and given.isdigit() and least <= int(given) <= most):
        raise SearchError(f"{name} is a whole number from {least} to {most}.")
    return int(given)
