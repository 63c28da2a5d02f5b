"""Half of a trait's scenarios becomes counter-examples: whole clusters, balanced, whatever the file's order."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mendel.data.prompts import Message
from mendel.measure import find_trait
from mendel.measure.scenarios import Scenario
from mendel.measure.splitting import LEAST_CLUSTERS, same_text, split_by_cluster, why_not_split


def scenarios(sizes: list[int]) -> list[Scenario]:
    return [
        Scenario(f"s{c}-{i}", f"c{c}", (Message(role="user", content=f"{c} {i}?"),))
        for c, size in enumerate(sizes)
        for i in range(size)
    ]


SIZES = st.lists(st.integers(1, 12), min_size=LEAST_CLUSTERS, max_size=30)


@given(SIZES)
def test_halves_share_no_cluster_and_lose_no_scenario(sizes: list[int]) -> None:
    whole = scenarios(sizes)
    measuring, others = split_by_cluster(whole)
    assert not {s.cluster for s in measuring} & {s.cluster for s in others}
    assert sorted(s.scenario for s in (*measuring, *others)) == sorted(s.scenario for s in whole)


@given(SIZES)
def test_halves_are_balanced_and_both_have_two_clusters(sizes: list[int]) -> None:
    halves = split_by_cluster(scenarios(sizes))
    clusters = [len({s.cluster for s in half}) for half in halves]
    assert min(clusters) >= 2
    assert abs(clusters[0] - clusters[1]) <= 1
    assert 0 <= len(halves[0]) - len(halves[1]) <= max(sizes)


@given(SIZES, st.randoms(use_true_random=False))
def test_the_order_of_the_file_moves_no_scenario(sizes: list[int], shuffle: random.Random) -> None:
    whole = scenarios(sizes)
    mixed = list(whole)
    shuffle.shuffle(mixed)
    for before, after in zip(split_by_cluster(whole), split_by_cluster(mixed), strict=True):
        assert {s.scenario for s in before} == {s.scenario for s in after}


def test_an_even_split_parts_equal_clusters_by_their_names_not_by_their_place() -> None:
    measuring, _ = split_by_cluster(scenarios([1] * 20))
    kept = {int(s.cluster[1:]) for s in measuring}
    assert kept not in (set(range(10)), set(range(0, 20, 2)), set(range(1, 20, 2)))
    assert Counter(number < 10 for number in kept)[True] > 0


def test_what_no_teacher_can_answer_is_not_split() -> None:
    trait = find_trait("date_confusion", Path())
    assert why_not_split(trait) == ""
    turns = tuple(replace(s, turns=("No.",)) for s in trait.scenarios)
    one = tuple(replace(s, cluster="c") for s in trait.scenarios)
    for changed, says in ((turns, "several turns"), (one, "1 cluster,")):
        assert says in why_not_split(replace(trait, scenarios=changed))


@pytest.mark.parametrize(("one", "other"), [("What year is it?", "what  year is IT?\n"), ("a b", "a\tb")])
def test_spaces_and_upper_case_do_not_make_another_text(one: str, other: str) -> None:
    texts = [same_text([Message(role="user", content=text)]) for text in (one, other)]
    assert texts[0] == texts[1]
    assert texts[0] != same_text([Message(role="user", content=one + " now")])
