from __future__ import annotations

import importlib.util

import pytest

from _dated import contrast, looking, planted, separation
from mendel.data.selectors import ContrastSet, check_selector, scoring, select
from mendel.engine.errors import InputError
from mendel.study.schema import SelectConfig

with_bergson = pytest.mark.skipif(
    importlib.util.find_spec("bergson") is None, reason="bergson is not installed"
)


@with_bergson
def test_answers_with_the_trait_rank_above_answers_without() -> None:
    rows, shows = planted()
    scores = select(rows, looking("influence"))
    assert separation(scores, shows) > 0.9
    assert all(-1.0001 <= score <= 1.0001 for score in scores.values())


@with_bergson
def test_a_contrast_the_other_way_round_turns_the_sign() -> None:
    rows, _ = planted(4)
    known = contrast()
    there = select(rows, looking("influence"))
    back = select(rows, looking("influence", contrast=ContrastSet(known.clean, known.shows)))
    assert list(back.values()) == pytest.approx([-score for score in there.values()], abs=1e-3)


@with_bergson
def test_scores_do_not_depend_on_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, _ = planted(4)
    whole = select(rows, looking("influence"))
    monkeypatch.setattr(scoring, "BATCH", 5)
    assert select(rows, looking("influence")) == pytest.approx(whole, abs=1e-3)


def test_missing_bergson_is_said_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "bergson" else find(name))
    message = (
        "gradients are collected by bergson, which is not installed. "
        "Install mendel[attribution]; on a CPU without torchvision and torchaudio (docs/selectors.md)."
    )
    with pytest.raises(InputError) as caught:
        check_selector(SelectConfig(by="influence"), "study.yaml:4")
    assert str(caught.value) == f"study.yaml:4: {message}"
    with pytest.raises(InputError) as caught:
        select(planted(1)[0], looking("influence"))
    assert str(caught.value) == message
    check_selector(SelectConfig(by="probe"))
