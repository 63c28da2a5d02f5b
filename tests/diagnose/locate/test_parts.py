from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mendel.diagnose.locate import (
    Features,
    Observation,
    PromptTexts,
    balanced_design,
    one_hot,
    rank,
    splits_of,
)
from mendel.diagnose.locate.splits import Split
from mendel.diagnose.locate.suspects import line_up


def points(n: int, seed: int = 0) -> Features:
    rng = np.random.default_rng(seed)
    return Features(tuple(f"p{i}" for i in range(n)), (rng.normal(size=(n, 4)), rng.normal(size=(n, 2))))


@settings(max_examples=25, deadline=None)
@given(n=st.integers(1, 60), count=st.integers(1, 20), seed=st.integers(0, 99))
def test_clusters_part_the_prompts(n: int, count: int, seed: int) -> None:
    features = points(n, seed)
    groups = features.split(features.ids, count)
    assert sorted(p for group in groups for p in group) == sorted(features.ids)
    assert len(groups) <= count
    assert [len(g) for g in groups] == sorted((len(g) for g in groups), reverse=True)


def test_clusters_do_not_depend_on_a_blocks_scale_or_place() -> None:
    features = points(50)
    moved = Features(features.ids, (features.blocks[0] * 1000 + 7, features.blocks[1]))
    assert features.split(features.ids, 6) == moved.split(features.ids, 6)


def test_prompts_that_nothing_tells_apart_are_one_cluster() -> None:
    same = Features(("a", "b", "c"), (np.ones((3, 2)),))
    assert [set(group) for group in same.split(same.ids, 3)] == [{"a", "b", "c"}]


def test_many_prompts_are_gathered_before_they_are_clustered() -> None:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(5, 3)) * 50
    place = rng.integers(5, size=3500)
    many = Features(tuple(map(str, range(3500))), (centres[place] + rng.normal(size=(3500, 3)),))
    groups = many.split(many.ids, 5)
    assert sorted(map(len, groups)) == sorted(np.bincount(place))


def test_a_block_without_a_row_for_each_prompt_or_with_nan_is_refused() -> None:
    for block in (np.zeros((2, 1)), np.array([[1.0], [np.nan], [0.0]])):
        with pytest.raises(ValueError, match="every prompt"):
            Features(("a", "b", "c"), (block,))


@settings(max_examples=25, deadline=None)
@given(students=st.integers(2, 20), groups=st.integers(1, 20), share=st.floats(0.05, 0.95))
def test_every_group_is_the_original_teachers_in_the_same_number_of_students(
    students: int, groups: int, share: float
) -> None:
    design = balanced_design(students, groups, np.random.default_rng(0), share)
    counts = design.sum(axis=0)
    assert design.shape == (students, groups)
    assert len(set(counts)) == 1
    assert 0 < counts[0] < students


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 999), active=st.integers(1, 4))
def test_the_regression_explains_the_students_by_groups_that_carry(seed: int, active: int) -> None:
    rng = np.random.default_rng(seed)
    groups = [tuple(f"{g}-{i}" for i in range(5)) for g in range(16)]
    true = np.zeros(16)
    true[rng.permutation(16)[:active]] = 1 / active
    design = balanced_design(14, 16, rng)
    ids = [p for group in groups for p in group]
    seen = [Observation(frozenset(), 0.0), Observation(frozenset(ids), 1.0)]
    for row in design:
        chosen = frozenset(p for group, on in zip(groups, row, strict=True) if on for p in group)
        seen.append(Observation(chosen, float(row @ true) + rng.normal(0, 0.01)))
    found = rank(groups, seen)
    assert (found.weights >= 0).all()
    assert ((found.chances >= 0) & (found.chances <= 1 + 1e-9)).all()
    # What the levels are is told by the students; which groups make them, mostly.
    shares = np.vstack([np.zeros(16), np.ones(16), design])
    assert np.abs(shares @ found.weights - [o.level for o in seen]).max() < 0.15


def test_groups_that_carry_are_found_and_others_are_not() -> None:
    found = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        groups = [tuple(f"{g}-{i}" for i in range(5)) for g in range(16)]
        carrying = set(rng.permutation(16)[:3].tolist())
        true = np.array([1 / 3 if g in carrying else 0.0 for g in range(16)])
        ids = [p for group in groups for p in group]
        seen = [Observation(frozenset(), 0.0), Observation(frozenset(ids), 1.0)]
        for row in balanced_design(14, 16, rng):
            chosen = frozenset(p for group, on in zip(groups, row, strict=True) if on for p in group)
            seen.append(Observation(chosen, float(row @ true) + rng.normal(0, 0.02)))
        chances = rank(groups, seen).chances
        found += {g for g in range(16) if chances[g] > 0.5} == carrying
    assert found >= 8


