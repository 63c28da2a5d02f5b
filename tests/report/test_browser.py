"""The page in a real browser, opened from disk: what people do with the transcripts, and what hostile text cannot do."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hostile_text import PAYLOADS
from made_run import QUOTE, RunMaker
from playwright.sync_api import Browser, Locator, Page, sync_playwright

from mendel.engine.tables import read_table, schema, write_table
from mendel.report import render_report, transcripts
from mendel.report._text import clean

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CHROMIUM = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
WATCH = """
window.__pwned = [];
for (const name of ["alert", "confirm", "prompt", "print", "open"]) window[name] = () => window.__pwned.push(name);
document.addEventListener("securitypolicyviolation", (event) => window.__pwned.push(event.violatedDirective));
"""
OPEN_ALL = """async (controls) => {
  const said = [];
  for (const button of document.querySelectorAll(controls)) {
    button.click();
    const ready = () => document.getElementById("explorer-count").textContent.endsWith(".");
    while (!ready()) await new Promise((go) => setTimeout(go, 5));
    said.push([button.dataset.group, document.getElementById("explorer-count").textContent]);
    document.getElementById("explorer").close();
    await new Promise((go) => setTimeout(go, 0));
  }
  return said;
}"""


@dataclass
class Opened:
    """A page and everything that a reader would not want to see of it."""

    page: Page
    address: str
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    """Requests that the browser itself refused, and why."""

    def quiet(self) -> bool:
        """Nothing was complained about, nothing ran, and nothing was asked for but the file itself."""
        assert self.complaints == []
        assert {request.split("#")[0] for request in self.requests} == {self.address}
        assert self.page.evaluate("window.__pwned") == []
        return True

    @property
    def count(self) -> Locator:
        return self.page.locator("#explorer-count")

    def says(self, text: str) -> None:
        self.page.wait_for_function(
            "text => document.getElementById('explorer-count').textContent.startsWith(text)", arg=text
        )


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if path is None:
        pytest.fail("these tests need Chromium: make setup-browser")
    # A root's Chromium starts without its sandbox alone, as in containers.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=arguments)
        yield running
        running.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = RunMaker(
        tmp_path_factory.mktemp("browser") / "peas", traits=("date_confusion",), hostile=False
    ).write()
    path = folder / "report.html"
    path.write_text(render_report(folder))
    return path


@pytest.fixture
def opened(browser: Browser) -> Iterator[Callable[..., Opened]]:
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


def _corner(page: Page, number: int) -> Locator:
    """The control under the cube's corner of that number: 0 the original pipeline, 1 the alternate teacher."""
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
    seen.says(f"{read_table(report.parent / 'measurements.parquet').num_rows:,} responses")
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
    assert not seen.page.locator(".needs-script").is_visible()
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


