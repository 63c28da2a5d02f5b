"""Figures as files and values.

Every interval drawn, names that stay in their folder, the same bytes twice.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from _made_run import HOSTILE
from hypothesis import given
from hypothesis import strategies as st

import mendel
from mendel.engine.errors import InputError
from mendel.report.figures import VEGA_LITE, safe_names, write_figures
from mendel.report.views.words import PLACES

OKABE_ITO = {"#0072b2", "#d55e00"}


def test_every_figure_of_the_page_is_a_file(run_folder: Path, tmp_path: Path) -> None:
    written = write_figures(run_folder, tmp_path / "figures")
    on_page = len(re.findall("<svg", mendel.write_report(run_folder).read_text()))
    assert len(written) == 2 * on_page
    assert {path.name for path in written} == {path.name for path in (tmp_path / "figures").iterdir()}
    for name in ("date_confusion-effects", "blackmail-edits", "date_confusion-curve"):
        assert {f"{name}.svg", f"{name}.png"} <= {path.name for path in written}
    # Its teachers do not differ, so nothing of it was edited.
    assert "negative_emotion-edits.svg" not in {path.name for path in written}


def test_svg_draws_one_interval_for_each_number_in_real_colours(run_folder: Path) -> None:
    for figure in mendel.figures(run_folder).values():
        svg = figure.svg()
        root = ElementTree.fromstring(svg)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        intervals = re.search('<g class="interval_marks">(.*?)</g>', svg, re.DOTALL)
        assert intervals is not None
        assert intervals[1].count("<line") == figure.label.count("[") > 0
        assert OKABE_ITO & set(re.findall("#[0-9a-f]{6}", svg))
        assert "#ffffff" in svg
        for word in ("var(", "<script", "href", "http://evil", "<style", "<image", "foreignObject"):
            assert word not in svg


def test_edits_say_in_the_file_what_their_shapes_mean(run_folder: Path) -> None:
    svg = mendel.figures(run_folder)["blackmail-edits"].svg()
    for words in ("flagged prompts", "as many random prompts", "no edit, or all prompts"):
        assert f">{words}</text>" in svg


def test_png_has_three_pixels_for_each_of_the_figure(run_folder: Path) -> None:
    figure = mendel.figures(run_folder)["blackmail-effects"]
    size = re.search(r'width="(\d+)" height="(\d+)"', figure.svg())
    assert size is not None
    png = figure.png()
    assert png.startswith(b"\x89PNG")
    assert struct.unpack(">II", png[16:24]) == tuple(3 * int(side) for side in size.groups())
    with pytest.raises(InputError, match="scale"):
        figure.png(0)


def test_files_repeat_to_the_same_bytes(run_folder: Path, tmp_path: Path) -> None:
    first = {path.name: path.read_bytes() for path in write_figures(run_folder, tmp_path / "a")}
    assert {path.name: path.read_bytes() for path in write_figures(run_folder, tmp_path / "b")} == first


def test_a_notebook_gets_svg_and_the_specification(run_folder: Path) -> None:
    figure = mendel.figures(run_folder)["date_confusion-curve"]
    bundle = figure._repr_mimebundle_(include=None, exclude=None)
    assert bundle["image/svg+xml"] == figure.svg()
    assert json.loads(json.dumps(bundle[VEGA_LITE]))["$schema"].endswith("/v5.json")
    assert bundle["text/plain"].startswith("Level by the share")


@pytest.mark.parametrize("name", [*HOSTILE, "../../etc/passwd", "/tmp/x", "..", ".", "", "a" * 400, "CON/x"])
def test_names_of_traits_stay_inside_the_folder(
    make_run: Callable[..., Path], tmp_path: Path, name: str
) -> None:
    folder = make_run(hostile=False)
    verdicts = json.loads((folder / "verdicts.json").read_text())
    verdicts["traits"] = {name: verdicts["traits"]["date_confusion"]}
    (folder / "verdicts.json").write_text(json.dumps(verdicts))
    out = tmp_path / "out"
    written = write_figures(folder, out)
    assert written
    for path in written:
        assert path.resolve().parent == out.resolve()
        assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,90}\.(svg|png)", path.name)
    assert {path.name for path in tmp_path.iterdir()} <= {"out", "peas", "store"}


@given(st.lists(st.text(), unique=True, max_size=6))
def test_no_two_traits_share_a_file(names: list[str]) -> None:
    safe = safe_names(names)
    assert len({name.casefold() for name in safe}) == len(names)
    assert safe_names(names) == safe


def test_plain_names_stay_as_they_are() -> None:
    assert safe_names(["date_confusion", "blackmail.v2"]) == ["date_confusion", "blackmail.v2"]
    assert all(re.fullmatch("(Trait|trait)-[0-9a-f]{8}", name) for name in safe_names(["Trait", "trait"]))


def test_out_that_is_a_file_is_an_input_error(run_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "deeper"):
        with pytest.raises(InputError, match="not a folder"):
            write_figures(run_folder, out)


def test_run_without_verdicts_has_no_figure(make_run: Callable[..., Path], tmp_path: Path) -> None:
    folder = make_run(hostile=False)
    (folder / "verdicts.json").unlink()
    assert mendel.figures(folder) == {}
    assert write_figures(folder, tmp_path / "out") == []
    with pytest.raises(InputError, match="no run in this folder"):
        mendel.figures(tmp_path)


def test_doses_and_ladder_are_drawn_where_the_run_has_them(make_run: Callable[..., Path]) -> None:
    def around(value: float | None) -> dict[str, float | None]:
        return {
            "estimate": value,
            "low": None if value is None else value - 0.05,
            "high": None if value is None else value + 0.05,
        }

    left = {
        "near": around(0.2),
        "agentic": {"estimate": 0.7, "low": None, "high": None},
        "wording": around(None),
    }
    rungs = {name: {"shown": name != "wording"} for name in left}
    folder = make_run(hostile=False, changes={"leaks": {"rungs": rungs, "edits": {"drop": {"left": left}}}})
    (folder / "virulence").mkdir()
    curve = [{"share": share, "level": around(0.5)} for share in (0.01, 0.1, 1)]
    (folder / "virulence" / "date_confusion.json").write_text(json.dumps({"curve": curve}))
    drawn = mendel.figures(folder)
    for share in ("1%", "10%", "100%"):
        assert f">{share}</text>" in drawn["date_confusion-doses"].svg()
    ladder = drawn["date_confusion-ladder"].svg()
    assert ">0.7, interval unknown</text>" in ladder
    assert ">drop flagged</text>" in ladder
    # A rung on which the pipelines are not shown to differ has nothing that could be left.
    assert ">wording</text>" not in ladder
    assert mendel.write_report(folder).read_text().count("<svg") == len(drawn)


def test_a_location_has_two_marks_a_part_and_arrows_where_they_are_cut_off(
    make_run: Callable[..., Path],
) -> None:
    def part(
        brings: tuple[float | None, ...] | None, takes: tuple[float | None, ...] | None, decision: str
    ) -> Any:
        shares = [
            None if share is None else dict(zip(("estimate", "low", "high"), share, strict=True))
            for share in (brings, takes)
        ]
        return {"brings": shares[0], "takes": shares[1], "decision": decision, "why": HOSTILE[0]}

    location = {
        "flagged": part((0.9, 0.5, 1.4), (1.2, 0.6, None), "carries"),
        "mild": part((0.1, 0.05, 0.2), (-0.3, -0.8, 0.1), "does not carry"),
        "unseen": part(None, None, "undecided"),
        "base": part((0.1, None, None), (0.2, -0.1, 0.6), "undecided"),
    }
    figure = mendel.figures(make_run(hostile=False, changes={"location": location}))[
        "date_confusion-location"
    ]
    svg = figure.svg()

    def marks(name: str, shape: str) -> int:
        found = re.search(rf'<g class="{name}_marks">(.*?)</g>', svg, re.DOTALL)
        return found[1].count(f"<{shape}") if found else 0

    # Five shares have an interval: a bare point would look certain.
    assert (marks("interval", "line"), marks("point", "path"), figure.label.count("[")) == (5, 5, 5)
    assert (marks("above", "path"), marks("below", "path")) == (2, 2)
    for words in ("more than a quarter", "less than a quarter", "undecided", "not known"):
        assert f">{words}</text>" in svg
    assert ">brings in alone: interval unknown</text>" in svg
    assert "<script" not in svg
    assert "rollouts that the filter flags: brings in alone 90 % [50, 140]" in figure.label
    order = [svg.index(f">{label}</text>") for label in PLACES.values() if f">{label}</text>" in svg]
    assert len(order) == 4
    assert order == sorted(order)


def test_no_location_is_drawn_where_nothing_of_it_is_known(make_run: Callable[..., Path]) -> None:
    nothing = {"brings": None, "takes": None, "decision": "undecided", "why": "not trained"}
    for location in ({}, {"flagged": nothing, "base": nothing}):
        folder = make_run(hostile=False, changes={"location": location})
        assert "date_confusion-location" not in mendel.figures(folder)
        page = mendel.write_report(folder).read_text()
        assert ("as a table</summary>" in page) == bool(location)
        assert page.count("not trained") == len(location)
