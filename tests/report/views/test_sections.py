"""The cards, the cube, and the sections that a page has only where the run has their files."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from _made_run import add_findings
from markupsafe import escape

from mendel.report import render_report
from mendel.report.page.cube import draw_cube
from mendel.report.views.cards import Card, card_of
from mendel.report.views.further import doses_of, recipes_of, subset_of, tried_of
from mendel.report.views.ladder import ladder_of
from mendel.report.views.location import location_rows, share_text
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
    return card_of(run.verdicts.traits[name], next(s for s in sections if s.name == name))


E = {"estimate": 0.8, "low": 0.7, "high": 0.9}
ENOUGH: dict[str, Any] = {"seeds": 8, "scenarios": 20}
"""Students and scenarios enough for a difference."""
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
    found = card(make_run(hostile=False, **ENOUGH), recommendation=ADVICE)
    assert found.headline == "the teacher makes most of the difference"
    assert found.state == "difference: the original pipeline shows more"
    assert [(one.kind, one.text, one.costs) for one in found.remedies] == [
        ("smallest", ADVICE["why"], "31 of 400 prompts are answered anew."),
        ("complete", "Let the alternate teacher answer all.", "All anew."),
    ]
    assert found.filtering == ADVICE["filtering_why"]
    assert found.strength == "located, cause open"
    assert found.carrier.startswith("More than half of the difference between the pipelines comes with the")
    assert found.cause.startswith("No mechanism is named: of 8 hypotheses")


def test_a_card_says_why_nothing_is_recommended(make_run: Callable[..., Path]) -> None:
    nothing = {"filtering_helps": "undecided", "remedy": None, "why": "Nothing to change.", "options": []}
    (only,) = card(make_run(hostile=False), recommendation=nothing).remedies
    assert (only.kind, only.text, only.costs) == ("", "Nothing to change.", "")


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
    # A folder without sentences is an older one.
    old = {"state": None, "present": True, "sentences": [], "cause": "my_pkg/mood"}
    assert card(folder, **old).cause == "The mood brings it."


def test_a_cause_that_is_named_is_said_by_the_run(make_run: Callable[..., Path]) -> None:
    said = [{"key": "state-difference", "text": "It differs."}, {"key": "cause", "text": "It is so: +0.6."}]
    text = {"state": "difference", "state_why": "It differs.", "explanation": "It is so: +0.6."}
    found = card(make_run(hostile=False), cause="bad_prompts", sentences=said, **text)
    assert (found.strength, found.lead, found.cause) == ("cause named", "It differs.", "It is so: +0.6.")


LEVEL = {"original": E, "alternate": E}
STATES: Mapping[str, tuple[dict[str, Any], str, tuple[str, ...], tuple[str, ...]]] = {
    # What stands in verdicts.json; the headline; what the card says; what it does not.
    "shared": (
        {
            "sentences": [
                {"key": "state-shared", "text": "Both show it: 0.80."},
                {"key": "shared-base", "text": "The base shows 0.70."},
                {"key": "shared-what-helps", "text": "Another base could tell."},
            ],
            "state_why": "Both show it: 0.80.",
        },
        "both pipelines show it",
        ("Both show it: 0.80.", "The base shows 0.70.", "Another base could tell."),
        ("carrier", "cause"),
    ),
    "absent": (
        {
            "sentences": [{"key": "state-absent", "text": "None of 6 shows it."}],
            "state_why": "None of 6 shows it.",
        },
        "no student of either pipeline shows it",
        ("None of 6 shows it.",),
        ("carrier", "cause"),
    ),
    "undecided": (
        {"sentences": [{"key": "state-reverse", "text": "The alternate."}], "state_why": "The alternate."},
        "the alternate pipeline shows more of it",
        ("The alternate.",),
        ("carrier", "cause"),
    ),
}


@pytest.mark.parametrize("state", STATES)
def test_a_card_says_the_state_and_no_carrier_or_cause_without_a_difference(
    make_run: Callable[..., Path], state: str
) -> None:
    content, headline, says, silent = STATES[state]
    folder = make_run(hostile=False)
    found = card(folder, state=state, present=False, location={}, **LEVEL, **content)
    assert found.headline == headline
    assert all(text in found.lead for text in says)
    assert not any(getattr(found, name) for name in (*silent, "strength", "filtering"))
    first = render_report(folder).partition("<article")[2].partition("</article>")[0]
    assert f'<span class="badge {state}">{state}' in first
    for word in ("present", "not shown to be"):
        assert word not in first


@pytest.mark.parametrize(
    ("present", "state"), [(True, "difference"), (False, "undecided"), (None, "undecided")]
)
def test_a_folder_that_knows_no_state_is_called_no_more_than_it_showed(
    make_run: Callable[..., Path], present: bool | None, state: str
) -> None:
    folder = make_run(hostile=False)
    old = {"present": present, "carrier": "none", "summary": "As it was.", "sentences": [], "state": None}
    found = card(folder, **old)
    assert (found.state.partition(":")[0], found.lead) == (state, "As it was.")
    assert "As it was." in render_report(folder)


PART = {
    "brings": {"estimate": 0.98, "low": 0.6, "high": 1.4},
    "takes": None,
    "decision": "carries",
    "why": "no arm",
}


def test_a_location_has_a_row_a_part_in_the_order_of_the_page() -> None:
    nothing = {"brings": None, "takes": None, "decision": "undecided", "why": "one base"}
    location = {"base": nothing, "flagged": PART, "whatever": PART, "mild": {"brings": "x", "takes": 3}}
    rows = location_rows(TraitVerdict.read({"location": location}))
    assert [(row.name, row.decision, row.decided, row.why) for row in rows] == [
        ("flagged", "more than a quarter", True, "no arm"),
        ("mild", "not known", False, "not measured"),
        ("base", "not known", False, "one base"),
    ]
    assert [share_text(rows[0].brings), share_text(rows[0].takes)] == ["98 % [60, 140]", "not measured"]
    assert share_text(Interval(-0.004, None, 0.1)) == "0 % [?, 10]"
    assert share_text(Interval(-0.2)) == "\N{MINUS SIGN}20 %, interval unknown"
    assert location_rows(TraitVerdict.read({"location": {}})) == location_rows(TraitVerdict()) == ()


def test_only_what_a_contrast_of_two_arms_refuted_is_counted_as_refuted(
    make_run: Callable[..., Path],
) -> None:
    folder = make_run(hostile=False)
    same = {"id": "same", "kind": "k", "arms": ["cube/OOA", "cube/OOA"], "n_students": 2, "reads": "r", **E}
    two = {**same, "id": "two", "arms": ["cube/OOO", "cube/OOA"]}

    def hypothesis(status: str, *contrasts: str, why: str = "so") -> dict[str, Any]:
        return {"status": status, "why": why, "contrasts": list(contrasts)}

    card(
        folder,
        contrasts=[same, two],
        hypotheses={
            "bad_prompts": hypothesis("refuted", "two"),
            "underspecification": hypothesis("refuted", "same"),
            "direct_imitation": hypothesis("supported", "two"),
            "persona_selection": hypothesis("untested", why="impossible: one base"),
        },
    )
    text = render_report(folder)
    assert (
        "Of 8 hypotheses: 1 supported, 1 refuted by a measured contrast, 4 untested, "
        "1 cannot be tested in this study." in text
    )
    assert ">cannot be tested in this study<" in text
    assert ">one base<" in text


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
    assert "no hypothesis could be tested" in found.paragraph  # one student of most arms decides nothing
    assert "One seed an arm, the fewest here, tells little" in " ".join(found.doubts)
    assert any("have fewer than 20 clusters" in doubt for doubt in found.doubts)
    assert any("The student that is broken or failed was lost" in doubt for doubt in found.doubts)
    assert methods_of(read_page_folder(_without(make_run(hostile=False), "students.parquet"))) is None


@pytest.mark.parametrize(
    ("statuses", "says"),
    [
        ({"a": "supported", "b": "untested"}, "1 of 2 hypotheses was tested against its predictions"),
        ({"a": "supported", "b": "refuted"}, "2 hypotheses were tested against their predictions"),
        ({"a": "untested"}, "no hypothesis could be tested (how often"),
    ],
)
def test_methods_count_only_hypotheses_that_were_tested(
    make_run: Callable[..., Path], statuses: dict[str, str], says: str
) -> None:
    hypotheses = {name: {"status": status} for name, status in statuses.items()}
    found = methods_of(read_page_folder(make_run(hostile=False, changes={"hypotheses": hypotheses})))
    assert found is not None
    assert f"; {says}" in found.paragraph


def _without(folder: Path, file: str) -> Path:
    (folder / file).unlink()
    return folder


def test_predictions_stand_beside_what_was_measured(make_run: Callable[..., Path]) -> None:
    text = render_report(make_run(hostile=False, seeds=10, scenarios=60))
    # Every hypothesis has predictions; those of mechanisms were not trained here.
    assert text.count("predicted and measured") == 8
    sections = [part[: part.index("</table>")] for part in text.split("predicted and measured")[1:]]
    held = next(part for part in sections if "the original teacher on the flagged prompts alone" in part)
    for word in ("more than half of the difference", "teacher-here", "<strong>holds</strong>"):
        assert word in held
    assert any("less than half of the difference" in part for part in sections)
    assert any("<strong>not trained</strong>" in part or "not testable here" in part for part in sections)


def test_what_an_edit_leaves_beside_the_prior_stands_under_the_table_of_edits(
    make_run: Callable[..., Path],
) -> None:
    why = "The swap goes below the base's own prior: 0.03 is left, the untrained base shows 0.10."
    options = [{**ADVICE["options"][1], "prior_why": why}, {"name": "drop"}]  # type: ignore[dict-item]
    folder = make_run(hostile=False, changes={"recommendation": {**ADVICE, "options": options}})
    assert render_report(folder).count(str(escape(why))) == 1


def test_other_recipes_have_a_table_where_any_was_tried(make_run: Callable[..., Path]) -> None:
    folder = make_run(hostile=False)
    assert "under other recipes" not in render_report(folder)
    file = folder / "verdicts.json"
    content = json.loads(file.read_text())
    share = {"estimate": 0.2, "low": 0.1, "high": 0.4}
    check = {
        "recipe": "at <b>a third</b> of the learning rate", "difference": {"estimate": 0.8, "low": 0.5, "high": 0.9},
        "contrasts": {"date_confusion/drop": share}, "holds": "no", "why": "less than half", "students": 3,
    }  # fmt: skip
    content["traits"]["date_confusion"]["robustness"] = {"third": check, "method": None}
    file.write_text(json.dumps(content))
    rows = recipes_of(read_page_folder(folder).verdicts.traits["date_confusion"])
    assert [(row.holds, row.difference.estimate) for row in rows][:1] == [("no", 0.8)]
    assert rows[0].contrasts[0][1].high == 0.4
    page = render_report(folder)
    assert "under other recipes" in page
    assert "0.20" in page
    assert "<b>a third</b>" not in page
