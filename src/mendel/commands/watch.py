"""Watch a run: serve a live page about it on this machine until the user stops."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path

from mendel.report.live import require_run, serving


def watch(
    folder: str | Path,
    port: int = 0,
    *,
    browser: bool = False,
    announce: Callable[[str], object] = print,
    until: threading.Event | None = None,
) -> None:
    """Serve the live page of a run on 127.0.0.1 until Ctrl-C is pressed or `until` is set.

    Args:
        folder: Folder of a run that is under way or has ended.
        port: Port of the page; 0: any free port.
        browser: Whether to open the page in the browser.
        announce: Receives the address of the page. The random part of the address is the page's key.
        until: Stops the server when it is set; None: only Ctrl-C does.

    Raises:
        InputError: The folder holds no run, or the port is not available.
    """
    path = Path(folder)
    require_run(path)
    with contextlib.suppress(KeyboardInterrupt), serving(path, port) as server:
        announce(server.url)
        if browser:
            import webbrowser

            webbrowser.open(server.url)
        wait(until)


def wait(until: threading.Event | None = None) -> None:
    """Wait until `until` is set; raise KeyboardInterrupt on Ctrl-C."""
    end = until or threading.Event()
    # Wait in pieces: Ctrl-C does not interrupt an endless wait on every system.
    while not end.wait(0.5):
        pass
