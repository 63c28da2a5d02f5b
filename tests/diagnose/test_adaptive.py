"""The adaptive design, run to its end on studies that were drawn beforehand: same verdicts, few students."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from _planted import CAUSES, catalogue, cause_levels, material, study
from mendel.design.arms import arm_kinds
from mendel.diagnose import (
    Catalogue,
    Levels,
    Request,
    TraitFacts,
    Verdict,
    estimate_trait,
    first_request,
    next_request,
    reach_verdict,
)
from mendel.diagnose.adaptive import most_students

FACTS = TraitFacts("t", "share")
MOST_SEEDS = 4


@dataclass(frozen=True)
class Step:
    """One round: what was asked for, what was trained before it, and the verdict that it was asked after."""

    request: Request
    before: Mapping[str, int]
    verdict: Verdict | None


@dataclass(frozen=True)
class Ran:
    steps: tuple[Step, ...]
    trained: Mapping[str, int]
    verdict: Verdict

    @property
    def students(self) -> int:
        return sum(self.trained.values())


def plan(**options: Any) -> Catalogue:
    return catalogue(**({"design": "adaptive", "seeds": 2, "max_seeds": MOST_SEEDS} | options))


def subset(tables: tuple[pa.Table, pa.Table], trained: Mapping[str, int]) -> tuple[pa.Table, pa.Table]:
    names = pa.array([f"{arm}#{seed}" for arm, seeds in trained.items() for seed in range(seeds)])
    students, rows = (t.filter(pc.is_in(t["student"], value_set=names)) for t in tables)
    return students, rows


def run(levels: Mapping[str, float], catalogue: Catalogue, seed: int = 0, **options: Any) -> Ran:
    """First request -> students -> verdict -> next request, until there is none."""
    options = {"samples": 1, "scenarios": 30} | options
    tables = study(levels, np.random.default_rng(seed), seeds=MOST_SEEDS, **options)
    trained: dict[str, int] = {}
    steps: list[Step] = []
    verdict: Verdict | None = None
    request: Request | None = first_request(catalogue)
    while request is not None:
        steps.append(Step(request, dict(trained), verdict))
        trained |= request.arms
        effects = estimate_trait(*subset(tables, trained), FACTS, catalogue.cube)
        verdict = reach_verdict(effects, Levels(1 + MOST_SEEDS - catalogue.config.seeds), catalogue.lacking)
        request = next_request(catalogue, trained, {"t": verdict})
        assert len(steps) < 30
    assert verdict is not None
    return Ran(tuple(steps), trained, verdict)


def statuses(verdict: Verdict) -> dict[str, str]:
    return {name: finding.status for name, finding in verdict.findings.items()}


@pytest.mark.parametrize("cause", CAUSES)
def test_the_verdict_is_that_of_the_grid_with_a_third_of_its_students(cause: str) -> None:
    catalogue = plan()
    ran = run(CAUSES[cause], catalogue)
    tables = study(CAUSES[cause], np.random.default_rng(0), seeds=MOST_SEEDS, samples=1, scenarios=30)
    grid = reach_verdict(estimate_trait(*tables, FACTS, catalogue.cube), Levels(1), catalogue.lacking)
    assert ran.verdict.cause == grid.cause == cause
    assert statuses(ran.verdict) == statuses(grid)
    assert ran.students <= tables[0].num_rows / 3


WORLDS = {
    **CAUSES,
    "nothing": cause_levels(lambda b, p, t: t, size=0.0, low=0.3),
    "unexplained": cause_levels(lambda b, p, t: t, mild=0.2, unrelated=0.2),
    "at the border": cause_levels(lambda b, p, t: t, mild=0.5, unrelated=0.5, sister=1 / 3),
}


@given(st.sampled_from(sorted(WORLDS)), st.integers(0, 10**6), st.sampled_from([0.03, 0.15, 0.3]))
@settings(max_examples=15, deadline=None)
def test_the_loop_ends_and_keeps_to_arms_seeds_and_budget(world: str, seed: int, seed_sd: float) -> None:
    catalogue = plan()
    ran = run(WORLDS[world], catalogue, seed, scenarios=12, seed_sd=seed_sd)
    assert set(ran.trained) <= set(catalogue.grid())
    assert set(ran.trained.values()) <= set(range(catalogue.config.seeds, MOST_SEEDS + 1))
    assert ran.students <= most_students(catalogue)
    for step in ran.steps:
        assert step.request.arms
        assert step.request.why
        for arm, seeds in step.request.arms.items():
            assert seeds > step.before.get(arm, 0)
            assert not catalogue.lacking(arm)


@pytest.mark.parametrize("world", WORLDS)
def test_only_what_can_still_change_a_verdict_is_asked_for(world: str) -> None:
    catalogue = plan()
    for step in run(WORLDS[world], catalogue).steps:
        if step.verdict is None:
            continue
        new = {arm for arm in step.request.arms if arm not in catalogue.corners}
        alive = [f for f in step.verdict.findings.values() if f.status in ("undecided", "untested")]
        assert new <= {arm for finding in alive for check in finding.checked for arm in check.arms}


def test_refuted_hypotheses_ask_for_nothing() -> None:
    catalogue = plan()
    base = run(CAUSES["underspecification"], catalogue)
    for kind in ("mild", "unrelated", "sister", "rewritten", "unrelated-full"):
        assert f"{kind}/t" not in base.trained
    teacher = run(CAUSES["simple_generalization"], catalogue)
    assert not any(arm.startswith("counter") for arm in teacher.trained)
    assert "sister/t" not in teacher.trained


def test_arms_come_before_seeds() -> None:
    catalogue = plan()
    for world in WORLDS.values():
        grown = False
        for step in run(world, catalogue, scenarios=12, seed_sd=0.2).steps:
            more = any(arm in step.before for arm in step.request.arms)
            assert not (more and any(arm not in step.before for arm in step.request.arms))
            grown = grown or more
            if grown and step.verdict is not None and not step.verdict.present:
                assert set(step.request.arms) <= {catalogue.cube["OOO"], catalogue.cube["AAA"]}


def test_pipelines_without_a_difference_cost_their_own_students_alone() -> None:
    catalogue = plan()
    ends = {catalogue.cube["OOO"], catalogue.cube["AAA"]}
    assert set(first_request(catalogue).arms) == ends
    settled = run(cause_levels(lambda b, p, t: t, size=0.0, low=0.0), catalogue)
    assert (settled.verdict.cause, settled.students) == ("none", 4)
    less = run(cause_levels(lambda b, p, t: 1 - t), catalogue)
    assert (less.verdict.cause, set(less.trained)) == ("undecided", ends)


def test_without_max_seeds_no_seed_is_added() -> None:
    catalogue = plan(max_seeds=None)
    ran = run(WORLDS["at the border"], catalogue, scenarios=12, seed_sd=0.2)
    assert set(ran.trained.values()) == {2}


@pytest.mark.parametrize("lost", ["sister", "pretrained", "rewriter", "counter"])
def test_what_the_study_lacks_is_never_asked_for(lost: str) -> None:
    changes: dict[str, Any] = {lost: None} if lost in ("sister", "pretrained") else {}
    empty: Any = None if lost == "rewriter" else ()
    own = material() if changes else replace(material(), **{lost: empty})
    catalogue = plan(materials={"t": own}, **changes)
    for cause in ("persona_selection", "post_training_lock_in", "underspecification"):
        ran = run(CAUSES[cause], catalogue, scenarios=15)
        for arm in ran.trained:
            kind = arm.partition("/")[0]
            assert kind not in arm_kinds or lost not in arm_kinds.get(kind).needs


def test_the_grid_and_the_standard_design_ask_for_all_they_have() -> None:
    grid, standard = plan(design="grid"), plan(design="standard")
    assert first_request(grid).arms == dict.fromkeys(grid.grid(), 2)
    assert first_request(standard).arms == dict.fromkeys(standard.standard(), 2)
    assert most_students(grid) == 2 * len(grid.grid())
    ran = run(CAUSES["bad_prompts"], grid)
    assert len(ran.steps) == 1
    assert ran.students == most_students(grid)


def test_a_decided_trait_asks_for_nothing_beside_one_that_is_open() -> None:
    catalogue = plan(materials={"t": material(), "u": material("u")})
    ran = run(CAUSES["underspecification"], plan())
    assert next_request(catalogue, ran.trained, {"t": ran.verdict}) is None
    open_one = replace(
        ran.verdict,
        findings={name: replace(f, status="undecided") for name, f in ran.verdict.findings.items()},
    )
    request = next_request(catalogue, {}, {"t": ran.verdict, "u": open_one})
    assert request is not None


@pytest.mark.parametrize("design", ["effects", "grid"])
def test_a_fixed_design_asks_once(design: str) -> None:
    chosen = plan(design=design)
    first = first_request(chosen)
    assert most_students(chosen) == sum(first.arms.values())
    assert next_request(chosen, first.arms, {}) is None
