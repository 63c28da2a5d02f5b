"""Hostile text in a real browser: shown as text, and nothing that it asks for is done."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from _browser import OPEN_ALL, Opened
from _hostile_text import PAYLOADS
from _made_run import RunMaker

from mendel.engine.text import clean
from mendel.report import render_report
from mendel.results.tables import read_table, schema, write_table

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report whose responses, prompts, quotes, notes, scenarios, judges, arms and traits are all
    hostile."""
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
    said = seen.page.evaluate(OPEN_ALL, "#trait-1 details tr.responses button")
    ones = [text for group, text in said if group and text.startswith("1 response,")]
    assert len(ones) >= len(PAYLOADS)
    assert not [text for _, text in said if text.startswith("0 ")]
    assert seen.quiet()


def test_the_policy_stops_what_would_get_in(hostile: Path, opened: Callable[..., Opened]) -> None:
    seen = opened(hostile)
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
