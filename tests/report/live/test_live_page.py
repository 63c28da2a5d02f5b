"""The live page in a real browser, while the run's state changes under it."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from _made_run import HOSTILE, RunMaker

from mendel.engine.progress.state import STATE
from mendel.report import write_report
from mendel.report.live import LiveServer, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.slow, pytest.mark.browser]


@pytest.fixture
def live(tmp_path: Path) -> Iterator[LiveServer]:
    folder = tmp_path / "run"
    folder.mkdir()
    tell(folder)
    with serving(folder) as server:
        yield server


def value(estimate: float | None) -> dict[str, float | None]:
    known = estimate is not None
    return {
        "estimate": estimate,
        "low": estimate - 0.1 if known else None,
        "high": estimate + 0.1 if known else None,
    }  # type: ignore[operator]


def trait() -> dict[str, Any]:
    parts = {"base": value(0.0), "prompts": value(None), "teacher": value(0.82)}
    return {
        "original": value(0.86),
        "alternate": value(0.04),
        "effects": parts,
        "unit": 1.0,
        "carrier": "teacher",
    }


def tell(folder: Path, **changes: Any) -> None:
    students = {"total": 8, "done": 2, "waiting": 4, "failed": 0, "failures": [],
                "running": [{"student": "a", "arm": "cube/OOA", "seed": 1}, {"student": "b", "arm": "drop/x", "seed": 0}]}  # fmt: skip
    state = {
        "schema": 1, "study": "mini", "status": "running", "why": "", "pid": os.getpid(), "host": socket.gethostname(),
        "written": time.time(), "stage": "students", "label": "2 of 8", "done": 0.25, "elapsed": 65.0, "left": 200.0,
        "stages": [{"name": "rollouts", "done": 1.0}, {"name": "students", "done": 0.25}],
        "students": {**students, **changes.pop("students", {})}, "effects": {}, **changes,
    }  # fmt: skip
    aside = folder / "aside"
    aside.write_text(json.dumps(state))
    aside.replace(folder / STATE)


def open_page(browser: Browser, server: LiveServer, **options: Any) -> tuple[Page, list[str]]:
    """The page, and all that it complains of: faults of the script and of the policy, requests elsewhere."""
    page, said = browser.new_context(**options).new_page(), []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda asked: said.append(asked.url) if not asked.url.startswith(server.url) else None)
    page.goto(server.url)
    page.wait_for_selector("#stages li")
    return page, said


def test_the_page_follows_the_run_from_its_students_to_the_report(browser: Browser, live: LiveServer) -> None:
    page, said = open_page(browser, live)
    assert page.inner_text("h1") == "mini"
    assert "Students: 25 %" in page.inner_text("#says")
    assert page.inner_text("#n-done") == "2 of 8"
    assert [li.inner_text() for li in page.query_selector_all("#running li")] == [
        "cube/OOAseed 1",
        "drop/xseed 0",
    ]
    assert "3 min" in page.inner_text("#n-left")
    assert page.is_hidden("#to-report")
    assert "as soon as the run has written its tables" in page.inner_text("#found")

    failure = {
        "student": "c",
        "arm": "swap/x",
        "seed": 0,
        "status": "broken",
        "reason": "no working assistant: 3 %",
    }
    tell(
        live.folder,
        done=0.5,
        students={"done": 3, "failed": 1, "failures": [failure]},
        effects={"date_confusion": trait()},
    )
    page.wait_for_selector("#failures td:has-text('no working assistant: 3 %')", timeout=5000)
    article = page.wait_for_selector("#effects article")
    assert article is not None
    assert "+0.82" in article.inner_text()
    assert "[+0.72, +0.92]" in article.inner_text()
    assert "not known" in article.inner_text()
    assert len(page.query_selector_all("#effects svg .interval")) == 4
    assert len(page.query_selector_all("#effects svg .point")) == 4

    RunMaker(live.folder, scenarios=4, hostile=False).write()
    write_report(live.folder)
    tell(
        live.folder,
        status="finished",
        left=0.0,
        done=1.0,
        students={"done": 7, "failed": 1, "waiting": 0, "running": []},
    )
    page.wait_for_selector("#to-report a", timeout=5000)
    assert "Finished after 1 min 5 s" in page.inner_text("#says")
    page.wait_for_selector("table.responses tbody tr", timeout=10_000)
    page.click("#to-report a")
    page.wait_for_selector("h1")
    assert page.url == f"{live.url}report.html"
    page.click("tr.responses button.open")
    page.wait_for_function("document.getElementById('explorer-count').textContent.includes('responses')")
    assert said == []


def test_responses_are_searched_filtered_and_paged_by_keyboard_alone(
    browser: Browser, live: LiveServer
) -> None:
    RunMaker(live.folder, scenarios=8, hostile=False).write()
    page, said = open_page(browser, live)
    page.wait_for_selector("table.responses tbody tr", timeout=10_000)
    total = int(page.inner_text("#found").split()[0].replace(",", ""))
    assert total > 50
    first = page.inner_text("#rows")
    page.focus("#on")
    page.keyboard.press("Enter")
    page.wait_for_selector("#found:has-text('51 to 100')")
    assert page.inner_text("#rows") != first
    page.focus("#hit")
    page.keyboard.type("yes")
    page.wait_for_selector(f"#found:not(:has-text('{total:,} responses'))")
    assert "1 to" in page.inner_text("#found")
    assert len(page.query_selector_all("#rows tr.hit")) == len(page.query_selector_all("#rows tbody tr"))
    page.focus("#query")
    page.keyboard.type("no such response, surely")
    page.wait_for_selector("#found:text-is('No response matches.')")
    assert page.query_selector_all("#rows tr") == []
    assert said == []


def test_hostile_text_is_shown_and_does_nothing(browser: Browser, live: LiveServer) -> None:
    RunMaker(live.folder, scenarios=4).write()
    failures = [
        {"student": "c", "arm": text, "seed": 0, "status": "broken", "reason": text} for text in HOSTILE
    ]
    tell(live.folder, study=HOSTILE[0], stage=HOSTILE[2], label=HOSTILE[2], effects={text: trait() for text in HOSTILE},
         students={"failures": failures, "failed": len(failures), "running": failures})  # fmt: skip
    page, said = open_page(browser, live)
    page.wait_for_selector("table.responses tbody tr", timeout=10_000)
    assert page.inner_text("h1") == HOSTILE[0]
    assert HOSTILE[2] in page.inner_text("#failures")
    for text in ("<script>", "<img"):
        page.fill("#query", text)
        page.wait_for_selector(f"mark:text-is({json.dumps(text)})")
        assert {mark.inner_text() for mark in page.query_selector_all("mark")} == {text}
    assert page.evaluate("document.querySelectorAll('img, iframe, main script, form form').length") == 0
    assert said == []


def test_what_does_not_change_is_left_alone_and_a_reader_is_not_told_every_second(
    browser: Browser, live: LiveServer
) -> None:
    tell(live.folder, effects={"date_confusion": trait()})
    page, _ = open_page(browser, live)
    page.wait_for_selector("#effects article")
    page.evaluate(
        """() => { window.changes = { effects: 0, spoken: 0 };
        for (const id of Object.keys(window.changes)) new MutationObserver((l) => { window.changes[id] += l.length; })
          .observe(document.getElementById(id), { childList: true, subtree: true, characterData: true }); }"""
    )
    before = page.inner_text("#n-elapsed")
    page.wait_for_selector(f"#n-elapsed:not(:text-is('{before}'))", timeout=5000)
    page.wait_for_timeout(2500)
    assert page.evaluate("window.changes") == {"effects": 0, "spoken": 0}
    tell(live.folder, status="failed", why="the disk is full", effects={"date_confusion": trait()})
    page.wait_for_selector("#spoken:has-text('the disk is full')", timeout=5000)


def test_a_server_that_is_gone_is_said(browser: Browser, tmp_path: Path) -> None:
    tell(tmp_path)
    with serving(tmp_path) as server:
        page, _ = open_page(browser, server)
    page.wait_for_selector("#apart:has-text('No connection')", timeout=10_000)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_it_fits_phones_and_is_readable_light_and_dark(
    browser: Browser, live: LiveServer, scheme: str, width: int
) -> None:
    RunMaker(live.folder, scenarios=4).write()
    tell(
        live.folder,
        effects={
            "date_confusion": trait(),
            "a_trait_with_a_name_that_is_far_too_long_for_any_phone": trait(),
        },
    )
    page, _ = open_page(browser, live, color_scheme=scheme, viewport={"width": width, "height": 800})
    page.wait_for_selector("table.responses tbody tr", timeout=10_000)
    beyond = "[...document.querySelectorAll('body *')].filter((e) => e.getBoundingClientRect().right > innerWidth).map((e) => e.outerHTML.slice(0, 80))"
    assert page.evaluate("document.documentElement.scrollWidth") <= width, page.evaluate(beyond)
    contrast = """(id) => {
      const light = (c) => { const [r, g, b] = c.match(/[\\d.]+/g).map((x) => { x /= 255; return x <= .03928 ? x / 12.92 : ((x + .055) / 1.055) ** 2.4; });
        return .2126 * r + .7152 * g + .0722 * b; };
      const a = light(getComputedStyle(document.querySelector(id)).color), b = light(getComputedStyle(document.body).backgroundColor);
      return (Math.max(a, b) + .05) / (Math.min(a, b) + .05); }"""
    for element in (
        "#says",
        "#found",
        "dl.counts dt",
        ".traits th",
        "table.responses .where",
        "#failures, #about-effects",
    ):
        assert page.evaluate(contrast, element) >= 4.5, element
    unnamed = "[...document.querySelectorAll('input, select')].filter((e) => !e.labels.length).length"
    assert page.evaluate(unnamed) == 0
