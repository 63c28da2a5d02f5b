from __future__ import annotations

import numpy as np
import pytest

from diagnose.locate.world import World, make_world, run_search
from mendel.diagnose.locate import Observation, Search, SearchPlan, splits_of


@pytest.mark.slow
@pytest.mark.parametrize("spread", ["clustered", "scattered"])
def test_the_search_finds_planted_carriers_within_its_students(spread: str) -> None:
    for seed in range(6):
        rng = np.random.default_rng([seed, len(spread)])
        world = make_world(rng, spread)
        search = run_search(world, rng)
        found = set(search.found)
        both = len(found & world.carriers)
        assert both / len(world.carriers) >= 0.9, (seed, search.mark)
        assert both / len(found) >= 0.8, (seed, search.mark)
        assert sum(part.students for part in search.rounds) <= 30


def test_a_feature_that_marks_the_carriers_is_named() -> None:
    rng = np.random.default_rng(3)
    search = run_search(make_world(rng, "scattered"), rng, noise=0.01)
    assert search.mark == "the original answer says 'refuse'"


def test_a_virulent_trait_has_no_small_subset() -> None:
    rng = np.random.default_rng(0)
    world = make_world(rng, "clustered")
    search = run_search(world, rng, level=lambda original: 1.0 if len(original) > 20 else 0.0)
    assert search.virulent
    assert search.found == ()
    assert [part.students for part in search.rounds] == [14, 14]


def test_where_half_of_any_prompts_is_enough_a_smaller_share_is_screened_within_the_same_budget() -> None:
    rng = np.random.default_rng(1)
    world = make_world(rng, "clustered")
    search = run_search(world, rng, level=lambda original: min(1.0, 3.0 * world.level(original)))
    assert not search.virulent
    first, second = search.rounds[:2]
    assert (first.kind, second.kind) == ("screen", "screen")
    assert np.mean([share for share, _ in second.levels]) < 0.25 < np.mean([s for s, _ in first.levels])
    assert sum(part.students for part in search.rounds) <= SearchPlan().budget
    found = set(search.found)
    assert len(found & world.carriers) / len(world.carriers) >= 0.5
    # Levels do not add up in such a world: what is found is rich in carriers, and no more.
    assert len(found & world.carriers) / len(found) >= 3 * len(world.carriers) / len(world.rows)


def test_too_many_broken_students_end_the_search_and_are_said() -> None:
    world = make_world(np.random.default_rng(0), "clustered", 200)
    search = Search(world.features, splits_of(world.rows))
    asked = search.propose()
    search.learn([Observation(s, 0.5) for s in asked[:5]])
    assert search.finished
    assert search.broken
    assert search.found == ()
    assert search.rounds[0].students == 14
    assert len(search.rounds[0].levels) == 5


def test_a_few_broken_students_do_not_end_it() -> None:
    world = make_world(np.random.default_rng(0), "clustered", 200)
    search = Search(world.features, splits_of(world.rows))
    search.learn([Observation(s, world.level(s)) for s in search.propose()[2:]])
    assert not search.broken
    assert search.rounds[0].students == 14


def test_a_trait_that_no_cluster_carries_is_not_found() -> None:
    rng = np.random.default_rng(2)
    world = make_world(rng, "clustered")
    search = run_search(world, rng, noise=0.0, level=lambda original: 0.0)
    assert search.found == ()
    assert len(search.rounds) == 1


def test_the_same_search_asks_the_same() -> None:
    def asked() -> list[list[frozenset[str]]]:
        rng = np.random.default_rng(5)
        world = make_world(rng, "scattered", 200)
        search, rounds = Search(world.features, splits_of(world.rows), SearchPlan(budget=18)), []
        while not search.finished:
            rounds.append(search.propose())
            search.learn([Observation(s, world.level(s)) for s in rounds[-1]])
        return rounds

    assert asked() == asked()


def test_every_student_has_some_of_the_original_answers_and_not_all() -> None:
    rng = np.random.default_rng(6)
    world: World = make_world(rng, "clustered", 200)
    search = Search(world.features, splits_of(world.rows))
    sets = search.propose()
    assert len(sets) == len(set(sets)) == 14
    assert all(0 < len(original) < len(world.rows) for original in sets)
