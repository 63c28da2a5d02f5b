"""Run folders for the tests of the page, and a real browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from _made_run import RunMaker

if TYPE_CHECKING:
    from _browser import Opened
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of three traits, with hostile text everywhere that a model or a file could put it."""
    return RunMaker(tmp_path_factory.mktemp("run") / "peas").write()


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Path]:
    """Writes a run that differs from the finished one by the given fields; small unless said."""

    def make(**fields: Any) -> Path:
        return RunMaker(
            tmp_path / "peas", **{"scenarios": 8, "traits": ("date_confusion",), **fields}
        ).write()

    return make


# Not for the whole session: while Playwright's loop is there, no other test could run one of its own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, started once for a module: that takes longer than most tests."""
    from _browser import CHROMIUM
    from playwright.sync_api import sync_playwright

    path = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if path is None:
        pytest.fail("these tests need Chromium: make setup-browser")
    # A root's Chromium starts without its sandbox alone, as in containers.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=arguments)
        yield running
        running.close()


@pytest.fixture
def opened(browser: Browser) -> Iterator[Callable[..., Opened]]:
    """Opens a file of this disk in a window of its own, and writes down what goes wrong there."""
    from _browser import WATCH, Opened

    contexts = []

    def open_page(path: Path, hash: str = "", width: int = 1280, **options: Any) -> Opened:
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        context.add_init_script(WATCH)
        page = context.new_page()
        page.set_default_timeout(15_000)
        seen = Opened(page, path.as_uri())
        page.on("console", lambda message: seen.complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        page.on(
            "dialog", lambda dialog: (seen.complaints.append(f"dialog: {dialog.message}"), dialog.dismiss())
        )
        context.on("request", lambda request: seen.requests.append(request.url))
        context.on("requestfailed", lambda request: seen.stopped.append(f"{request.url} {request.failure}"))
        page.goto(path.as_uri() + hash)
        return seen

    yield open_page
    for context in contexts:
        context.close()
