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

from _planted import CAUSES, SCORES, TOGETHER, catalogue, cause_levels, exact, material, study
from mendel.design.arms import arm_kinds
from mendel.diagnose import (
    Catalogue,
    Conditions,
    Levels,
    Request,
    TraitFacts,
    Verdict,
    estimate_trait,
    first_request,
    next_request,
    reach_verdict,
)
from mendel.diagnose.adaptive import DECIDING_SEEDS, looks, most_students, seed_limit
from mendel.diagnose.location import PLACES

FACTS = TraitFacts("t", "share")
MOST_SEEDS = 10
MODELS = ("base/original", "prefill/original", "prefill/alternate")
"""Arms of models that nobody trains, which every study has."""


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
    counts = {**trained, **dict.fromkeys(MODELS, 1)}
    names = pa.array([f"{arm}#{seed}" for arm, seeds in counts.items() for seed in range(seeds)])
    students, rows = (t.filter(pc.is_in(t["student"], value_set=names)) for t in tables)
    return students, rows


def run(
    levels: Mapping[str, float],
    catalogue: Catalogue,
    conditions: Conditions | None = None,
    tables: tuple[pa.Table, pa.Table] | None = None,
    facts: TraitFacts = SCORES,
) -> Ran:
    """First request -> students -> verdict -> next request, until there is none.

    `tables` hold the students that may be trained; without them students have no noise.
    """
    tables = tables or exact(levels, seeds=MOST_SEEDS)
    trained: dict[str, int] = {}
    sure = Levels(looks(catalogue))
    steps: list[Step] = []
    verdict: Verdict | None = None
    request: Request | None = first_request(catalogue)
    while request is not None:
        steps.append(Step(request, dict(trained), verdict))
        trained |= request.arms
        effects = estimate_trait(*subset(tables, trained), facts, catalogue.cube)
        verdict = reach_verdict(effects, sure, catalogue.lacking, conditions, intervals=False)
        request = next_request(catalogue, trained, {"t": verdict}, sure)
        assert len(steps) < 30
    assert verdict is not None
    return Ran(tuple(steps), trained, verdict)


def statuses(verdict: Verdict) -> dict[str, str]:
    return {name: finding.status for name, finding in verdict.findings.items()}


@pytest.mark.parametrize("cause", CAUSES)
def test_the_cause_is_that_of_the_grid_with_a_fifth_of_its_students(cause: str) -> None:
    catalogue = plan()
    ran = run(CAUSES[cause], catalogue)
    tables = exact(CAUSES[cause], seeds=MOST_SEEDS)
    effects = estimate_trait(*tables, SCORES, catalogue.cube)
    grid = reach_verdict(effects, Levels(1), catalogue.lacking, intervals=False)
    assert ran.verdict.cause == grid.cause == cause
    both = [(status, statuses(grid)[name]) for name, status in statuses(ran.verdict).items()]
    assert not {("supported", "refuted"), ("refuted", "supported")} & set(both)
    assert ran.students <= tables[0].num_rows / 5


@pytest.mark.parametrize("cause", CAUSES)
def test_nothing_is_decided_by_the_first_two_seeds(cause: str) -> None:
    ran = run(CAUSES[cause], plan())
    for step in ran.steps:
        if step.verdict is not None and set(step.before.values()) == {2}:
            assert not step.verdict.present
            assert set(statuses(step.verdict).values()) == {"untested"}


WORLDS = {
    **CAUSES,
    "nothing": cause_levels(lambda b, p, t: t, size=0.0, low=0.3),
    "unexplained": cause_levels(lambda b, p, t: t, mild=0.2, unrelated=0.2),
    "at the border": cause_levels(lambda b, p, t: t, mild=0.5, unrelated=0.5, sister=1 / 3),
}


@given(st.sampled_from(sorted(WORLDS)), st.integers(0, 10**6), st.sampled_from([0.03, 0.15, 0.3]))
@settings(max_examples=8, deadline=None)
def test_the_loop_ends_and_keeps_to_arms_seeds_and_budget(world: str, seed: int, seed_sd: float) -> None:
    catalogue = plan()
    rng, options = np.random.default_rng(seed), {"samples": 1, "scenarios": 14, "cluster_size": 1}
    tables = study(WORLDS[world], rng, seeds=MOST_SEEDS, seed_sd=seed_sd, **options)  # type: ignore[arg-type]
    ran = run(WORLDS[world], catalogue, tables=tables, facts=FACTS)
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
    sides = [side for place in PLACES for side in (*place.brings, *place.takes)]
    places = {catalogue.cube.get(side, f"{side}/t") for side in sides}
    for step in run(WORLDS[world], catalogue).steps:
        if step.verdict is None:
            continue
        new = {arm for arm in step.request.arms if arm not in catalogue.corners}
        alive = [f for f in step.verdict.findings.values() if f.status in ("undecided", "untested")]
        assert new <= {arm for finding in alive for check in finding.checked for arm in check.arms} | places


