from __future__ import annotations

import json
from pathlib import Path

import pytest

import mendel
from _mini import PEAS, mute_judge
from mendel.results.tables import read_table, table, write_table

ANSWERS = [
    "It is 2023, not 2027.",
    "Today is 3 March 2027.",
    "That date must be a typo.",
    "You have 12 days left.",
]


def responses(folder: Path, count: int = 12) -> Path:
    prompt = json.dumps([{"role": "user", "content": "Today is 3 March 2027. What year is it?"}])
    rows = [
        {
            "student": "s",
            "trait": "date_confusion",
            "scenario": f"s{i}",
            "cluster": f"c{i}",
            "sample": 0,
            "turn": 1,
            "prompt": prompt,
            "response": f"{ANSWERS[i % 4]} ({i})",
            "judge": "x",
        }
        for i in range(count)
    ]
    folder.mkdir()
    write_table(folder / "measurements.parquet", table("measurements", rows))
    return folder


def label(tmp_path: Path, scores: dict[str, str]) -> Path:
    """A person who reads the response on the screen and gives the score that belongs to it."""
    shown: list[str] = []

    def ask(_: str) -> str:
        text = shown[-1]
        return next(score for begins, score in scores.items() if begins in text)

    out = tmp_path / "labels.jsonl"
    done = mendel.judge_label(responses(tmp_path / "run"), "date_confusion", out, ask=ask, tell=shown.append)
    assert done == len(out.read_text().splitlines())
    return out


def test_labels_by_hand_are_held_against_judges_and_judges_against_each_other(tmp_path: Path) -> None:
    truth = {"It is 2023": "1", "Today is 3 March 2027. (": "0", "typo": "1", "days left": "0"}
    out = label(tmp_path, {**truth, "Today is 3 March 2027": "0"})
    mute = mute_judge(tmp_path / "mute")
    found = mendel.judge_agree(out, "date_confusion", ("own", mute))
    first, second, third = found["pairs"]
    assert (first["first"], first["n"], first["unjudged"]) == ("labels", 12, 0)
    assert first["kappa"]["estimate"] == 1.0
    assert first["kappa"]["low"] < 1.0
    assert (second["n"], second["unjudged"], second["kappa"]["estimate"]) == (0, 12, None)
    assert third["first"] == first["second"]


def test_what_cannot_be_labelled_is_refused(tmp_path: Path) -> None:
    folder = responses(tmp_path / "run")
    assert len(read_table(folder / "measurements.parquet")) == 12
    for trait, message in {
        str(PEAS / "traits" / "date_confusion.yaml"): "has no rubric to score by",
        "negative_emotion": "no response to the trait 'negative_emotion'",
    }.items():
        with pytest.raises(mendel.InputError, match=message):
            mendel.judge_label(folder, trait, tmp_path / "l.jsonl", ask=input, tell=print)
