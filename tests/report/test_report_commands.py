"""`mendel report --figures` and `mendel compare` at the command line: what they print, write and refuse."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from _made_run import RunMaker


def command(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mendel.cli", *arguments], capture_output=True, text=True, cwd=cwd, check=False
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two small runs, `one` and `two`."""
    folder = tmp_path_factory.mktemp("place")
    RunMaker(folder / "one", scenarios=8, traits=("date_confusion",), hostile=False).write()
    shutil.copytree(folder / "one", folder / "two")
    return folder


def test_report_lists_the_figures_that_it_wrote(place: Path) -> None:
    done = command("report", "one", "--figures", "out", cwd=place)
    assert done.returncode == 0, done.stderr
    first, *figures = done.stdout.splitlines()
    assert first == "report: one/report.html"
    assert [line.removeprefix("figure: ") for line in figures] == [
        f"out/date_confusion-{part}.{ending}"
        for part in ("effects", "corners", "edits", "curve")
        for ending in ("svg", "png")
    ]
    assert all((place / line.removeprefix("figure: ")).stat().st_size > 1000 for line in figures)


def test_compare_writes_its_page_and_prints_or_gives_json(place: Path) -> None:
    done = command("compare", "one", "two", cwd=place)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "page: compare.html"
    assert "The studies do not differ." in done.stdout
    assert (place / "compare.html").read_text().startswith("<!doctype html>")
    done = command("compare", "one", "two", "--out", "other.html", "--json", cwd=place)
    content = json.loads(done.stdout)
    assert content["page"] == "other.html"
    assert [run["label"] for run in content["runs"]] == ["peas (one)", "peas (two)"]
    assert (place / "other.html").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["report", "one", "--figures", "one/study.yaml"], "one/study.yaml: not a folder"),
        (["compare", "one"], "two runs or more"),
        (["compare", "one", "./one"], "the same run is given twice"),
        (["compare", "one", "gone"], "gone: no such folder"),
        (["compare", "one", "two", "--out", "two"], "two: a folder"),
    ],
)
def test_wrong_input_ends_with_2_and_one_message(place: Path, arguments: list[str], message: str) -> None:
    done = command(*arguments, cwd=place)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == "" or arguments[0] == "report"
