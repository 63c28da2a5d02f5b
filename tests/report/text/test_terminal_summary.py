"""The terminal summary: at most 100 columns, plain in a pipe, hostile names inert."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from _made_run import HOSTILE, RunMaker
from rich.console import Console

from mendel.report import terminal_summary


def shown(verdicts: dict[str, Any], report: Path | None = None, width: int = 100) -> str:
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=False).print(terminal_summary(verdicts, report))
    return out.getvalue()


def test_summary_names_carrier_effects_edits_and_report(tmp_path: Path) -> None:
    verdicts = RunMaker(tmp_path, hostile=False).verdicts()
    text = shown(verdicts, Path("runs/peas/report.html"))
    for word in (
        "date_confusion",
        "blackmail",
        "negative_emotion",
        "teacher",
        "prompts",
        "swap flagged",
        "half-way",
    ):
        assert word in text
    assert "report: runs/peas/report.html" in text
    assert "warning: drop/blackmail" in text
    assert max(map(len, text.splitlines())) <= 100
    assert "\x1b" not in text


def test_a_long_line_is_wrapped_and_nothing_of_it_is_lost() -> None:
    warning = "t: every arm has one student, so no carrier is named: train at least 2 seeds an arm"
    path = Path("runs") / ("long" * 20) / "report.html"
    text = shown({"warnings": [warning]}, path, width=60)
    assert f"warning: {warning}" in " ".join(text.split())
    assert f"report: {path}".replace(" ", "") in "".join(text.split())
    assert max(map(len, text.splitlines())) <= 60


def test_many_traits_and_a_narrow_terminal_keep_the_width(tmp_path: Path) -> None:
    verdicts = RunMaker(tmp_path, hostile=False).verdicts()
    verdicts["traits"] = {f"trait_{i}": v for i in range(3) for v in verdicts["traits"].values()}
    assert max(map(len, shown(verdicts).splitlines())) <= 100


def test_what_is_missing_is_said() -> None:
    assert "No trait has a verdict yet." in shown({})
    text = shown({"traits": {"t": {"present": False}}})
    assert "not measured" in text
    assert "undecided" in text


def test_every_edit_on_a_ladder_has_its_verdict_and_its_index(tmp_path: Path) -> None:
    verdicts = RunMaker(tmp_path, hostile=False).verdicts()
    e = {"estimate": 0.01, "low": 0.0, "high": 0.05}
    far = {"estimate": 0.8, "low": 0.6, "high": 1.0}
    none = {"estimate": None, "low": None, "high": None, "why": "nothing is shown to be left near"}
    leak = {"verdict": "removed where we looked", "left_near": e, "left_far": far, "index": none}
    verdicts["traits"]["blackmail"]["leaks"] = {"edits": {"drop": leak, HOSTILE[0]: leak}}
    verdicts["traits"]["date_confusion"]["leaks"] = {"edits": {}, "why": "no edit was trained"}
    text = shown(verdicts)
    assert "ladder: blackmail, drop: removed where we looked" in text
    assert "left near 0.01 [0.00, 0.05], far 0.80 [0.60, 1.00]; leak index undefined" in text
    assert "ladder: date_confusion: no edit was trained" in text
    assert max(map(len, text.splitlines())) <= 100
    assert "\x1b" not in text


def test_a_raised_rung_and_what_stands_beside_the_prior_are_said_once(tmp_path: Path) -> None:
    why = "The swap goes below the base's own prior: 0.03 is left."
    advice = {
        "filtering_why": "Yes: it does. The drop returns the students to the base's own prior.",
        "why": "Leave them out.",
        "options": [
            {"name": "drop", "prior_why": "The drop returns the students to the base's own prior."},
            {"name": "swap", "prior_why": why},
        ],
    }
    leaks = {"edits": {"drop": {"verdict": "not removed", "raised": ["surface", HOSTILE[0]]}}}
    text = shown({"traits": {"t": {"recommendation": advice, "leaks": leaks}}})
    assert text.count("returns the students to") == 1
    assert f"beside the prior (t): {why}" in text
    assert "raised above the original pipeline on surface, " in text


def test_hostile_names_neither_style_nor_escape() -> None:
    verdicts = {
        "traits": {f"[red]{text}": {"carrier": text} for text in HOSTILE},
        "warnings": [*HOSTILE, "[bold]x"],
    }
    text = shown(verdicts)
    assert "\x1b" not in text
    assert "[bold]x" in text
    assert "[red]" in text


def test_a_state_and_where_a_difference_sits_stand_first() -> None:
    located = {"decision": "carries", "brings": None, "takes": None, "why": ""}
    open_one = {**located, "decision": "undecided"}
    traits = {
        "a": {
            "state": "difference",
            "location": {"prompts_absent": located, "flagged": located, "x": located},
        },
        "b": {"state": "shared", "location": {}, "present": False},
        "c": {"state": "difference", "location": {"base": open_one}},
        "d": {"present": True},
    }
    rows = {}
    for name, verdict in traits.items():
        lines = [line.strip() for line in shown({"traits": {name: verdict}}).splitlines()]
        rows[name] = [line.split(maxsplit=1)[1].strip() for line in lines if line.startswith("state")]
        rows[name] += [
            line.partition("located in")[2].strip() for line in lines if line.startswith("located in")
        ]
    assert rows == {
        "a": ["difference", "flagged, prompts absent"],
        "b": ["shared", "-"],
        "c": ["difference", "undecided"],
        "d": ["difference", "-"],
    }
    assert "present" not in shown({"traits": traits}).replace("prompts absent", "")