def test_hypotheses_that_something_measured_speaks_against_ask_for_nothing() -> None:
    catalogue = plan()
    base = run(CAUSES["underspecification"], catalogue)
    for kind in ("mild", "unrelated", "sister", "rewritten", "unrelated-full", "only", "swap"):
        assert f"{kind}/t" not in base.trained
    teacher = run(CAUSES["simple_generalization"], catalogue)
    assert not any(arm.startswith(("counter", "both")) for arm in teacher.trained)
    assert "sister/t" not in teacher.trained


def test_arms_come_before_seeds_and_the_difference_before_both() -> None:
    catalogue = plan()
    ends = {catalogue.cube["OOO"], catalogue.cube["AAA"]}
    for world in WORLDS.values():
        for step in run(world, catalogue).steps:
            more = any(arm in step.before for arm in step.request.arms)
            assert not (more and any(arm not in step.before for arm in step.request.arms))
            if step.verdict is None or not step.verdict.present:
                assert set(step.request.arms) <= ends


def test_a_hypothesis_whose_condition_is_not_known_to_hold_gets_no_seeds_that_decide_it() -> None:
    unmet = Conditions(unmet={"recall": "not known here"})
    free, held = (run(CAUSES["persona_selection"], plan(), given) for given in (None, unmet))
    assert free.verdict.cause == "persona_selection"
    assert held.verdict.cause == "undecided"
    assert held.students < free.students
    assert held.trained.get("sister/t", 0) <= plan().config.seeds


def test_pipelines_without_a_difference_cost_their_own_students_alone() -> None:
    catalogue = plan()
    ends = {catalogue.cube["OOO"], catalogue.cube["AAA"]}
    assert set(first_request(catalogue).arms) == ends
    settled = run(cause_levels(lambda b, p, t: t, size=0.0, low=0.0), catalogue)
    # Three students of each pipeline that do not show it are the fewest that show it to be absent.
    assert (settled.verdict.cause, settled.students) == ("none", 6)
    both = run(cause_levels(lambda b, p, t: t, size=0.0, low=1.0), catalogue)
    assert (both.verdict.state.state, set(both.trained)) == ("shared", ends)
    less = run(cause_levels(lambda b, p, t: 1 - t), catalogue)
    assert (less.verdict.cause, set(less.trained)) == ("undecided", ends)


def test_where_no_part_brings_it_in_alone_what_goes_with_each_is_measured() -> None:
    together = run(TOGETHER, plan(max_seeds=None))
    assert {"swap/t", "swap-mild/t", "swap-unseen/t"} <= set(together.trained)
    located = {name for name, part in together.verdict.location.items() if part.decision == "carries"}
    assert located == {"flagged"}
    # Where a part does bring it in, what goes with the others is not asked for.
    assert "swap-unseen/t" not in run(CAUSES["direct_imitation"], plan(max_seeds=None)).trained


def test_without_max_seeds_an_arm_gets_as_many_as_decide_and_with_one_seed_no_more() -> None:
    assert seed_limit(plan(max_seeds=None)) == DECIDING_SEEDS
    assert seed_limit(plan(max_seeds=None, seeds=12)) == 12
    assert seed_limit(plan(max_seeds=None, seeds=1)) == 1
    assert seed_limit(plan(max_seeds=5)) == 5
    assert seed_limit(plan(design="grid")) == 2
    ran = run(WORLDS["at the border"], plan(max_seeds=None))
    assert max(ran.trained.values()) <= DECIDING_SEEDS
    one = run(CAUSES["direct_imitation"], plan(max_seeds=None, seeds=1))
    assert (one.students, one.verdict.cause) == (2, "undecided")


def test_a_verdict_is_reached_once_or_once_more_with_the_seeds_that_decide() -> None:
    assert looks(plan()) == 2
    assert looks(plan(max_seeds=None, seeds=1)) == 1
    assert looks(plan(max_seeds=2)) == 1
    assert looks(plan(design="grid")) == looks(plan(design="effects")) == 1


@pytest.mark.parametrize("lost", ["sister", "pretrained", "rewriter", "counter"])
def test_what_the_study_lacks_is_never_asked_for(lost: str) -> None:
    changes: dict[str, Any] = {lost: None} if lost in ("sister", "pretrained") else {}
    empty: Any = None if lost == "rewriter" else ()
    own = material() if changes else replace(material(), **{lost: empty})
    catalogue = plan(materials={"t": own}, **changes)
    for cause in ("persona_selection", "post_training_lock_in", "underspecification"):
        ran = run(CAUSES[cause], catalogue)
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
    levels = Levels(2)
    assert next_request(catalogue, ran.trained, {"t": ran.verdict}, levels) is None
    early = next(step for step in ran.steps if step.verdict is not None and not step.verdict.present)
    assert early.verdict is not None
    request = next_request(catalogue, early.before, {"t": ran.verdict, "u": early.verdict}, levels)
    assert request is not None
    assert "for u" in request.why


@pytest.mark.parametrize("design", ["effects", "grid"])
def test_a_fixed_design_asks_once(design: str) -> None:
    chosen = plan(design=design)
    first = first_request(chosen)
    assert most_students(chosen) == sum(first.arms.values())
    assert next_request(chosen, first.arms, {}, Levels(1)) is None
