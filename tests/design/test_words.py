"""Every arm has words, and they come from its declaration."""

from __future__ import annotations

import re

import pytest

from _planted import CUBE, catalogue, cube_with_shared
from mendel.design.arms import THRESHOLDS, arm_kinds
from mendel.design.words import arm_label, arm_words
from mendel.study.cube import CORNERS


@pytest.mark.parametrize("kind", sorted(arm_kinds))
def test_every_built_in_kind_has_a_short_label_and_sentences(kind: str) -> None:
    declared = arm_kinds.get(kind)
    assert 0 < len(declared.label) <= 60
    assert re.fullmatch(r"[A-Z].*\.", declared.what)
    assert declared.start in CORNERS


def test_no_two_kinds_are_called_the_same() -> None:
    labels = [arm_kinds.get(kind).label for kind in arm_kinds]
    assert len(labels) == len(set(labels))


def test_every_filter_has_a_name_among_looser_and_stricter_ones() -> None:
    assert {kind for kind in arm_kinds if arm_kinds.get(kind).as_filter} == set(THRESHOLDS)


def test_every_arm_that_a_study_can_have_has_words() -> None:
    plan = catalogue()
    words = arm_words(plan.grid(), plan.cube)
    assert list(words) == plan.grid()
    assert all(entry["label"] and entry["label"] != name for name, entry in words.items())
    assert words["drop/t"] == {
        "label": "drop flagged",
        "what": "Nobody answers the flagged prompts.",
        "trait": "t",
    }
    assert words["cube/OOA"]["label"] == "original pipeline with the alternate teacher"
    assert {name for name, entry in words.items() if entry["trait"] is None} == {
        name for name in words if name.startswith(("cube/", "mix/"))
    }


@pytest.mark.parametrize(
    ("arm", "label"),
    [
        ("cube/OOO", "original pipeline"),
        ("cube/AAA", "alternate pipeline"),
        ("cube/*AA", "all with the alternate prompts and the alternate teacher"),
        ("cube/***", "cube/***"),
        ("cube/XYZ", "cube/XYZ"),
        ("mix/0.1", "share 0.1 by the original teacher"),
        ("base/sister", "sister base"),
        ("teacher/original", "original teacher"),
        ("prefill/alternate", "untrained base, made to begin as the alternate teacher does"),
        ("swap/a/b", "swap flagged (a/b)"),
        ("my_pkg/lead/t", "my_pkg/lead/t"),
        ("bare", "bare"),
    ],
)
def test_an_arm_is_called_by_what_it_is(arm: str, label: str) -> None:
    assert arm_label(arm, CUBE, {}) == label


def test_the_pipelines_own_corners_are_called_so_where_parts_are_shared() -> None:
    cube = cube_with_shared(0, 1)
    assert arm_label(cube["AAA"], cube, {}) == "alternate pipeline"
    assert arm_words([cube["AAA"]], cube)[cube["AAA"]]["label"] == "alternate pipeline"


def test_words_that_a_run_wrote_down_go_before_what_is_installed() -> None:
    words = {"my_pkg/lead/t": {"label": "a lead first", "what": "A lead is put first.", "trait": "t"}}
    assert arm_label("my_pkg/lead/t", CUBE, words) == "a lead first (t)"
    assert arm_label("my_pkg/lead/t", CUBE, {"my_pkg/lead/t": {}}) == "my_pkg/lead/t"


def test_arms_under_another_recipe_are_called_after_their_own() -> None:
    names = ["drop~third/t", "cube~triple/OOO", "mild~method/t"]
    words = arm_words(names, CUBE)
    assert words["drop~third/t"]["label"] == "drop flagged, at a third of the learning rate"
    assert words["drop~third/t"]["trait"] == "t"
    assert words["cube~triple/OOO"]["label"] == "original pipeline, at three times the learning rate"
    assert words["cube~triple/OOO"]["trait"] is None
    plain = str(arm_words(["mild/t"])["mild/t"]["label"])
    assert words["mild~method/t"]["label"] == f"{plain}, with the other method"
