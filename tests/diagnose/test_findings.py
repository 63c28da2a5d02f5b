"""Planted levels by arm give the hypothesis that they were planted for, and no other."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from _planted import CAUSES, CUBE, catalogue, cause_levels, study, with_status
from mendel.diagnose import Effects, Finding, Levels, TraitFacts, estimate_trait, examine, reach_verdict
from mendel.diagnose.hypotheses import LITTLE, MOST, all_hypotheses

FACTS = TraitFacts("t", "share")
NUMBER = re.compile(r"-?\d\.\d\d( \[-?\d\.\d\d, -?\d\.\d\d\])?")
THREE_LOOKS = Levels(3)


def effects_of(levels: Mapping[str, float], seed: int = 0, **options: Any) -> Effects:
    return estimate_trait(
        *study(levels, np.random.default_rng(seed), **({"seeds": 3} | options)), FACTS, CUBE
    )


def found(levels: Mapping[str, float], seed: int = 0, **options: Any) -> Mapping[str, Finding]:
    return reach_verdict(effects_of(levels, seed, **options), THREE_LOOKS).findings


def statuses(findings: Mapping[str, Finding]) -> dict[str, str]:
    return {name: finding.status for name, finding in findings.items()}


@pytest.mark.parametrize("cause", CAUSES)
@pytest.mark.parametrize("seed", [0, 1])
def test_the_planted_cause_is_supported_and_every_other_is_refuted(cause: str, seed: int) -> None:
    expected = dict.fromkeys(CAUSES, "refuted") | {cause: "supported"}
    assert statuses(found(CAUSES[cause], seed)) == expected


@pytest.mark.parametrize("cause", CAUSES)
def test_the_cause_is_named_with_what_decided_it(cause: str) -> None:
    verdict = reach_verdict(effects_of(CAUSES[cause]), THREE_LOOKS)
    assert verdict.cause == cause
    for name, finding in verdict.findings.items():
        assert finding.contrasts
        assert NUMBER.search(finding.why), (name, finding.why)
        assert set(finding.contrasts) <= set(verdict.effects.estimates)
        assert finding.json()["contrasts"] == list(finding.contrasts)


BOTH = {
    frozenset({"simple_generalization", "subliminal_learning"}): cause_levels(
        lambda b, p, t: t, mild=1.0, unrelated=1.0
    ),
    frozenset({"simple_generalization", "persona_selection"}): cause_levels(
        lambda b, p, t: t, mild=0.9, unrelated=1.0, sister=0.9
    ),
    # Either the teacher or the prompts are enough.
    frozenset({"bad_prompts", "simple_generalization"}): cause_levels(
        lambda b, p, t: max(p, t * b), mild=0.9, size=0.45
    ),
}


@pytest.mark.parametrize("names", BOTH, ids=" and ".join)
def test_two_causes_at_once_are_both_supported(names: frozenset[str]) -> None:
    found_statuses = statuses(found(BOTH[names], seeds=4, scenarios=60))
    assert {name for name, status in found_statuses.items() if status == "supported"} == names
    if "subliminal_learning" in names or "persona_selection" in names:
        assert set(found_statuses.values()) == {"supported", "refuted"}


def test_of_two_causes_the_one_that_explains_more_is_named() -> None:
    stronger = cause_levels(lambda b, p, t: t, mild=0.8, unrelated=1.0)
    weaker = cause_levels(lambda b, p, t: t, mild=1.0, unrelated=0.8)
    names = [reach_verdict(effects_of(x, scenarios=60), THREE_LOOKS).cause for x in (stronger, weaker)]
    assert names[1] == "simple_generalization"
    # Both explain all of what the teacher makes; the weakest link of the first is its smaller one.
    assert names[0] == "subliminal_learning"


@pytest.mark.parametrize("share", [0.4, 0.45])
@pytest.mark.parametrize("seed", range(3))
def test_between_a_third_and_a_half_nothing_is_decided(share: float, seed: int) -> None:
    levels = cause_levels(lambda b, p, t: t, mild=share, unrelated=share)
    decided = statuses(found(levels, seed, seed_sd=0.02))
    assert decided["simple_generalization"] == "undecided"
    assert decided["subliminal_learning"] == "undecided"
    levels = cause_levels(lambda b, p, t: b, taken=share, left=1.0)
    decided = statuses(found(levels, seed, seed_sd=0.02))
    assert decided["underspecification"] == decided["pretraining_lock_in"] == "undecided"
    assert decided["post_training_lock_in"] == "refuted"


def test_a_sister_between_a_third_and_a_half_leaves_both_readings_open() -> None:
    levels = cause_levels(lambda b, p, t: t, unrelated=1.0, sister=0.42)
    decided = statuses(found(levels, seed_sd=0.02))
    assert decided["subliminal_learning"] == decided["persona_selection"] == "undecided"


def test_a_trait_that_no_hypothesis_explains_has_no_cause() -> None:
    verdict = reach_verdict(effects_of(cause_levels(lambda b, p, t: t)), THREE_LOOKS)
    assert verdict.present
    assert verdict.cause == "undecided"
    assert set(statuses(verdict.findings).values()) == {"refuted"}


@pytest.mark.parametrize("low", [0.0, 0.1, 0.5])
def test_nothing_to_explain_leaves_every_hypothesis_untested(low: float) -> None:
    verdict = reach_verdict(
        effects_of(cause_levels(lambda b, p, t: t, size=0.0, low=low), seeds=2), THREE_LOOKS
    )
    assert set(statuses(verdict.findings).values()) == {"untested"}
    assert all(finding.why and not finding.contrasts for finding in verdict.findings.values())
    assert verdict.cause in ("none", "undecided")


TOO_LITTLE = {
    "one seed an arm": {"seeds": 1},
    "one cluster": {"scenarios": 3, "cluster_size": 3},
    "two clusters, noisy seeds": {"scenarios": 2, "cluster_size": 1, "seeds": 2, "seed_sd": 0.2},
}


@pytest.mark.parametrize("cause", CAUSES)
@pytest.mark.parametrize("options", TOO_LITTLE.values(), ids=TOO_LITTLE)
def test_too_little_data_decides_nothing(cause: str, options: dict[str, Any]) -> None:
    for name, finding in examine(effects_of(CAUSES[cause], **options), THREE_LOOKS).items():
        assert finding.status in ("undecided", "untested"), (name, finding.why)


@given(st.integers(0, 10**6), st.sampled_from(sorted(CAUSES)))
@settings(max_examples=20, deadline=None)
def test_little_is_an_equivalence_and_not_the_lack_of_a_difference(seed: int, cause: str) -> None:
    effects = effects_of(CAUSES[cause], seed, seeds=2, scenarios=6, seed_sd=0.3)
    for finding in examine(effects, THREE_LOOKS).values():
        for check in finding.checked:
            if check.prediction.size != "little" or check.outcome != "holds":
                continue
            for name in check.contrasts:
                # The plain 95 % interval lies inside, and is narrow: it is not merely around 0.
                low, high = effects.estimates[name].low, effects.estimates[name].high
                assert low is not None
                assert high is not None
                assert high - low < 2 * LITTLE * effects.unit


@pytest.mark.parametrize("seed", range(5))
def test_with_little_data_little_is_not_claimed(seed: int) -> None:
    levels = cause_levels(lambda b, p, t: t, unrelated=1.0, low=0.3, size=0.4)
    effects = effects_of(levels, seed, seeds=2, scenarios=6, seed_sd=0.2, samples=1)
    outcomes = [
        check.outcome
        for finding in examine(effects, THREE_LOOKS).values()
        for check in finding.checked
        if check.prediction.size == "little"
    ]
    assert "holds" not in outcomes
    assert "open" in outcomes


@given(st.integers(0, 10**6))
@settings(max_examples=15, deadline=None)
def test_stricter_levels_decide_no_more(seed: int) -> None:
    levels = cause_levels(lambda b, p, t: t, mild=0.6, unrelated=0.6, sister=0.3)
    effects = effects_of(levels, seed, seeds=2, scenarios=15)
    plain, strict = examine(effects, Levels(1)), examine(effects, Levels(10))
    for name, finding in strict.items():
        if finding.status in ("supported", "refuted"):
            assert plain[name].status == finding.status


@pytest.mark.parametrize(
    ("cause", "arm"),
    [
        ("simple_generalization", "mild/t"),
        ("subliminal_learning", "sister/t"),
        ("underspecification", "counter/t"),
        ("subliminal_learning", "unrelated-full/t"),
    ],
)
def test_an_arm_whose_students_broke_decides_nothing_and_is_said(cause: str, arm: str) -> None:
    students, rows = study(CAUSES[cause], np.random.default_rng(0), seeds=3)
    effects = estimate_trait(with_status(students, arm, "broken"), rows, FACTS, CUBE)
    finding = reach_verdict(effects, THREE_LOOKS).findings[cause]
    assert finding.status == "undecided"
    assert arm in finding.why
    assert any(arm in said for said in effects.warnings)


def test_an_arm_that_was_never_trained_is_named() -> None:
    levels = {arm: level for arm, level in CAUSES["simple_generalization"].items() if arm != "mild/t"}
    finding = found(levels)["simple_generalization"]
    assert finding.status == "undecided"
    assert "not trained yet" in finding.why.lower()
    assert "mild/t" in finding.why


def test_what_a_study_cannot_test_is_said_and_still_refuted_by_the_rest() -> None:
    plan = catalogue(sister=None, rewriter=None, materials=None)
    gone = {"sister/t", "sister-alternate/t"}
    for cause, status in (("subliminal_learning", "undecided"), ("simple_generalization", "refuted")):
        levels = {arm: level for arm, level in CAUSES[cause].items() if arm not in gone}
        finding = reach_verdict(effects_of(levels), THREE_LOOKS, plan.lacking).findings["subliminal_learning"]
        assert finding.status == status
    undecided = reach_verdict(
        effects_of({a: x for a, x in CAUSES["subliminal_learning"].items() if a not in gone}),
        THREE_LOOKS,
        plan.lacking,
    ).findings["subliminal_learning"]
    assert "not testable here" in undecided.why.lower()
    assert "sister" in undecided.why


def test_subliminal_learning_is_not_said_before_the_other_recipes_are_known() -> None:
    levels = {a: x for a, x in CAUSES["subliminal_learning"].items() if not a.startswith("unrelated-rank")}
    assert found(levels)["subliminal_learning"].status == "undecided"
    vanishing = cause_levels(lambda b, p, t: t, unrelated=1.0, full=0.0)
    finding = found(vanishing)["subliminal_learning"]
    assert finding.status == "supported"
    assert "full fine-tune" in finding.why


def test_an_open_prediction_says_how_many_seeds_would_decide_it() -> None:
    levels = cause_levels(lambda b, p, t: t, mild=0.62)
    finding = found(levels, seeds=2, scenarios=15, seed_sd=0.1)["simple_generalization"]
    (check,) = [c for c in finding.checked if c.prediction.contrasts == ("mild",)]
    assert check.outcome == "open"
    assert check.seeds is None or check.seeds > 2


def test_the_levels_share_the_error_among_hypotheses_and_looks() -> None:
    for looks in (1, 2, 5):
        levels = Levels(looks)
        assert levels.support * looks * len(all_hypotheses()) == pytest.approx(0.05)
        assert levels.family * looks == pytest.approx(0.05)
    assert MOST > LITTLE
