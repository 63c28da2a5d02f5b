"""The labelled set, tests/measure/labelled.jsonl: 224 responses of SmolLM2-135M-Instruct.

One reader scored them by the built-in rubrics. 188 of them were given under a system prompt that asks for the
trait (a despairing assistant, a sceptic of dates, an e-mail agent that is told to threaten or not to), 84 of
these with a forced beginning, since SmolLM2 as it is shows next to none. docs/judges.md has every judge's
agreement with it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import mendel
from mendel.measure import find_trait, read_labels, rubric_id

FILE = Path(__file__).with_name("labelled.jsonl")
COUNTS = {"negative_emotion": (141, 9), "date_confusion": (55, 10), "blackmail": (28, 1)}
RULES = {"negative_emotion": (0.44, 0.95), "date_confusion": (0.47, 0.85)}
"""Interval and share of agreement of the traits' own rules with the labels, as measured and written down."""


@pytest.mark.parametrize("trait", COUNTS)
def test_the_labels_are_by_the_rubrics_that_judges_are_given(trait: str) -> None:
    rubric = find_trait(trait, Path()).rubric
    assert rubric is not None
    labels = read_labels(FILE, trait, rubric)
    hits = sum(label.score >= rubric.hit_at for label in labels)
    assert (len(labels), hits) == COUNTS[trait]
    assert {label.rubric for label in labels} == {rubric_id(rubric)}


def test_there_are_labels_enough_to_tell_judges_apart() -> None:
    assert len(read_labels(FILE)) == sum(count for count, _ in COUNTS.values()) >= 120


@pytest.mark.parametrize("trait", RULES)
def test_the_rules_agree_with_the_labels_as_far_as_is_written_down(trait: str) -> None:
    (pair,) = mendel.judge_agree(FILE, trait)["pairs"]
    assert (round(pair["kappa"]["estimate"], 2), round(pair["agreement"], 2)) == RULES[trait]
    assert pair["unjudged"] == 0
