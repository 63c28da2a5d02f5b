"""Robustness: asked for after the verdict only, and a verdict that another recipe changes says so first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from _planted import CUBE, catalogue, cause_levels, study, with_status
from mendel.design.names import parse_arm, variant_arm
from mendel.design.shared import VARIANTS
from mendel.diagnose import (
    Catalogue,
    Levels,
    TraitFacts,
    diagnose,
    estimate_trait,
    first_request,
    next_request,
    reach_verdict,
)
from mendel.diagnose.adaptive import looks, most_students
from mendel.diagnose.robustness import FEWEST_SEEDS, decisive, repeated_arms, with_recipes
from mendel.results.records import record_json
from mendel.results.verdicts import TraitVerdict

FACTS = TraitFacts("t", "share")
SEEDS = 10
WORLD = cause_levels(lambda b, p, t: t, flagged=1.0, mild=1.0, low=0.0, size=1.0)
"""Simple generalization, as clear as it can be."""


def under(variant: str, levels: Mapping[str, float]) -> dict[str, float]:
    return {variant_arm(arm, variant): level for arm, level in levels.items()}


def everywhere(levels: Mapping[str, float], **others: Mapping[str, float]) -> dict[str, float]:
    """The levels under the study's own recipe, and the same under others, but for those that are given."""
    return dict(levels) | {
        arm: level for v in VARIANTS for arm, level in under(v, others.get(v, levels)).items()
    }


def tables(levels: Mapping[str, float], seeds: int = SEEDS) -> tuple[pa.Table, pa.Table]:
    return study(levels, np.random.default_rng(3), seeds=seeds, samples=1)


def verdict(levels: Mapping[str, float], students: pa.Table | None = None) -> dict[str, Any]:
    drawn = tables(levels)
    found = diagnose(drawn[0] if students is None else students, drawn[1], [FACTS], CUBE, levels=Levels(2))
    return dict(found.traits["t"])


GONE = dict.fromkeys(WORLD, 0.0)
OTHER = cause_levels(lambda b, p, t: t, flagged=1.0, low=0.0, size=1.0)
"""A world in which the mild rollouts bring nothing in."""


def test_a_cause_that_holds_under_every_recipe_is_said_to_hold_by_the_estimates() -> None:
    content = verdict(everywhere(WORLD))
    assert content["cause"] == "simple_generalization"
    assert {check["holds"] for check in content["robustness"].values()} == {"yes"}
    assert list(content["robustness"]) == list(VARIANTS)
    read = TraitVerdict.read(content)
    assert read.robustness is not None
    assert {v: record_json(check) for v, check in read.robustness.items()} == content["robustness"]
    assert read.levels["cube~third/OOO"].n_students == SEEDS
    texts = {said["key"]: said["text"] for said in content["sentences"]}
    assert "a third of the learning rate" in texts["recipe-holds"]
    assert "every contrast that decided lies on the same side" in texts["recipe-holds"]
    assert "recipe-changes" not in texts
    assert content["sentences"][0]["key"] == "state-difference"


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_difference_that_is_gone_under_another_recipe_is_the_first_sentence(variant: str) -> None:
    content = verdict(everywhere(WORLD, **{variant: GONE}))
    assert content["cause"] == "simple_generalization"
    assert {v: check["holds"] for v, check in content["robustness"].items()} == {
        v: "no" if v == variant else "yes" for v in VARIANTS
    }
    assert content["sentences"][0]["key"] == "recipe-changes"
    assert content["summary"].startswith("The verdict changes with the recipe: ")
    assert "the difference is gone" in content["sentences"][0]["text"]


def test_a_contrast_on_the_other_side_of_half_changes_the_verdict() -> None:
    content = verdict(everywhere(WORLD, triple=OTHER))
    check = content["robustness"]["triple"]
    assert check["holds"] == "no"
    assert check["difference"]["estimate"] > 0.8
    assert "less than half, which is shown" in check["why"]
    low = {name: share for name, share in check["contrasts"].items() if share["estimate"] < 0.5}
    assert list(low) == ["t/generalizes"] or all("mild" in name or "general" in name for name in low)
    assert all(share["high"] < 0.5 for share in low.values())


def test_what_is_not_shown_is_said_not_to_be() -> None:
    students, rows = tables(everywhere(WORLD, third=GONE))
    keep = [
        not parse_arm(arm).variant or seed < 2
        for arm, seed in zip(students["arm"].to_pylist(), students["seed"].to_pylist(), strict=True)
    ]
    found = diagnose(students.filter(pa.array(keep)), rows, [FACTS], CUBE, levels=Levels(2)).traits["t"]
    assert "by its estimate, which is not shown" in found["sentences"][0]["text"]  # type: ignore[index]


def test_a_recipe_whose_students_all_broke_leaves_it_open() -> None:
    levels = everywhere(WORLD)
    students = with_status(tables(levels)[0], "cube~method/OOO", "broken")
    content = verdict(levels, students)
    assert content["robustness"]["method"]["holds"] == "undecided"
    assert "no usable student" in content["robustness"]["method"]["why"]
    assert "recipe-undecided" in {said["key"] for said in content["sentences"]}