# ---- Hostile text


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report whose responses, prompts, quotes, notes, scenarios, judges, arms and traits are all hostile."""
    folder = RunMaker(
        tmp_path_factory.mktemp("hostile") / "peas", traits=("date_confusion",), seeds=1, scenarios=1
    ).write()
    names = [payload[:300] for payload in PAYLOADS]
    students = [
        {"student": f"h{k}", "arm": name, "base": name, "seed": k, "status": "ok", "reason": ""}
        for k, name in enumerate(names)
    ]
    rows = [
        {
            "student": f"h{k}",
            "trait": trait,
            "scenario": names[k],
            "sample": 0,
            "turn": 0,
            "score": float(k % 2),
            "hit": k % 2 == 1,
            "judge": names[k],
            "prompt": json.dumps([{"role": names[k], "content": PAYLOADS[k][:9000]}]),
            "response": PAYLOADS[k],
            "quote": PAYLOADS[k][:80],
            "note": PAYLOADS[k][:300],
        }
        for k in range(len(PAYLOADS))
        for trait in ("date_confusion", names[k])
    ]
    for name, more in (("students", students), ("measurements", rows)):
        path = folder / f"{name}.parquet"
        write_table(path, pa.concat_tables([read_table(path), _raw_table(name, more)]))
    verdicts = json.loads((folder / "verdicts.json").read_text())
    verdict = verdicts["traits"]["date_confusion"]
    estimate = verdict["original"]
    told = dict.fromkeys(("scale", "judge", "summary", "explanation", "carrier_why"), "\n".join(names[:90]))
    for name in names[:4]:
        verdicts["traits"][name] = {**verdict, **told}
    verdict["levels"] |= dict.fromkeys(names, estimate)
    verdicts["warnings"] = names
    verdicts["study"] = names[0]
    (folder / "verdicts.json").write_text(json.dumps(verdicts))
    path = folder / "report.html"
    path.write_text(render_report(folder))
    return path


def _raw_table(name: str, rows: list[dict[str, Any]]) -> pa.Table:
    """A table whose texts are bytes as they come: lone surrogates, too, which no UTF-8 has."""

    def column(kind: pa.DataType, values: list[Any]) -> pa.Array:
        if kind != pa.string():
            return pa.array(values, kind)
        raw = [None if v is None else v.encode("utf-8", "surrogatepass") for v in values]
        return pa.array(raw, pa.binary()).view(pa.string())

    form = schema(name)
    return pa.table([column(f.type, [row.get(f.name) for row in rows]) for f in form], schema=form)


def _as_read(text: str) -> str:
    return text.encode("utf-8", "surrogatepass").decode(errors="replace")


def test_hostile_text_is_shown_as_text_and_does_nothing(hostile: Path, opened: Callable[..., Opened]) -> None:
    assert len(PAYLOADS) >= 100
    seen = opened(hostile)
    page = seen.page
    before = page.evaluate("document.querySelectorAll('main *').length")
    page.click("button[data-group='']")
    page.wait_for_selector(".entry")
    while page.locator("#explorer-more").is_visible():
        page.click("#explorer-more")
    page.evaluate("document.querySelectorAll('#explorer details').forEach((part) => { part.open = true; })")
    responses = set(
        page.locator("#explorer .response .text").evaluate_all("all => all.map((e) => e.textContent)")
    )
    turns = set(page.locator("#explorer .turn .text").evaluate_all("all => all.map((e) => e.textContent)"))
    for payload in PAYLOADS:
        assert clean(_as_read(payload)[:4000]) in responses, payload[:80]
        assert clean(payload[:4000]) in turns, payload[:80]
    tags = page.locator("#explorer *").evaluate_all("all => [...new Set(all.map((e) => e.localName))]")
    assert set(tags) <= {
        "button", "del", "details", "div", "h2", "h3", "input", "ins", "label", "li", "mark", "ol", "option",
        "p", "select", "span", "strong", "summary",
    }  # fmt: skip
    assert page.locator("main :is(script, iframe, img, object, embed, form, base, link, style)").count() == 0
    assert page.locator("[onerror], [onload], [onclick], [onfocus]").count() == 0
    # Every arm and trait can be chosen, searched for and compared, and each mark is of the text itself.
    for payload in PAYLOADS[:60:6]:
        page.fill("#explorer-search", payload[:200])
        page.wait_for_function(
            "text => document.querySelector('#explorer mark:not(.quote)')?.closest('.text').textContent.includes(text)",
            arg=payload[:200],
        )
    page.fill("#explorer-search", "")
    for select in ("trait", "arm", "with"):
        options = page.locator(f"#explorer-{select} option")
        for index in range(1, min(100, options.count()), 12):
            page.select_option(f"#explorer-{select}", index=index)
            page.wait_for_timeout(20)
    page.keyboard.press("Escape")
    assert page.evaluate("document.querySelectorAll('main *').length") >= before
    page.mouse.move(400, 400)
    assert page.evaluate("({}).polluted") is None
    assert seen.quiet()


def test_hostile_names_open_their_own_responses(hostile: Path, opened: Callable[..., Opened]) -> None:
    seen = opened(hostile)
    said = seen.page.evaluate(OPEN_ALL, "#trait-1 tr.responses button, #trait-3 tr.responses button")
    ones = [text for group, text in said if group and text.startswith("1 response,")]
    assert len(ones) >= len(PAYLOADS)
    assert not [text for _, text in said if text.startswith("0 ")]
    assert seen.quiet()


def test_the_policy_stops_what_would_get_in(report: Path, opened: Callable[..., Opened]) -> None:
    seen = opened(report)
    seen.page.evaluate(
        """() => {
          const script = document.createElement("script");
          script.textContent = "window.ran = 1";
          document.body.append(script);
          document.body.insertAdjacentHTML("beforeend",
            "<img src=http://evil.example/x.png onerror='window.ran = 2'><p style='color:red' onclick='window.ran = 3'>x</p>");
          document.querySelector("p[onclick]").click();
        }"""
    )
    seen.page.wait_for_function("window.__pwned.length >= 4")
    assert seen.page.evaluate("window.ran") is None
    # The image is the only thing that was asked for, and the policy stopped it before it left.
    assert set(seen.requests) == {seen.address, "http://evil.example/x.png"}
    assert seen.stopped == ["http://evil.example/x.png csp"]
