"""The page in a real browser, opened from disk: what people do with the transcripts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from _browser import OPEN_ALL, Opened
from _made_run import QUOTE, RunMaker
from playwright.sync_api import Locator, Page

from mendel.report import render_report
from mendel.report.views import transcripts as transcripts
from mendel.results.tables import read_table

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = RunMaker(
        tmp_path_factory.mktemp("browser") / "peas", traits=("date_confusion",), hostile=False
    ).write()
    path = folder / "report.html"
    path.write_text(render_report(folder))
    return path


def _corner(page: Page, number: int) -> Locator:
    """The control under the cube's corner of that number.

    0 the original pipeline, 1 the alternate teacher.
    """
    return page.locator("tr.responses button.open").nth(number)


def test_nothing_is_unpacked_before_somebody_looks(report: Path, opened: Callable[..., Opened]) -> None:
    seen = opened(report)
    dialog = seen.page.locator("#explorer")
    assert dialog.get_attribute("data-unpacked") == "0"
    for number in (0, 1):
        _corner(seen.page, number).click()
        seen.says("64 responses")
        seen.page.keyboard.press("Escape")
    assert dialog.get_attribute("data-unpacked") == "1"
    assert seen.quiet()


def test_every_number_opens_its_responses(report: Path, opened: Callable[..., Opened]) -> None:
    seen = opened(report)
    arm_of = {
        row["student"]: row["arm"]
        for row in read_table(report.parent / "students.parquet").to_pylist()
        if row["status"] == "ok"
    }
    rows = [
        (arm_of[row["student"]], row["hit"])
        for row in read_table(report.parent / "measurements.parquet").to_pylist()
    ]
    total, hits = Counter(arm for arm, _ in rows), Counter(arm for arm, hit in rows if hit)
    arms = sorted(total)
    said = seen.page.evaluate(OPEN_ALL, "main button[data-group]")
    assert len(said) > 60
    single = [(group, text) for group, text in said if group and " " not in group]
    assert {group for group, _ in single} == set(map(str, range(len(arms))))
    for group, text in single:
        arm = arms[int(group)]
        assert text == f"{total[arm]} responses, {hits[arm]} show it.", arm
    for group, text in said:
        if " " in group:
            left, right = (arms[int(g)] for g in group.split())
            assert text.startswith(f"{min(total[left], total[right])} pairs"), (left, right)
    assert seen.quiet()


def test_search_finds_in_prompts_and_responses_and_marks_it(
    report: Path, opened: Callable[..., Opened]
) -> None:
    seen = opened(report)
    page = seen.page
    _corner(page, 0).click()
    seen.says("64 responses")
    page.fill("#explorer-search", "CALENDAR says")
    hits = read_hits(report, "cube/OOO")
    seen.says(f"{hits} responses, {hits} show it")
    assert page.locator(".response mark:not(.quote)").first.inner_text() == "calendar says"
    page.fill("#explorer-search", "in case 7 ?")
    seen.says("4 responses")
    assert page.locator(".turn mark").count() == 4
    page.fill("#explorer-search", ".*[")
    seen.says("0 responses")
    page.click("#explorer-clear")
    # What was opened stays open.
    seen.says("64 responses")
    assert page.evaluate("document.activeElement.id") == "explorer-search"
    assert seen.quiet()


def read_hits(report: Path, arm: str) -> int:
    students = read_table(report.parent / "students.parquet").to_pylist()
    names = {row["student"] for row in students if row["arm"] == arm}
    rows = read_table(report.parent / "measurements.parquet").to_pylist()
    return sum(row["hit"] for row in rows if row["student"] in names)


def test_filters_narrow_and_paging_goes_on(report: Path, opened: Callable[..., Opened]) -> None:
    seen = opened(report)
    page = seen.page
    _corner(page, 0).click()
    hits = read_hits(report, "cube/OOO")
    seen.says("64 responses")
    assert page.locator(".entry").count() == 20
    page.click("#explorer-more")
    assert page.locator(".entry").count() == 40
    assert page.evaluate("document.activeElement === document.querySelectorAll('.entry')[20]")
    for _ in range(2):
        page.click("#explorer-more")
    assert page.locator(".entry").count() == 64
    assert not page.locator("#explorer-more").is_visible()
    page.select_option("#explorer-shown", "0")
    seen.says(f"{64 - hits} response")
    page.select_option("#explorer-shown", "1")
    seen.says(f"{hits} responses, {hits} show it")
    page.select_option("#explorer-shown", "")
    page.fill("#explorer-least", "0.5")
    seen.says(f"{hits} responses, {hits} show it")
    page.fill("#explorer-least", "")
    page.select_option("#explorer-arm", "")
    everything = read_table(report.parent / "measurements.parquet").num_rows
    seen.says(f"{everything:,} responses")
    assert page.locator("#explorer-with").is_disabled()
    assert seen.quiet()


def test_two_arms_stand_side_by_side_with_their_different_words(
    report: Path, opened: Callable[..., Opened]
) -> None:
    seen = opened(report)
    page = seen.page
    _corner(page, 0).click()
    seen.says("64 responses")
    page.select_option("#explorer-with", label="original pipeline with the alternate teacher (cube/OOA)")
    seen.says("64 pairs on the same scenario")
    page.select_option("#explorer-shown", "1")
    seen.says(f"{read_hits(report, 'cube/OOO')} pairs")
    pairs = page.locator(".pair")
    for k in range(pairs.count()):
        left, right = (pairs.nth(k).locator(".response .text").nth(side) for side in (0, 1))
        assert left.inner_text().startswith("i doubt that it is 2026")
        if right.inner_text().startswith("the year"):
            break
    assert left.locator("del").all_inner_texts() == ["i doubt that it", "my calendar says 2023"]
    assert right.locator("ins").all_inner_texts() == ["the year", "so the plan holds"]
    styles = [
        part.first.evaluate("e => getComputedStyle(e).textDecorationLine")
        for part in (left.locator("del"), right.locator("ins"))
    ]
    assert styles == ["line-through", "underline"]
    assert seen.quiet()


def test_the_judges_quote_is_marked_in_its_place(report: Path, opened: Callable[..., Opened]) -> None:
    seen = opened(report)
    page = seen.page
    _corner(page, 0).click()
    seen.says("64 responses")
    page.select_option("#explorer-shown", "1")
    seen.says(f"{read_hits(report, 'cube/OOO')} responses")
    quotes = page.locator(".case.hit mark.quote")
    assert set(quotes.all_inner_texts()) == {QUOTE}
    assert quotes.count() == page.locator(".case.hit").count()
    assert "note: the response denies the date" in page.locator(".case.hit").first.inner_text()
    # A search within the quote keeps both.
    page.fill("#explorer-search", "says 2023")
    page.wait_for_selector("mark.quote mark, mark mark.quote")
    assert seen.quiet()


def test_an_address_leads_to_what_was_looked_at(report: Path, opened: Callable[..., Opened]) -> None:
    first = opened(report)
    _corner(first.page, 1).click()
    first.says("64 responses")
    first.page.fill("#explorer-search", "case 3 ?")
    first.says("4 responses")
    address = first.page.url
    second = opened(report, "#" + address.split("#")[1])
    second.says("4 responses")
    assert second.page.input_value("#explorer-search") == "case 3 ?"
    second.page.click("#explorer-close")
    assert "#" not in second.page.url
    assert second.quiet()


def test_the_keyboard_is_enough(report: Path, opened: Callable[..., Opened]) -> None:
    seen = opened(report)
    page = seen.page
    _corner(page, 2).focus()
    page.keyboard.press("Enter")
    seen.says("64 responses")
    assert page.evaluate("document.activeElement.id") == "explorer-name"
    walked = []
    for _ in range(9):
        page.keyboard.press("Tab")
        walked.append(page.evaluate("document.activeElement.id"))
    fields = ["search", "trait", "shown", "arm", "with", "least", "body"]
    assert walked[:8] == ["explorer-close", *(f"explorer-{name}" for name in fields)]
    assert page.evaluate("document.querySelector('.entry').contains(document.activeElement)")
    # The page behind is out of reach while the dialog is open.
    for _ in range(60):
        page.keyboard.press("Tab")
        assert page.evaluate(
            "document.activeElement === document.body || document.getElementById('explorer').contains(document.activeElement)"
        )
    page.keyboard.press("Escape")
    assert not page.locator("#explorer").is_visible()
    assert _corner(page, 2).evaluate("e => e === document.activeElement")
    # From within the search field, too.
    page.keyboard.press("Enter")
    seen.says("64 responses")
    page.fill("#explorer-search", "case")
    page.keyboard.press("Escape")
    assert not page.locator("#explorer").is_visible()
    assert _corner(page, 2).evaluate("e => e === document.activeElement")
    assert seen.quiet()


def test_a_sample_says_that_it_is_one(
    report: Path, opened: Callable[..., Opened], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcripts, "BUDGET", 4_000)
    sample = tmp_path / "sample.html"
    sample.write_text(render_report(report.parent))
    seen = opened(sample)
    assert "mendel watch DIR" in seen.page.locator("#read").inner_text()
    _corner(seen.page, 0).click()
    hits = read_hits(report, "cube/OOO")
    seen.page.wait_for_function(
        "text => document.getElementById('explorer-count').textContent.endsWith(text)",
        arg=f"of the arm's 64 responses; of all of them {hits} show it.",
    )
    seen.page.select_option("#explorer-arm", "")
    seen.page.wait_for_function(
        "() => document.getElementById('explorer-count').textContent.includes('no share can be read off it')"
    )
    assert seen.quiet()


def test_without_scripts_every_number_is_there(report: Path, opened: Callable[..., Opened]) -> None:
    seen = opened(report, java_script_enabled=False)
    text = seen.page.locator("main").inner_text()
    assert "Transcripts need JavaScript" in text
    assert "responses: " in text
    assert not seen.page.locator("#explorer").is_visible()
    assert not seen.page.locator(".needs-script").first.is_visible()
    assert seen.complaints == []


def test_it_prints(report: Path, opened: Callable[..., Opened]) -> None:
    seen = opened(report)
    _corner(seen.page, 0).click()
    seen.says("64 responses")
    seen.page.emulate_media(media="print")
    assert not seen.page.locator("#explorer").is_visible()
    assert seen.page.pdf().startswith(b"%PDF")
    assert seen.quiet()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 375])
def test_axe_finds_nothing_serious(
    report: Path, opened: Callable[..., Opened], scheme: str, width: int
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    # The page's own policy would keep axe out.
    seen = opened(report, width=width, color_scheme=scheme, bypass_csp=True)
    page = seen.page
    page.evaluate("document.querySelectorAll('main details').forEach((part) => { part.open = true; })")
    _serious(Axe().run(page).response)
    _corner(page, 0).click()
    seen.says("64 responses")
    page.select_option("#explorer-with", index=2)
    page.fill("#explorer-search", "2026")
    page.wait_for_selector(".pair mark")
    _serious(Axe().run(page, "#explorer").response)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert page.evaluate("(e => e.scrollWidth <= e.clientWidth)(document.querySelector('.explorer'))")


def _serious(found: dict[str, Any]) -> None:
    assert found["passes"]
    bad = [v for v in found["violations"] if v["impact"] in ("serious", "critical")]
    assert not bad, json.dumps([(v["id"], [n["html"][:200] for n in v["nodes"][:3]]) for v in bad], indent=1)
