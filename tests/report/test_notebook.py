"""What a notebook shows: self-contained, inert, honest about what is missing; tables as frames."""

from __future__ import annotations

import builtins
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from _made_run import HOSTILE
from _page import Page

import mendel
from mendel.engine.errors import InputError
from mendel.report import Shown
from mendel.results.interval import Interval, fitting
from mendel.results.notebook import verdicts_line
from mendel.results.run import TABLES, Run
from mendel.results.verdicts import TraitVerdict, Verdicts


def test_run_shows_its_verdicts_without_script_or_style(run_folder: Path) -> None:
    mendel.write_report(run_folder)
    html = mendel.open_run(run_folder)._repr_html_()
    page = Page(html)
    assert {tag for tag, _ in page.elements} <= {
        "p", "strong", "em", "code", "table", "thead", "tbody", "tr", "th", "td",
    }  # fmt: skip
    assert not [attributes for _, attributes in page.elements if attributes]
    level = fitting(Interval(0.9)).value(mendel.open_run(run_folder).traits["blackmail"].original)
    for text in ("date_confusion", "undecided", level, "report.html"):
        assert text in page.text
    assert "not finished" not in page.text
    assert mendel.open_run(run_folder)._repr_html_() == html


def test_half_finished_run_says_so_and_fails_at_nothing(make_run: Callable[..., Path]) -> None:
    folder = make_run(hostile=False)
    assert "report.html" in Page(mendel.open_run(folder)._repr_html_()).text
    (folder / "verdicts.json").unlink()
    run = Run(folder)
    assert "not finished: verdicts.json" in Page(run._repr_html_()).text
    assert "no verdict yet" in repr(run)
    (folder / "verdicts.json").write_text("[]")
    assert "no verdict yet" in repr(Run(folder))
    assert "not finished" in Run(folder.parent / "nowhere")._repr_html_()


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_names_are_inert(make_run: Callable[..., Path], hostile: str) -> None:
    folder = make_run(hostile=False)
    verdicts = json.loads((folder / "verdicts.json").read_text())
    trait = {**verdicts["traits"]["date_confusion"], "carrier": hostile, "cause": hostile}
    (folder / "verdicts.json").write_text(
        json.dumps({**verdicts, "study": hostile, "traits": {hostile: trait}})
    )
    run = mendel.open_run(folder)
    page = Page(run._repr_html_())
    assert {tag for tag, _ in page.elements} <= {
        "p", "strong", "em", "code", "table", "thead", "tbody", "tr", "th", "td",
    }  # fmt: skip
    for text in (run._repr_html_(), repr(run)):
        assert not set(text) & set("\x00\x07\x1b\x9b\u202e\u2066")


def test_run_has_a_plain_repr(run_folder: Path) -> None:
    assert repr(Run(run_folder)) == (
        f"Run({str(run_folder)!r}: date_confusion undecided, blackmail undecided, negative_emotion undecided)"
    )


def test_the_line_of_a_run_names_states_and_what_carries_a_difference() -> None:
    traits = {
        "a": TraitVerdict(state="difference", carrier="teacher"),
        "b": TraitVerdict(state="shared", carrier="undecided"),
        "c": TraitVerdict(present=True, carrier="base"),
        "d": TraitVerdict(present=False, carrier="none"),
    }
    assert (
        verdicts_line(Verdicts(traits=traits))
        == "a difference (teacher), b shared, c difference (base), d undecided"
    )


def test_a_result_shows_what_it_describes() -> None:
    class Result(Shown):
        def describe(self) -> str:
            return "<b>1 < 2</b>\n\x1b[31mred"

    assert Result()._repr_html_() == "<pre>&lt;b&gt;1 &lt; 2&lt;/b&gt;\n\ufffd[31mred</pre>"


@pytest.mark.parametrize(
    "result",
    [
        mendel.Located,
        mendel.VirulenceResult,
        mendel.TriedSelectors,
        mendel.Audit,
        mendel.Plan,
        mendel.Comparison,
    ],
)
def test_all_results_show_themselves(result: type) -> None:
    assert issubclass(result, Shown)
    assert result.describe is not Shown.describe


def test_an_audit_describes_its_levels() -> None:
    level = {"estimate": 0.25, "low": 0.1, "high": 0.4, "responses": 40}
    audit = mendel.Audit(models={"teacher": {"ref": "hf:x", "traits": {"<b>": level}}})
    assert audit.describe() == "teacher: hf:x\n  <b>: 0.25 [0.10, 0.40] (40 responses)"
    assert "&lt;b&gt;" in audit._repr_html_()
    assert mendel.Audit().describe() == "Nothing was audited."


@pytest.mark.parametrize("library", ["pandas", "polars"])
@pytest.mark.parametrize("table", TABLES)
def test_a_frame_has_the_rows_and_columns_of_its_table(run_folder: Path, table: str, library: Any) -> None:
    run = mendel.open_run(run_folder)
    frame = run.frame(table, library=library)
    assert type(frame).__module__.startswith(library)
    arrow = getattr(run, table)
    assert frame.shape == (arrow.num_rows, arrow.num_columns)
    assert list(frame.columns) == arrow.column_names


def test_wrong_frames_are_input_errors(run_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = mendel.open_run(run_folder)
    with pytest.raises(InputError, match="Did you mean 'measurements'"):
        run.frame("measurement")
    wrong: Any = "numpy"
    with pytest.raises(InputError, match="'pandas' or 'polars'"):
        run.frame("students", library=wrong)
    real = builtins.__import__

    def without(name: str, *rest: Any, **named: Any) -> Any:
        if name == "polars":
            raise ModuleNotFoundError(name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match=r"Run.frame: polars is not installed.*mendel\[frames\]"):
        run.frame("students", library="polars")
