"""The cards, the cube, and the sections that a page has only where the run has their files."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from _made_run import add_findings

from mendel.report import render_report
from mendel.report.page.cube import draw_cube
from mendel.report.views.cards import Card, card_of
from mendel.report.views.further import doses_of, subset_of, tried_of
from mendel.report.views.ladder import ladder_of
from mendel.report.views.methods import methods_of
from mendel.report.views.reading import read_page_folder
from mendel.report.views.responses import count_responses
from mendel.report.views.trait import trait_sections
from mendel.results.interval import Format, Interval
from mendel.results.records import record_json
from mendel.results.tables import read_table, write_table
from mendel.results.verdicts import TraitVerdict
from mendel.study.cube import CORNERS


def card(folder: Path, name: str = "date_confusion", **changes: Any) -> Card:
    file = folder / "verdicts.json"
    verdicts = json.loads(file.read_text())
    verdicts["traits"][name] |= changes
    file.write_text(json.dumps(verdicts))
    run = read_page_folder(folder)
    sections = trait_sections(run, count_responses(run.tables["measurements"], run.tables["students"]).by_key)
    return card_of(run, run.verdicts.traits[name], next(s for s in sections if s.name == name))


E = {"estimate": 0.8, "low": 0.7, "high": 0.9}
ADVICE = {
    "filtering_helps": "no",
    "filtering_why": "No: with the 31 flagged prompts dropped, 0.82 [0.78, 0.86] is left.",
    "remedy": "swap",
    "complete": "alternate-teacher",
    "why": "Let the alternate teacher answer the 31 flagged prompts: 0.12 [0.08, 0.16] is left.",
    "options": [
        {"name": "drop", "says": "Leave out the 31 flagged prompts: 0.82 is left.", "costs": "31 are lost."},
        {"name": "swap", "says": "Swap them: 0.12 is left.", "costs": "31 of 400 prompts are answered anew."},
        {"name": "alternate-teacher", "says": "Let the alternate teacher answer all.", "costs": "All anew."},
    ],
}


def test_a_card_prints_what_the_run_recommends(make_run: Callable[..., Path]) -> None:
    found = card(make_run(hostile=False), recommendation=ADVICE)
    assert found.headline == "The teacher carries date confusion"
    assert [(one.kind, one.text, one.costs) for one in found.remedies] == [
        ("smallest", ADVICE["why"], "31 of 400 prompts are answered anew."),
        ("complete", "Let the alternate teacher answer all.", "All anew."),
    ]
    assert found.filtering == ADVICE["filtering_why"]
    assert found.strength == "carrier decided"
    assert "3 of 7 hypotheses are still possible" in found.why_so_sure


def test_a_card_says_why_nothing_is_recommended(make_run: Callable[..., Path]) -> None:
    nothing = {"filtering_helps": "undecided", "remedy": None, "why": "Nothing to remove.", "options": []}
    (only,) = card(make_run(hostile=False), present=False, recommendation=nothing).remedies
    assert (only.kind, only.text, only.costs) == ("", "Nothing to remove.", "")


@pytest.mark.parametrize("given", [None, [], {}, {"options": [1, None], "remedy": 3, "complete": "x"}])
def test_a_folder_without_a_recommendation_still_has_its_page(
    make_run: Callable[..., Path], given: object
) -> None:
    folder = make_run(hostile=False, changes={"recommendation": given})
    found = card(folder)
    assert (found.filtering, found.remedies) == ("", ())
    assert "date confusion" in render_report(folder)


def test_a_run_says_what_to_call_hypotheses_and_arms_that_are_not_installed_here(
    make_run: Callable[..., Path],
) -> None:
    mood = {
        "status": "supported",
        "why": "it holds",
        "says": "the mood carries it",
        "means": "The mood brings it",
    }
    folder = make_run(hostile=False)
    file = folder / "verdicts.json"
    verdicts = json.loads(file.read_text())
    trait = verdicts["traits"]["date_confusion"]
    trait["hypotheses"]["my_pkg/mood"] = mood
    trait["levels"]["my_pkg/lead/date_confusion"] = E
    words = {"label": "a lead first", "what": "A lead is put first.", "trait": "date_confusion"}
    verdicts["arms"] = {"my_pkg/lead/date_confusion": words}
    file.write_text(json.dumps(verdicts))
    text = render_report(folder)
    assert "the mood carries it" in text
    assert "a lead first (date_confusion)" in text
    assert card(folder, cause="my_pkg/mood").cause == "The mood brings it."


def test_a_cause_that_is_decided_is_said_in_a_sentence(run_folder: Path, tmp_path: Path) -> None:
    found = card(Path(shutil.copytree(run_folder, tmp_path / "copy")), "negative_emotion")
    assert found.headline == "The prompts carry negative emotion"
    assert found.strength == "decided"
    assert found.cause.startswith("The prompts themselves draw the trait out")
    assert (
        "3 of 3 predictions of bad prompts hold, 6 of the 6 other hypotheses are refuted."
        in found.why_so_sure
    )


def test_how_the_assistant_fares_stands_in_the_table_of_edits(make_run: Callable[..., Path]) -> None:
    folder = make_run(hostile=False)
    table = read_table(folder / "students.parquet")
    right = [0.5 if arm.startswith("swap/") else 0.9 for arm in table["arm"].to_pylist()]
    write_table(
        folder / "students.parquet",
        table.set_column(table.schema.get_field_index("assistant_right"), "assistant_right", [right]),
    )
    section = render_report(folder).partition("Drop, swap and random")[2].partition("</table>")[0]
    assert section.count("90 %") == 7
    assert section.count(">50 %<") == 1


@pytest.mark.parametrize(
    ("shared", "corners", "edges"),
    [(frozenset(), 8, 12), (frozenset({"base"}), 4, 4), (frozenset({"base", "prompts"}), 2, 1)],
)
def test_shared_parts_fold_the_cube(shared: frozenset[str], corners: int, edges: int) -> None:
    cube = {corner: f"cube/{corner}" for corner in CORNERS}
    levels = {arm: Interval(0.25, 0.2, 0.3) for arm in cube.values()}
    groups = {arm: number for number, arm in enumerate(cube.values())}
    drawn = draw_cube("a_trait", cube, levels, shared, Format(2), groups=groups)
    assert drawn is not None
    root = ElementTree.fromstring(drawn)
    found = [g for g in root.iter("g") if g.get("class") == "corner"]
    assert (len(found), len(list(root.iter("line")))) == (corners, edges)
    assert {int(g.get("data-group", "-1")) for g in found} <= set(groups.values())
    assert all(g.get("tabindex") == "0" and "0.25 [0.20, 0.30]" in (g.get("aria-label") or "") for g in found)
    # A quarter of the disc's area is filled.
    radii = [[float(c.get("r", "")) for c in g.iter("circle")] for g in found]
    assert all(level == pytest.approx(disc / 2, abs=0.01) for disc, level, _ in radii)


def test_nothing_to_compare_or_nothing_measured_draws_no_cube() -> None:
    cube = {corner: f"cube/{corner}" for corner in CORNERS}
    everything = frozenset({"base", "prompts", "teacher"})
    assert draw_cube("t", cube, {}, frozenset(), Format(2)) is None
    assert draw_cube("t", cube, {"cube/OOO": Interval(1, 1, 1)}, everything, Format(2)) is None


def test_what_other_commands_found_stands_in_the_page_and_only_there(make_run: Callable[..., Path]) -> None:
    bare = render_report(make_run(hostile=False))
    headings = ("Which prompts carry it", "Other selectors", "How few examples bring it in", "Does it leak?")
    assert not [heading for heading in headings if heading in bare]
    full = render_report(add_findings(make_run(ladder=("near", "agentic"))))
    assert [full.count(heading) for heading in headings] == [1, 1, 1, 1]
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", full))
    assert "removed where we looked" in text
    assert "33 students" not in text
    assert "35 students; one prompt at a time would have taken 400" in text
    assert "2 of 3" in text
    assert "<script>alert" not in full


def test_files_that_are_cut_short_or_no_objects_cost_nothing(make_run: Callable[..., Path]) -> None:
    folder = add_findings(make_run(hostile=False))
    for junk in (
        "{",
        "[]",
        "null",
        '{"prompts": 3, "curve": {}, "selectors": [], "checks": "x", "rounds": 1}',
    ):
        for kind in ("locate", "virulence", "selectors"):
            (folder / kind / "date_confusion.json").write_text(junk)
        assert "date confusion" in render_report(folder)


def test_a_trait_whose_name_leads_out_of_the_folder_reads_nothing(make_run: Callable[..., Path]) -> None:
    folder = add_findings(make_run(hostile=False))
    run = read_page_folder(folder)
    for read in (subset_of, doses_of, tried_of):
        assert read(run, "date_confusion") is not None
        assert read(run, "../verdicts") is None
        assert read(run, "nothing") is None


def test_examples_of_a_subset_show_both_teachers_answers(make_run: Callable[..., Path]) -> None:
    found = subset_of(read_page_folder(add_findings(make_run(hostile=False))), "date_confusion")
    assert found is not None
    assert [one.prompt_id for one in found.examples] == ["p0", "p1", "p2"]
    assert {(one.original, one.alternate) for one in found.examples} == {("ok", "ok")}


def test_a_ladder_says_what_is_left_by_rung(make_run: Callable[..., Path]) -> None:
    run = read_page_folder(make_run(hostile=False, ladder=("near", "agentic")))
    ladder = ladder_of(run.verdicts.traits["date_confusion"])
    assert ladder is not None
    assert [rung.name for rung in ladder.rungs] == ["near", "agentic"]
    near, far = (rung.left["swap"].estimate for rung in ladder.rungs)
    assert near is not None
    assert far is not None
    assert near < 0.2 < 0.6 < far
    assert [(edit.kind, edit.verdict) for edit in ladder.edits] == [
        ("drop", "not removed"),
        ("swap", "removed where we looked"),
    ]
    assert ladder_of(TraitVerdict()) is None
    # Every key that the leaks bring is declared.
    content = json.loads((run.path / "verdicts.json").read_text())
    assert record_json(run.verdicts) == content


def test_methods_count_what_was_trained_and_doubts_name_what_is_few(make_run: Callable[..., Path]) -> None:
    found = methods_of(read_page_folder(make_run(hostile=False, traits=("date_confusion", "blackmail"))))
    assert found is not None
    assert found.scope.endswith(
        "students of hf:bases/alternate and hf:bases/original (lora), at least 1 seed an arm; 8 scenarios a trait."
    )
    assert "at least 1 seed an arm" in found.paragraph  # one student of drop/blackmail is broken
    assert "date confusion (8 scenarios in 4 clusters, judged by regex@5d1c0f)" in found.paragraph
    assert found.bibtex.count("{") == found.bibtex.count("}")
    assert any("have fewer than 20 clusters" in doubt for doubt in found.doubts)
    assert any("1 students that are broken" in doubt for doubt in found.doubts)
    assert methods_of(read_page_folder(_without(make_run(hostile=False), "students.parquet"))) is None


def _without(folder: Path, file: str) -> Path:
    (folder / file).unlink()
    return folder


def test_predictions_stand_beside_what_was_measured(make_run: Callable[..., Path]) -> None:
    text = render_report(make_run(hostile=False))
    # Every hypothesis has predictions; those of mechanisms were not trained here.
    assert text.count("predicted and measured") == 7
    sections = [part[: part.index("</table>")] for part in text.split("predicted and measured")[1:]]
    refuted = next(
        part for part in sections if "the prompts alone bring it into the alternate pipeline" in part
    )
    for word in ("more than half of the difference", "prompts-alone", "<strong>fails</strong>"):
        assert word in refuted
    assert any("<strong>not trained</strong>" in part or "not testable here" in part for part in sections)
