"""Watching a run: a page on this machine that says how it stands, until the user has seen enough."""

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
    """Serves the live page of a run, running or ended, on 127.0.0.1 until Ctrl-C (or `until` is set).

    `port` 0 is any free one. `announce` is called with the page's address, whose random part is its key; `browser`
    opens it, too. Raises InputError where the folder holds no run, or the port cannot be had.
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
    """Returns when `until` is set; Ctrl-C is raised."""
    over = until or threading.Event()
    # In pieces: a wait without an end cannot be interrupted everywhere.
    while not over.wait(0.5):
        pass
