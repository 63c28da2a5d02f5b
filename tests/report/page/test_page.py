"""The page: what it shows, what it keeps inert, what it says when something is missing."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from _made_run import EDITS, HOSTILE, MEGABYTE
from _page import ALLOWED, Page, unpacked

from mendel.engine.errors import InputError
from mendel.report import render_report, write_report


@pytest.fixture(scope="module")
def source(run_folder: Path) -> str:
    return render_report(run_folder)


@pytest.fixture(scope="module")
def page(source: str) -> Page:
    return Page(source)


def test_page_is_one_file_that_fetches_nothing_and_runs_its_own_script_alone(source: str, page: Page) -> None:
    assert {tag for tag, _ in page.elements} <= ALLOWED
    for tag, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on")], tag
        assert not {"style", "src", "srcdoc", "srcset", "action", "formaction", "xlink:href"} & set(
            attributes
        )
        assert (attributes.get("href") or "#").startswith("#"), tag
        assert tag == "meta" or not [v for v in attributes.values() if v and "://" in v]
    style = re.findall("<style>(.*?)</style>", source, re.DOTALL)
    assert len(style) == 1
    assert not re.search(r"url\(|@import|http", style[0])
    (policy,) = [m["content"] for m in page.with_tag("meta") if m.get("http-equiv")]
    assert policy is not None
    assert page.with_tag("script") == [{"type": "application/octet-stream", "id": "transcripts"}, {}]
    (script,) = re.findall("<script>(.*?)</script>", source, re.DOTALL)
    hashes = [
        "sha256-" + base64.b64encode(hashlib.sha256(t.encode()).digest()).decode() for t in (script, *style)
    ]
    assert policy == (
        f"default-src 'none'; script-src '{hashes[0]}'; style-src '{hashes[1]}'; base-uri 'none'; form-action 'none'"
    )
    # What would make markup or code of a text, or ask for anything.
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval|Function\(|fetch\(|XMLHttp|import", script
    )


def test_page_without_responses_runs_nothing(make_run: Callable[..., Path]) -> None:
    folder = make_run(hostile=False)
    (folder / "measurements.parquet").unlink()
    source = render_report(folder)
    assert "<script" not in source
    assert "script-src" not in source
    assert "No responses are in this folder" in Page(source).text


def test_hostile_text_is_shown_as_text(source: str, page: Page) -> None:
    content = unpacked(source)
    responses = "".join(content["rows"]["response"])
    for payload in HOSTILE[:7]:
        assert payload in responses, payload
    for payload in HOSTILE[:4]:
        assert payload in "".join(page.words), payload
    assert "{{ 7 * 7 }}" in responses
    unwanted = "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200e\u200f\u2028\u2029]"
    assert not re.search(unwanted, source)
    assert not re.search(unwanted, json.dumps(content, ensure_ascii=False))


def test_every_inner_link_has_its_target(page: Page) -> None:
    targets = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(targets) == len(set(targets))
    links = {attributes["href"] for attributes in page.with_tag("a")}
    assert links
    assert links <= {f"#{target}" for target in targets}


def test_every_number_of_a_verdict_stands_in_the_page(run_folder: Path, page: Page) -> None:
    verdicts = json.loads((run_folder / "verdicts.json").read_text())

    def shown(e: dict[str, float], signed: bool) -> str:
        def number(value: float) -> str:
            text = f"{value:+.2f}" if signed else f"{value:.2f}"
            return "0.00" if float(text) == 0 else text.replace("-", "−")

        return f"{number(e['estimate'])} [{number(e['low'])}, {number(e['high'])}]"

    for trait, verdict in verdicts["traits"].items():
        for name in (trait, verdict["scale"], verdict["judge"], verdict["summary"]):
            assert " ".join(name.split()) in page.text
        for key in ("original", "alternate"):
            assert shown(verdict[key], signed=False) in page.text
        for effect in [
            *verdict["effects"].values(),
            *verdict["contrasts"],
            *verdict["log_odds"]["effects"].values(),
        ]:
            assert shown(effect, signed=True) in page.text
        for level in verdict["levels"].values():
            assert shown(level, signed=False) in page.text or trait == "negative_emotion"
        for name in verdict["hypotheses"]:
            assert name.replace("_", " ") in page.text
        for contrast in verdict["contrasts"]:
            assert contrast["id"] in page.text
            assert contrast["reads"] in page.text
    for text in ("161" not in page.text, "2 min 41 s", "$0.00", "41", "learning rate", "5.23.0", "0f3c2a9"):
        assert text is True or str(text) in page.text


def test_edits_stand_beside_their_random_control_with_their_size(page: Page) -> None:
    for edit in EDITS:
        words = edit.replace("-", " ") if "random" in edit else f"{edit} flagged"
        assert words in page.text
    # Both teacher traits, six edits each.
    assert page.text.count("31 of 400 7.8 %") == 2 * len(EDITS)


def test_responses_stand_next_to_their_number(source: str, page: Page) -> None:
    counts = re.findall(r"responses: (\d+) of (\d+) show it, (\d+) students?", page.text)
    assert counts
    assert all(int(hits) <= int(total) for hits, total, _ in counts)
    # The broken student of drop/blackmail counts in no number: half the responses, one student.
    assert ("32", "1") in {(total, students) for _, total, students in counts}
    groups = unpacked(source)["groups"]
    assert {tuple(map(str, group[2:])) for group in groups} == set(counts)
    opened = [b["data-group"] or "" for b in page.with_tag("button") if b.get("data-group")]
    assert {int(g) for control in opened for g in control.split()} == set(range(len(groups)))
    assert any(" " in control for control in opened)


def test_each_level_is_a_control_that_names_its_own_group(run_folder: Path, source: str) -> None:
    content = unpacked(source)
    verdicts = json.loads((run_folder / "verdicts.json").read_text())["traits"]
    controls = re.findall(r'data-group="(\d+)"[^>]*>(\d\.\d\d)</button>', source)
    assert len(controls) > 60
    for group, level in controls:
        trait, arm = content["groups"][int(group)][:2]
        levels = verdicts[content["traits"][trait]]["levels"]
        name = content["arms"][arm][0]
        assert name not in levels or f"{levels[name]['estimate']:.2f}" == level


def test_a_megabyte_is_cut_and_the_page_stays_small(source: str) -> None:
    assert 10_000 < len(source.encode()) < 1_500_000
    rows = unpacked(source)["rows"]
    assert max(rows["more"]) == len(MEGABYTE) - 4000
    assert max(map(len, rows["response"])) == 4000


def test_broken_students_are_named_with_their_reason(page: Page) -> None:
    assert "broken" in page.text
    assert "10 of 32 right answers, fewer than half of the base's 27" in page.text


def test_figures_draw_one_interval_for_each_estimate(source: str, run_folder: Path) -> None:
    figures = [f for f in re.findall("<svg.*?</svg>", source, re.DOTALL) if 'class="cube"' not in f]
    # Three for a trait, but no edits for the one whose teachers do not differ.
    assert len(figures) == 8
    for figure in figures:
        intervals = re.search('<g class="interval_marks">(.*?)</g>', figure, re.DOTALL)
        points = re.search('<g class="point_marks">(.*?)</g>', figure, re.DOTALL)
        assert intervals is not None
        assert points is not None
        label = re.search('aria-label="(.*?)"', figure)
        assert label is not None
        assert intervals[1].count("<line") == points[1].count("<path") == label[1].count("[") > 0
        assert "<title>" in figure
        assert "xmlns" not in figure


def test_missing_half_way_says_why(page: Page) -> None:
    assert "No half-way share: the levels at share 0 and 1 are not shown to differ" in page.text


def test_run_without_log_odds_shows_rates_alone(make_run: Callable[..., Path]) -> None:
    text = Page(render_report(make_run(log_odds=False, hostile=False))).text
    assert "log-odds" not in text
    assert "date confusion" in text


def test_nulls_are_said_and_never_zero(make_run: Callable[..., Path]) -> None:
    nothing = {"estimate": None, "low": None, "high": None, "why": "no usable student"}
    loose = {"estimate": 0.4321, "low": None, "high": None}
    changes = {
        "present": False,
        "carrier": "undecided",
        "original": loose,
        "alternate": nothing,
        "effects": {"base": nothing, "prompts": loose, "teacher": None, "interaction": nothing},
        "levels": {"cube/OOO": loose, "drop/date_confusion": nothing},
        "interpolation": {"shares": [0.0, 1.0], "levels": [nothing, loose], "half_way": None},
        "contrasts": [{"id": "c", "kind": "k", "arms": [], "n_students": 2, "reads": "r", **nothing}],
        "log_odds": None,
    }
    source = render_report(make_run(hostile=False, changes=changes))
    text = Page(source).text
    assert "0.43 interval unknown" in text
    assert "no usable student" in text
    assert "not measured" in text
    assert "the run does not say why" in text
    assert "date confusion: undecided" in text
    # A point without an interval would look certain: nothing is drawn.
    assert "<svg" not in source


def test_verdict_of_the_bare_contract_gives_a_page(make_run: Callable[..., Path]) -> None:
    folder = make_run(hostile=False)
    path = folder / "verdicts.json"
    verdicts = json.loads(path.read_text())
    bare = {"present", "original", "alternate", "effects", "carrier", "cause", "hypotheses", "contrasts"}
    known = {"present": True, "carrier": "teacher"}
    verdicts["traits"] = {n: {k: v[k] for k in bare} | known for n, v in verdicts["traits"].items()}
    for key in ("cube", "versions", "commit"):
        del verdicts[key]
    path.write_text(json.dumps(verdicts))
    text = Page(render_report(folder)).text
    assert "The teacher makes most of the difference between the pipelines." in text
    assert "No half-way share: not measured" in text


@pytest.mark.parametrize("seeds", [1, 2])
def test_run_of_few_responses_gives_a_page(make_run: Callable[..., Path], seeds: int) -> None:
    text = Page(render_report(make_run(seeds=seeds, scenarios=1))).text
    assert f"of {2 * seeds} show it, {seeds} student" in text


FILES = ("verdicts.json", "study.yaml", "students.parquet", "measurements.parquet", "assignments.parquet")


@pytest.mark.parametrize("file", FILES)
def test_half_finished_run_says_what_is_missing(make_run: Callable[..., Path], file: str) -> None:
    folder = make_run()
    (folder / file).unlink()
    text = Page(render_report(folder)).text
    assert "This run is not finished" in text
    assert f"{file}:" in text


def test_a_table_cut_short_is_named(make_run: Callable[..., Path]) -> None:
    folder = make_run()
    table = folder / "measurements.parquet"
    table.write_bytes(table.read_bytes()[:100])
    assert (
        "measurements.parquet: the responses behind the numbers; it cannot be read"
        in Page(render_report(folder)).text
    )


def test_shared_parts_are_said_to_be_shared(make_run: Callable[..., Path]) -> None:
    folder = make_run(hostile=False)
    path = folder / "verdicts.json"
    verdicts = json.loads(path.read_text())
    verdicts["cube"] = {corner: f"cube/O{corner[1:]}" for corner in verdicts["cube"]}
    path.write_text(json.dumps(verdicts))
    text = Page(render_report(folder)).text
    assert "the pipelines share their base, so that this is 0 by construction" in text
    assert "shared original alternate" in text


def test_folder_without_a_run_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no run in this folder"):
        render_report(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        render_report(tmp_path / "nowhere")
    (tmp_path / "verdicts.json").write_text('{"schema": 1,')
    with pytest.raises(InputError, match="no JSON"):
        render_report(tmp_path)


@pytest.mark.parametrize(
    "junk", [[], "x", {"traits": []}, {"traits": {"t": None}}, {"traits": {"t": {"effects": 3}}}]
)
def test_no_shape_of_verdicts_is_a_traceback(make_run: Callable[..., Path], junk: Any) -> None:
    folder = make_run(hostile=False)
    (folder / "verdicts.json").write_text(json.dumps(junk))
    if isinstance(junk, dict):
        Page(render_report(folder))
    else:
        with pytest.raises(InputError):
            render_report(folder)


def test_writing_is_atomic_and_repeats_to_the_same_bytes(make_run: Callable[..., Path]) -> None:
    folder = make_run()
    before = {path.name for path in folder.iterdir()}
    first = write_report(folder).read_bytes()
    assert write_report(folder).read_bytes() == first
    assert {path.name for path in folder.iterdir()} == before | {"report.html"}


def test_what_the_room_exports_stays_that_whatever_was_imported(make_run: Callable[..., Path]) -> None:
    # A module of the same name, imported later, takes the place of a function.
    import mendel.report

    render_report(make_run(hostile=False))
    for name in mendel.report.__all__:
        assert callable(getattr(mendel.report, name)), name
