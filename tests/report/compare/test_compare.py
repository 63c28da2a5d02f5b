"""Runs side by side: what differs, on one axis only what can be compared, hostile text inert, bad input
said."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from _made_run import HOSTILE, RunMaker
from _page import ALLOWED, Page

import mendel
from mendel.engine.errors import InputError

Change = Callable[[dict[str, Any], dict[str, Any]], object]


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    """Writes a run of its own folder; `change` gets its verdicts and its study."""

    def written(name: str, change: Change = lambda *_: None, **fields: Any) -> Path:
        small = {"scenarios": 8, "traits": ("date_confusion",), "hostile": False, **fields}
        folder = RunMaker(tmp_path / name, **small).write()
        verdicts = json.loads((folder / "verdicts.json").read_text())
        study = yaml.safe_load((folder / "study.yaml").read_text())
        verdicts["study"] = study["name"] = name
        change(verdicts, study)
        (folder / "verdicts.json").write_text(json.dumps(verdicts))
        (folder / "study.yaml").write_text(yaml.safe_dump(study))
        return folder

    return written


def figures_of(page: str) -> list[str]:
    return re.findall("<svg.*?</svg>", page, re.DOTALL)


def test_what_differs_between_the_studies_is_said(make: Callable[..., Path]) -> None:
    found = mendel.compare(
        [make("a"), make("b", lambda _, study: study["recipe"].update(rank=4, epochs=2.0))]
    )
    assert [(row.key, row.values) for row in found.differs] == [("recipe.rank", ("16", "4"))]
    assert "recipe.rank: 16 | 4" in found.describe()
    assert "recipe.rank 16 4" in Page(found.html()).text


def test_every_number_of_both_runs_stands_in_page_text_and_json(make: Callable[..., Path]) -> None:
    other = {"estimate": 0.5123, "low": 0.4567, "high": 0.6011}
    found = mendel.compare(
        [make("a"), make("b", lambda v, _: v["traits"]["date_confusion"].update(original=other))]
    )
    for text in (Page(found.html()).text, found.describe()):
        assert "0.51 [0.46, 0.60]" in text
        assert "0.94 [" in text
    trait = found.to_json()["traits"]["date_confusion"]
    assert trait["comparable"]
    assert trait["runs"]["b"]["original"] == other
    assert set(trait["runs"]["a"]) >= {
        "original", "alternate", "base", "prompts", "teacher", "drop", "swap", "carrier", "cause",
    }  # fmt: skip


def test_runs_share_an_axis_with_an_interval_for_each_estimate(make: Callable[..., Path]) -> None:
    found = mendel.compare([make("a"), make("b"), make("c")])
    levels, effects = figures_of(found.html())
    for figure, count in ((levels, 4 * 3), (effects, 3 * 3)):
        marks = re.findall('<g class="interval_marks">(.*?)</g>', figure, re.DOTALL)
        assert sum(mark.count("<line") for mark in marks) == count
        label = re.search('aria-label="(.*?)"', figure)
        assert label is not None
        assert label[1].count("[") == count
    # Quantities stand in the order in which one reads them, not in that of the alphabet.
    places = [
        levels.index(f">{words}<") for words in ("original pipeline", "alternate pipeline", "flagged dropped")
    ]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("key", "value", "word"),
    [("judge", "regex@other", "judges"), ("scale", "score of 10", "scales"), ("metric", "mean", "scales")],
)
def test_other_scale_or_judge_is_warned_of_and_gets_its_own_axis(
    make: Callable[..., Path], key: str, value: str, word: str
) -> None:
    found = mendel.compare(
        [make("a"), make("b", lambda v, _: v["traits"]["date_confusion"].update({key: value}))]
    )
    assert any(word in warning and "not comparable" in warning for warning in found.warnings)
    page = found.html()
    assert "Not comparable." in Page(page).text
    assert len(figures_of(page)) == 4
    for figure in figures_of(page):
        assert (">a<" in figure) != (">b<" in figure)


def test_half_finished_run_and_trait_of_one_run_are_warned_of(make: Callable[..., Path]) -> None:
    whole, part = make("a", traits=("date_confusion", "blackmail")), make("b")
    (part / "measurements.parquet").unlink()
    early = make("c", lambda v, _: v.update(complete=False))
    found = mendel.compare([whole, part, early])
    text = "\n".join(found.warnings)
    assert "b: not finished" in text
    assert "c: it stopped before its end" in text
    assert "blackmail: only in a" in text
    assert "warning: b: not finished" in found.describe()


def test_missing_values_are_said_and_never_zero(make: Callable[..., Path]) -> None:
    loose = {"estimate": 0.4321, "low": None, "high": None}

    def change(verdicts: dict[str, Any], _: object) -> None:
        verdicts["traits"]["date_confusion"].update(original=loose, effects={})

    page = mendel.compare([make("a"), make("b", change)]).html()
    assert "0.43 interval unknown" in Page(page).text
    assert "0.432, interval unknown" in figures_of(page)[0]
    assert "not measured" in figures_of(page)[1]


def test_runs_of_one_name_are_told_apart(tmp_path: Path) -> None:
    fields: dict[str, Any] = {"scenarios": 8, "traits": ("date_confusion",), "hostile": False}
    folders = [RunMaker(tmp_path / name, **fields).write() for name in ("x", "y", "z/y", "w/peas")]
    labels = [run.label for run in mendel.compare(folders).runs]
    assert labels[0] == "peas (x)"
    assert labels[3] == "peas"
    assert len(set(labels)) == 4


def test_hostile_text_is_inert(make: Callable[..., Path]) -> None:
    def change(verdicts: dict[str, Any], study: dict[str, Any]) -> None:
        trait = verdicts["traits"].pop("date_confusion")
        trait.update(carrier=HOSTILE[1], cause=HOSTILE[2], judge=HOSTILE[3], scale=HOSTILE[4])
        verdicts["traits"] = {HOSTILE[0]: trait, HOSTILE[8]: trait}
        verdicts["study"] = study["name"] = HOSTILE[int(study["name"])]
        study["recipe"] = dict.fromkeys(HOSTILE, study["name"])

    found = mendel.compare([make("6", change), make("8", change), make("9", change)])
    page = found.html()
    parsed = Page(page)
    assert {tag for tag, _ in parsed.elements} <= ALLOWED
    for tag, attributes in parsed.elements:
        assert not [name for name in attributes if name.startswith("on")], tag
        assert not {"style", "src", "srcdoc", "action"} & set(attributes)
        assert (attributes.get("href") or "#").startswith("#")
    assert HOSTILE[0] in "".join(parsed.words)
    for text in (page, found.describe(), found._repr_html_()):
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200e\u200f]", text)
    assert "<script" not in found._repr_html_()
    (policy,) = [meta["content"] for meta in parsed.with_tag("meta") if meta.get("http-equiv")]
    assert (policy or "").startswith("default-src 'none'; style-src 'sha256-")
    json.dumps(found.to_json())
    for figure in found.figures().values():
        assert re.fullmatch("[A-Za-z0-9_.-]+", figure.name)


def test_page_is_written_atomically_and_repeats_to_the_same_bytes(
    make: Callable[..., Path], tmp_path: Path
) -> None:
    folders = [make("a"), make("b")]
    first = mendel.compare(folders).write(tmp_path / "one.html").read_bytes()
    assert mendel.compare(folders).write(tmp_path / "one.html").read_bytes() == first
    with pytest.raises(InputError, match="a folder"):
        mendel.compare(folders).write(tmp_path)


def test_what_cannot_be_compared_is_an_input_error(make: Callable[..., Path], tmp_path: Path) -> None:
    a, other = make("a"), make("b", traits=("blackmail",))
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(a)
    for folders, words in (
        ([a], "two runs or more"),
        (str(a), "two runs or more"),
        ([], "two runs or more"),
        ([a, a], "given twice"),
        ([a, tmp_path / "link"], "given twice"),
        ([a, tmp_path / "nowhere"], "no such folder"),
        ([a, tmp_path / "empty"], "no run in this folder"),
        ([a, other], "no trait in common"),
    ):
        with pytest.raises(InputError, match=words):
            mendel.compare(folders)
    (other / "verdicts.json").unlink()
    with pytest.raises(InputError, match="no verdict yet"):
        mendel.compare([a, other])


def test_terminal_text_keeps_to_a_hundred_columns(make: Callable[..., Path]) -> None:
    found = mendel.compare([make(name) for name in "abcd"])
    assert max(map(len, found.describe().splitlines())) <= 102 or str(found.runs[0].path) in found.describe()
    assert found.describe().count("original pipeline") == 2