def test_too_few_students_rank_nothing() -> None:
    with pytest.raises(ValueError, match="rank nothing"):
        rank([("a",)], [Observation(frozenset(), 0.0)])


def test_splits_name_words_scores_and_sources_and_leave_out_what_all_or_none_have() -> None:
    rows = [
        PromptTexts(
            f"p{i}", "which year", "yes indeed" if i < 3 else "no indeed", "no", "x" if i % 2 else "y"
        )
        for i in range(10)
    ]
    found = {
        split.name: split.ids
        for split in splits_of(rows, {"judge": {f"p{i}": float(i < 3) for i in range(10)}})
    }
    three = {"p0", "p1", "p2"}
    assert found["the original answer says 'yes'"] == three
    assert found["judge >= 1"] == three
    assert found["its source is 'x'"] == {f"p{i}" for i in range(1, 10, 2)}
    assert not any("indeed" in name or "year" in name or "alternate" in name for name in found)


def test_words_on_which_the_teachers_differ_come_before_those_on_which_they_agree() -> None:
    rows = [
        PromptTexts(
            f"p{i}",
            "ask",
            f"{'refuse' if i < 4 else 'comply'} {'odd' if i % 2 else 'even'}",
            f"comply {'odd' if i % 2 else 'even'}",
        )
        for i in range(10)
    ]
    names = [split.name for split in splits_of(rows)]
    assert names.index("the original answer says 'refuse'") < names.index("the original answer says 'odd'")


def test_suspects_are_sides_of_splits_and_what_two_have_in_common_each_once() -> None:
    ids = tuple(f"p{i}" for i in range(8))
    a, b = Split("a", frozenset(ids[:4])), Split("b", frozenset(ids[2:6]))
    lineup = line_up([ids], [a, b, Split("a again", frozenset(ids[:4]))])
    names = {suspect.name: set(np.array(ids)[suspect.members]) for suspect in lineup.suspects}
    assert names["all of them"] == set(ids)
    assert names["a"] == set(ids[:4])
    assert names["not a"] == set(ids[4:])
    assert names["a and b"] == {"p2", "p3"}
    assert "a again" not in names
    assert len({suspect.members.tobytes() for suspect in lineup.suspects}) == len(lineup.suspects)


def test_students_rule_out_suspects_and_chances_are_a_distribution() -> None:
    ids = tuple(f"p{i}" for i in range(12))
    splits = [Split("left", frozenset(ids[:6])), Split("even", frozenset(ids[::2]))]
    lineup = line_up([ids], splits)
    seen = [Observation(frozenset(), 0.0), Observation(frozenset(ids), 1.0)]
    before = lineup.judge(seen)
    assert before.chances.sum() == pytest.approx(1)
    seen += [Observation(frozenset(ids[:6]), 1.0), Observation(frozenset(ids[6:]), 0.0)]
    after = lineup.judge(seen)
    assert lineup.suspects[int(after.chances.argmax())].name == "left"
    carriers = lineup.carriers(after)
    assert carriers[:6].min() > 0.8 > 0.2 > carriers[6:].max()
    assert lineup.settled(after) > lineup.settled(before)


def test_a_cluster_without_carriers_in_the_neighbourhood_is_left_out() -> None:
    near, far = tuple(f"n{i}" for i in range(6)), tuple(f"f{i}" for i in range(6))
    lineup = line_up([near, far], [])
    both = frozenset(near + far)
    seen = [Observation(frozenset(), 0.0), Observation(both, 1.0)]
    seen += [Observation(frozenset(near), 0.98), Observation(frozenset(far), 0.01)]
    chances = lineup.carriers(lineup.judge(seen))
    assert (chances[:6] > 0.5).all()
    assert (chances[6:] < 0.5).all()


def test_the_most_telling_assignment_parts_the_suspects() -> None:
    ids = tuple(f"p{i}" for i in range(12))
    lineup = line_up([ids], [Split("left", frozenset(ids[:6])), Split("even", frozenset(ids[::2]))])
    seen = [Observation(frozenset(), 0.0), Observation(frozenset(ids), 1.0)]
    standing = lineup.judge(seen)
    asked = lineup.telling(standing, 3, np.random.default_rng(0))
    assert len(set(asked)) == 3
    predicted = {
        round(sum(standing.weights[s][i] for i, p in enumerate(ids) if p in asked[0]), 3)
        for s in range(len(lineup.suspects))
    }
    assert len(predicted) > 1


def test_one_hot_has_a_column_for_every_value() -> None:
    assert one_hot(["b", "a", "b"]).tolist() == [[0, 1], [1, 0], [0, 1]]
