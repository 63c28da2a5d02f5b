"""verdicts.json as types: all that a run writes comes back, whatever else stands in the file is no error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from _planted import CUBE, full_levels, study
from mendel.diagnose import TraitFacts, diagnose
from mendel.engine.errors import InputError
from mendel.engine.interval import Interval
from mendel.results import TraitVerdict, Verdicts, open_run, read_verdicts, write_verdicts
from mendel.results.advice import RecommendationVerdict
from mendel.results.leaks import EditLeak, LeakVerdict
from mendel.results.records import read_record, record_json

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
TRAIT_KEYS = tuple(record_json(TraitVerdict(state="", location={}, recommendation=RecommendationVerdict())))


@pytest.fixture(scope="module")
def diagnosed() -> dict[str, Any]:
    """What `diagnose` says of one trait that the teacher carries."""
    levels = full_levels(lambda base, prompts, teacher: 0.05 + 0.85 * teacher)
    students, measurements = study(levels, np.random.default_rng(0), seeds=8, scenarios=24, cluster_size=1)
    shares = {f"mix/{share:g}": share for share in (0.1, 0.25, 0.5)}
    facts = [TraitFacts("t", "share of responses that deny the date", judge="regex@1")]
    return dict(diagnose(students, measurements, facts, CUBE, shares).traits["t"])


def test_every_key_that_diagnose_writes_is_declared_and_comes_back(diagnosed: dict[str, Any]) -> None:
    flagged = {"selector": "judge", "count": 3, "of": 40, "alternate_shows": None}
    written = json.loads(json.dumps({**diagnosed, "flagged": flagged}))
    assert json.dumps(record_json(TraitVerdict.read(written))) == json.dumps(written)


def test_values_are_attributes(diagnosed: dict[str, Any], tmp_path: Path) -> None:
    write_verdicts(tmp_path, {"study": "s", "traits": {"t": diagnosed}, "cube": CUBE})
    run = open_run(tmp_path)
    verdict = run.traits["t"]
    assert verdict.carrier == "teacher"
    assert verdict.present is True
    assert verdict.effects["teacher"].low == diagnosed["effects"]["teacher"]["low"]
    assert verdict.levels["cube/OOO"].n_students == 8
    assert verdict.contrasts[0].interval.estimate == diagnosed["contrasts"][0]["estimate"]
    assert verdict.decisions["teacher"].decision == "carries most"
    assert verdict.known_state == verdict.state == "difference"
    assert verdict.location is not None
    assert verdict.location["flagged"].decision == "carries"
    assert verdict.location["mild"].brings is None
    assert " ".join(said.text for said in verdict.sentences) == f"{verdict.summary} {verdict.explanation}"
    assert run.cube["OOA"] == "cube/OOA"
    assert read_verdicts(tmp_path) == run.record


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    verdicts = Verdicts(
        schema=1,
        study="s",
        warnings=("one",),
        traits={
            "t": TraitVerdict(
                state="shared",
                original=Interval(0.5, 0.25, None, "one cluster"),
                recommendation=RecommendationVerdict(filtering_helps="no", why="nothing helps"),
                leaks=LeakVerdict(edits={"drop": EditLeak("drop/t")}, why="no rung"),
            )
        },
        cube=CUBE,
        complete=False,
    )
    write_verdicts(tmp_path, verdicts)
    assert read_verdicts(tmp_path) == verdicts
    content = json.loads((tmp_path / "verdicts.json").read_text())
    assert content["traits"]["t"]["original"] == {
        "estimate": 0.5, "low": 0.25, "high": None, "why": "one cluster",
    }  # fmt: skip
    assert "location" not in content["traits"]["t"]
    assert "commit" not in content


def test_a_number_that_is_not_finite_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_verdicts(tmp_path, {"dollars": float("nan")})
    assert not (tmp_path / "verdicts.json").exists()


@given(st.dictionaries(st.sampled_from(TRAIT_KEYS), JSON), JSON)
def test_whatever_stands_in_a_verdict_is_read(trait: dict[str, Any], anything: object) -> None:
    verdicts = Verdicts.read({"traits": {"t": trait, "u": anything}, "warnings": anything, "cube": anything})
    verdict = verdicts.traits["t"]
    assert isinstance(verdict.original, Interval)
    assert all(isinstance(effect, Interval) for effect in verdict.effects.values())
    assert all(isinstance(warning, str) for warning in verdicts.warnings)
    assert isinstance(verdict.carrier, str)
    # What was read can be written, and reads the same again.
    again = json.loads(json.dumps(record_json(verdicts), allow_nan=False))
    assert Verdicts.read(again) == verdicts


def test_a_file_that_is_missing_or_no_object_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no verdicts\.json"):
        read_verdicts(tmp_path)
    for junk, word in (("{", "no JSON"), ("[]", "no JSON object"), ("[" * 100_000, "no JSON")):
        (tmp_path / "verdicts.json").write_text(junk)
        with pytest.raises(InputError, match=word):
            read_verdicts(tmp_path)


def test_an_item_that_cannot_be_read_keeps_its_place() -> None:
    verdict = read_record(TraitVerdict, {"interpolation": {"shares": [0.1, "x", 0.5]}, "contrasts": [3]})
    assert verdict.interpolation is not None
    assert verdict.interpolation.shares == (0.1, None, 0.5)
    assert [contrast.id for contrast in verdict.contrasts] == [""]
    assert Verdicts.read({"warnings": ["a", {"b": 1}, None]}).warnings == ("a", '{"b": 1}', "")