def test_students_of_other_recipes_change_nothing_else_of_a_verdict() -> None:
    plain = verdict(WORLD)
    levels = everywhere(WORLD, triple=GONE)
    students, rows = tables(levels)
    own = pa.array([not parse_arm(arm).variant for arm in students["arm"].to_pylist()])
    alone = diagnose(students.filter(own), rows, [FACTS], CUBE, levels=Levels(2)).traits["t"]
    beside = diagnose(students, rows, [FACTS], CUBE, levels=Levels(2)).traits["t"]
    for key in ("original", "effects", "location", "hypotheses", "contrasts", "carrier", "recommendation"):
        assert alone[key] == beside[key]
    assert "robustness" not in alone
    assert "robustness" not in plain


def test_where_no_cause_is_named_the_located_parts_are_repeated() -> None:
    world = cause_levels(lambda b, p, t: t, flagged=1.0, mild=0.5, low=0.0, size=1.0)
    effects = estimate_trait(*tables(world), FACTS, CUBE)
    found = reach_verdict(effects, Levels(2))
    assert found.cause == "undecided"
    assert {one.share for one in decisive(found)} == {0.25}
    assert any(one.id.startswith("flagged:") for one in decisive(found))
    assert {"only/t", "cube/OOO", "cube/AAA"} <= set(repeated_arms(found))


# What the design asks for


def plan(**options: Any) -> Catalogue:
    return catalogue(**({"design": "adaptive", "seeds": 2, "max_seeds": SEEDS} | options))


def run(levels: Mapping[str, float], catalogue: Catalogue) -> list[tuple[dict[str, int], str]]:
    """All requests: the arms with their seeds, and the cause that was named before."""
    students, rows = tables(levels)
    trained: dict[str, int] = {}
    steps = []
    cause = ""
    request = first_request(catalogue)
    while request is not None:
        steps.append((dict(request.arms), cause))
        trained |= request.arms
        names = pa.array([f"{arm}#{seed}" for arm, seeds in trained.items() for seed in range(seeds)])
        some = students.filter(pc.is_in(students["student"], value_set=names))
        effects = estimate_trait(some, rows, FACTS, catalogue.cube)
        found = reach_verdict(effects, Levels(looks(catalogue)), catalogue.lacking)
        cause = found.cause
        request = next_request(catalogue, trained, {"t": found}, Levels(looks(catalogue)))
        assert len(steps) < 30
    assert sum(trained.values()) <= most_students(catalogue)
    return steps


def variants(arms: Mapping[str, int]) -> set[str]:
    return {parse_arm(arm).variant for arm in arms}


@pytest.mark.parametrize("design", ["adaptive", "standard"])
def test_other_recipes_are_asked_for_once_and_after_the_verdict(design: str) -> None:
    steps = run(everywhere(WORLD), plan(robustness=True, design=design))
    before, (last, cause) = steps[:-1], steps[-1]
    assert all(variants(arms) == {""} for arms, _ in before)
    assert variants(last) == set(VARIANTS)
    assert cause == "simple_generalization"
    assert set(last.values()) == {FEWEST_SEEDS}
    assert {"cube~third/OOO", "cube~triple/AAA", "mild-alternate~method/t", "mild~third/t"} <= set(last)


def test_nothing_more_is_asked_for_without_the_key_or_without_a_difference() -> None:
    assert run(WORLD, plan()) == run(WORLD, plan(robustness=True))[:-1]
    same = dict.fromkeys(WORLD, 0.3)
    assert run(same, plan()) == run(same, plan(robustness=True))


def test_a_fixed_design_repeats_what_decided_too() -> None:
    steps = run(everywhere(WORLD), plan(robustness=True, design="grid", seeds=SEEDS, max_seeds=None))
    assert len(steps) == 2
    assert variants(steps[1][0]) == set(VARIANTS)


def test_a_base_that_only_takes_adapters_is_not_asked_for_the_other_method() -> None:
    base = {"base": "vllm:o", "prompts": "file:o", "teacher": "o"}
    own = plan(robustness=True, original=base)
    effects = estimate_trait(*tables(WORLD), FACTS, own.cube)
    trained = dict.fromkeys(WORLD, SEEDS)
    found = reach_verdict(effects, Levels(2), own.lacking)
    request = next_request(own, trained, {"t": found}, Levels(2))
    assert request is not None
    assert variants(request.arms) == {"third", "triple"}


def test_a_variant_has_the_same_rows_under_another_recipe() -> None:
    own = plan()
    for arm in ("cube/OOA", "mild/t", "unrelated-full/t", "drop-random/t"):
        plain = own.arm(arm, 3)
        made = {variant: own.arm(variant_arm(arm, variant), 3) for variant in VARIANTS}
        recipe = plain.recipe or own.config.recipe
        assert all(other.assignments == plain.assignments for other in made.values())
        assert made["third"].recipe == recipe.model_copy(update={"learning_rate": recipe.learning_rate / 3})
        assert made["triple"].recipe == recipe.model_copy(update={"learning_rate": recipe.learning_rate * 3})
        other = made["method"].recipe
        assert other is not None
        assert other.method != recipe.method
        assert {replace(other_arm, name="", recipe=None) for other_arm in made.values()} == {
            replace(plain, name="", recipe=None)
        }


def test_with_recipes_leaves_a_verdict_without_a_difference_alone() -> None:
    world = dict.fromkeys(WORLD, 0.3)
    drawn = tables(everywhere(world))
    found = reach_verdict(estimate_trait(*drawn, FACTS, CUBE), Levels(2))
    assert with_recipes(found, *drawn, FACTS) is found
