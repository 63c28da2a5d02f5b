"""The page in a real browser: what stands in it, top to bottom, on a run that has all of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from _browser import Opened
from _made_run import RunMaker, add_findings

from mendel.report import render_report

pytestmark = [pytest.mark.browser, pytest.mark.slow]
CUBE = "#trait-1 svg.cube g.corner"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in which somebody has located, dosed and tried selectors, and measured a ladder.

    With hostile text.
    """
    maker = RunMaker(
        tmp_path_factory.mktemp("whole") / "peas", seeds=8, scenarios=20, ladder=("near", "agentic")
    )
    folder = add_findings(maker.write())
    path = folder / "report.html"
    path.write_text(render_report(folder))
    return path


def test_a_card_says_the_state_where_it_sits_what_carries_it_and_what_to_do(
    whole: Path, opened: Callable[..., Opened]
) -> None:
    seen = opened(whole)
    cards = seen.page.locator("article.card")
    assert cards.count() == 3
    for number, part in enumerate(("teacher makes", "teacher makes", "prompts make")):
        text = cards.nth(number).inner_text()
        assert f"the {part} most of the difference" in text
        assert "difference: the original pipeline shows more" in text
        assert all(label in text for label in ("base, prompts or teacher", "cause", "what to do"))
    first = cards.first.bounding_box()
    assert first is not None
    assert first["y"] < 500
    cards.first.locator("button", has_text="flagged swapped").click()
    seen.says("320 responses")
    seen.page.keyboard.press("Escape")
    cards.first.locator("h2 a").click()
    assert seen.page.url.endswith("#trait-1")
    assert seen.quiet()


@pytest.mark.parametrize("width", [375, 1280])
def test_where_a_difference_sits_is_the_first_figure_and_a_table(
    whole: Path, opened: Callable[..., Opened], width: int
) -> None:
    seen = opened(whole, width=width)
    card = seen.page.locator("article.card").first
    figure, heading = card.locator("figure.location"), card.locator("h2")
    assert heading.evaluate("(h, f) => h.nextElementSibling === f", figure.element_handle())
    drawn = figure.locator("svg")
    assert "rollouts that the filter flags: brings in alone" in (drawn.get_attribute("aria-label") or "")
    for words in (
        "rollouts that the filter flags",
        "only their combination",
        "more than a quarter",
        "not known",
    ):
        assert drawn.locator("text", has_text=words).first.is_visible()
    # The words at the right lie inside the drawing, and text stays large enough to read.
    inside = """svg => {
      const box = svg.getBoundingClientRect();
      const texts = [...svg.querySelectorAll('text')].map((text) => text.getBoundingClientRect());
      return texts.every((t) => t.right <= box.right && t.height >= 10);
    }"""
    assert drawn.evaluate(inside)
    table = card.locator("details", has_text="as a table").locator("table")
    assert not table.is_visible()
    card.locator("summary", has_text="as a table").click()
    assert table.locator("tbody tr").count() == 7
    assert "no arm mild/date_confusion in this study" in table.inner_text()
    assert seen.quiet()


@pytest.mark.parametrize("key", ["click", "Enter", "Space"])
def test_each_corner_of_the_cube_opens_its_responses_by_mouse_and_by_keyboard(
    whole: Path, opened: Callable[..., Opened], key: str
) -> None:
    seen = opened(whole)
    corners = seen.page.locator(CUBE)
    assert corners.count() == 8
    original = seen.page.locator(f'{CUBE}[aria-label^="original base, original prompts, original teacher"]')
    if key == "click":
        original.click()
    else:
        original.focus()
        seen.page.keyboard.press(key)
    seen.says("320 responses")
    assert (
        seen.page.locator("#explorer select >> nth=0").evaluate("e => e.selectedOptions[0].text")
        == "date confusion"
    )
    seen.page.keyboard.press("Escape")
    assert original.evaluate("e => e === document.activeElement")
    assert seen.quiet()


def test_a_hypothesis_opens_to_what_it_predicted_and_what_was_measured(
    whole: Path, opened: Callable[..., Opened]
) -> None:
    seen = opened(whole)
    section = seen.page.locator("#trait-1")
    table = section.locator("table.predictions").first
    assert not table.is_visible()
    section.locator("summary", has_text="predicted and measured").first.click()
    assert table.is_visible()
    row = table.inner_text()
    assert all(part in row for part in ("who answers makes a difference", "more than half of the difference"))
    assert "holds" in row or "open" in row
    table.locator("button[data-group]").first.click()
    seen.says("320 pairs")
    assert seen.quiet()


def test_what_other_commands_found_stands_where_the_run_has_it(
    whole: Path, opened: Callable[..., Opened]
) -> None:
    seen = opened(whole)
    first, last = (seen.page.locator(f"#trait-{number}") for number in (1, 3))
    for heading in (
        "Which prompts carry it",
        "Other selectors",
        "How few examples bring it in",
        "Does it leak?",
    ):
        assert first.get_by_role("heading", name=heading).count() == 1
        assert last.get_by_role("heading", name=heading).count() == (0)
    first.locator("summary", has_text="both teachers' answers").click()
    assert first.locator(".examples .example").count() == 3
    assert seen.quiet()


def test_every_figure_draws_intervals_and_says_its_numbers_to_who_cannot_see_it(
    whole: Path, opened: Callable[..., Opened]
) -> None:
    seen = opened(whole)
    figures = seen.page.locator("#trait-1 figure svg:not(.cube)")
    assert figures.count() >= 4
    for number in range(figures.count()):
        label = figures.nth(number).get_attribute("aria-label") or ""
        assert re.search(r"\d\.\d\d \[\S+, \S+\]", label), label
    assert seen.quiet()


def test_how_it_was_made_can_be_cited_and_doubted(whole: Path, opened: Callable[..., Opened]) -> None:
    seen = opened(whole)
    made = seen.page.locator("#made")
    assert "We compared two fine-tuning pipelines" in made.inner_text()
    assert (
        made.get_by_role("heading", name="What would have to be true for the verdicts to be wrong").count()
        == 1
    )
    made.locator("summary", has_text="BibTeX").click()
    assert "@software{mendel" in made.inner_text()
    assert "broken" in made.inner_text()
    assert seen.quiet()


@pytest.mark.parametrize("width", [320, 1280])
def test_nothing_is_wider_than_the_screen(whole: Path, opened: Callable[..., Opened], width: int) -> None:
    seen = opened(whole, width=width)
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= width


def test_without_a_script_all_numbers_and_figures_are_there(
    whole: Path, opened: Callable[..., Opened]
) -> None:
    seen = opened(whole, java_script_enabled=False)
    assert seen.page.locator("article.card").count() == 3
    assert seen.page.locator("#trait-1 figure svg").count() >= 5
    assert seen.page.locator("noscript").count() == 1
