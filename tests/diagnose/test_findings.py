"""Planted levels by arm give the hypothesis that they were planted for, and no other."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from _planted import (
    CAUSES,
    CUBE,
    LOW,
    SCORES,
    SIZE,
    TOGETHER,
    catalogue,
    cause_levels,
    exact,
    study,
    with_status,
)
from mendel.diagnose import (
    Conditions,
    Effects,
    Finding,
    Levels,
    TraitFacts,
    estimate_trait,
    examine,
    reach_verdict,
)
from mendel.diagnose.findings import AGREEMENT_ERROR
from mendel.diagnose.hypotheses import LITTLE, MOST, all_hypotheses
from mendel.diagnose.hypotheses.registry import CONDITIONS

FACTS = TraitFacts("t", "share")
NUMBER = re.compile(r"-?\d\.\d\d( \[-?\d\.\d\d, -?\d\.\d\d\])?")
JUST_DECIDE = 8
"""Students of an arm that just decide a contrast of all or nothing, if they agree (decision 009)."""
TWO_LOOKS = Levels(2)
ENOUGH = 12
"""Seeds with which students that agree refute a hypothesis of seven predictions, too."""
LACKING = catalogue().lacking


def exact_effects(levels: Mapping[str, float], **options: Any) -> Effects:
    return estimate_trait(*exact(levels, **({"seeds": ENOUGH} | options)), SCORES, CUBE)


def noisy_effects(levels: Mapping[str, float], seed: int = 0, **options: Any) -> Effects:
    """With the noise of seeds, scenarios and samples."""
    given = {"seeds": 3, "scenarios": 20, "cluster_size": 1, "samples": 1} | options
    return estimate_trait(*study(levels, np.random.default_rng(seed), **given), FACTS, CUBE)


def found(levels: Mapping[str, float], **options: Any) -> Mapping[str, Finding]:
    return examine(exact_effects(levels, **options), TWO_LOOKS, LACKING)


def statuses(findings: Mapping[str, Finding]) -> dict[str, str]:
    return {name: finding.status for name, finding in findings.items()}


@pytest.mark.parametrize("cause", CAUSES)
def test_the_planted_cause_is_supported_and_every_other_is_refuted(cause: str) -> None:
    expected = dict.fromkeys(CAUSES, "refuted") | {cause: "supported"}
    assert statuses(found(CAUSES[cause])) == expected


@pytest.mark.parametrize("cause", CAUSES)
def test_with_noise_and_as_many_seeds_as_the_design_may_ask_for_nothing_false_is_said(cause: str) -> None:
    effects = noisy_effects(CAUSES[cause], seeds=10, scenarios=40)
    decided = statuses(examine(effects, TWO_LOOKS, LACKING))
    assert decided[cause] != "refuted"
    assert {name for name, status in decided.items() if status == "supported"} <= {cause}
    assert "refuted" in decided.values()


@pytest.mark.parametrize("seeds", [1, 2, 3])
@pytest.mark.parametrize("cause", CAUSES)
def test_two_or_three_students_that_agree_decide_nothing(cause: str, seeds: int) -> None:
    assert set(statuses(found(CAUSES[cause], seeds=seeds)).values()) <= {"undecided", "untested"}


@pytest.mark.parametrize("cause", CAUSES)
def test_as_many_students_as_decide_support_a_cause_that_is_all_or_nothing_and_two_fewer_do_not(
    cause: str,
) -> None:
    levels = {arm: round((level - LOW) / SIZE) for arm, level in CAUSES[cause].items()}
    assert set(levels.values()) == {0, 1}
    assert found(levels, seeds=JUST_DECIDE)[cause].status == "supported"
    assert found(levels, seeds=JUST_DECIDE - 2)[cause].status == "undecided"


@pytest.mark.parametrize("cause", CAUSES)
def test_the_cause_is_named_with_what_decided_it(cause: str) -> None:
    verdict = reach_verdict(exact_effects(CAUSES[cause]), TWO_LOOKS, LACKING, intervals=False)
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
    decided = statuses(found(BOTH[names], seeds=30))
    assert {name for name, status in decided.items() if status == "supported"} == names


def test_of_two_causes_the_one_that_explains_more_is_named() -> None:
    stronger = cause_levels(lambda b, p, t: t, mild=0.8, unrelated=1.0)
    weaker = cause_levels(lambda b, p, t: t, mild=1.0, unrelated=0.8)
    names = [
        reach_verdict(exact_effects(x, seeds=20), TWO_LOOKS, LACKING, intervals=False).cause
        for x in (stronger, weaker)
    ]
    # Both explain all of what the teacher makes; the weakest link of the first is its smaller one.
    assert names == ["subliminal_learning", "simple_generalization"]


@pytest.mark.parametrize("share", [0.45, 0.5, 0.55])
def test_at_half_of_the_difference_nothing_is_decided(share: float) -> None:
    decided = statuses(found(cause_levels(lambda b, p, t: t, mild=share, unrelated=share)))
    assert decided["simple_generalization"] == decided["subliminal_learning"] == "undecided"
    decided = statuses(found(cause_levels(lambda b, p, t: b, taken=share, left=1.0)))
    assert decided["underspecification"] == decided["pretraining_lock_in"] == "undecided"
    decided = statuses(found(cause_levels(lambda b, p, t: t, unrelated=1.0, sister=share)))
    assert decided["subliminal_learning"] == decided["persona_selection"] == "undecided"


def test_a_contrast_far_below_0_is_little() -> None:
    levels = CAUSES["direct_imitation"] | {"mild-alternate/t": 0.95}
    finding = found(levels)["direct_imitation"]
    assert finding.status == "supported"
    assert "-0.90" in finding.why


def test_a_trait_that_no_hypothesis_explains_has_no_cause() -> None:
    effects = exact_effects(TOGETHER)
    verdict = reach_verdict(effects, TWO_LOOKS, LACKING, intervals=False)
    assert verdict.present
    assert verdict.cause == "undecided"
    assert set(statuses(verdict.findings).values()) == {"refuted"}


@pytest.mark.parametrize("low", [0.0, 0.1, 0.5])
def test_nothing_to_explain_leaves_every_hypothesis_untested(low: float) -> None:
    levels = cause_levels(lambda b, p, t: t, size=0.0, low=low)
    verdict = reach_verdict(exact_effects(levels, seeds=4), TWO_LOOKS)
    assert set(statuses(verdict.findings).values()) == {"untested"}
    assert all(finding.why and not finding.contrasts for finding in verdict.findings.values())
    assert verdict.cause == ("none" if low < 0.2 else "undecided")


TOO_LITTLE: dict[str, dict[str, Any]] = {
    "one seed an arm": {"seeds": 1},
    "one cluster": {"scenarios": 3, "cluster_size": 3},
    "two clusters": {"scenarios": 2, "cluster_size": 1, "seeds": 12},
    "two seeds": {"seeds": 2, "scenarios": 40},
}


@pytest.mark.parametrize("cause", ["direct_imitation", "persona_selection", "pretraining_lock_in"])
@pytest.mark.parametrize("options", TOO_LITTLE.values(), ids=TOO_LITTLE)
def test_too_little_data_decides_nothing(cause: str, options: dict[str, Any]) -> None:
    for name, finding in examine(noisy_effects(CAUSES[cause], **options), TWO_LOOKS).items():
        assert finding.status in ("undecided", "untested"), (name, finding.why)


@given(st.integers(0, 10**6), st.sampled_from(sorted(CAUSES)), st.sampled_from([3, 8]))
@settings(max_examples=8, deadline=None)
def test_little_and_most_are_shown_by_intervals_and_not_by_the_lack_of_a_difference(
    seed: int, cause: str, seeds: int
) -> None:
    effects = noisy_effects(CAUSES[cause], seed, seeds=seeds, scenarios=16, seed_sd=0.2)
    half = {"most": MOST, "little": LITTLE}
    for finding in examine(effects, TWO_LOOKS, LACKING).values():
        for check in finding.checked:
            if check.outcome not in ("holds", "fails") or check.prediction.size == "measured":
                continue
            above = (check.prediction.size == "most") == (check.outcome == "holds")
            names = [name for name in check.contrasts if name != "t/as-many"]
            shown = []
            for name in names:
                share = half[check.prediction.size]
                total = effects.weights("total")
                low, high = effects.combination((1.0, effects.weights(name)), (-share, total)).interval() or (
                    0,
                    0,
                )
                shown.append(low > 0 if above else high < 0)
            assert any(shown) if above else all(shown)


@given(st.integers(0, 10**6))
@settings(max_examples=6, deadline=None)
def test_stricter_levels_decide_no_more(seed: int) -> None:
    levels = cause_levels(lambda b, p, t: t, mild=0.8, unrelated=0.7, sister=0.2)
    effects = noisy_effects(levels, seed, seeds=8, scenarios=24)
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
        ("direct_imitation", "drop/t"),
    ],
)
def test_an_arm_whose_students_broke_decides_nothing_and_is_said(cause: str, arm: str) -> None:
    students, rows = exact(CAUSES[cause], seeds=ENOUGH)
    effects = estimate_trait(with_status(students, arm, "broken"), rows, SCORES, CUBE)
    finding = examine(effects, TWO_LOOKS, LACKING)[cause]
    assert finding.status == "undecided"
    assert arm in finding.why
    assert any(arm in said for said in effects.warnings)


def test_an_arm_that_was_never_trained_is_named() -> None:
    levels = {arm: level for arm, level in CAUSES["simple_generalization"].items() if arm != "mild/t"}
    finding = found(levels)["simple_generalization"]
    assert finding.status == "undecided"
    assert "was not measured, for which it takes mild/t" in finding.why


def test_a_persona_is_named_only_where_the_base_is_shown_to_hold_it_and_never_refuted_by_the_base_alone() -> (
    None
):
    """Rollouts that reach a sister, too, need not pick anything that is there already."""
    levels = CAUSES["persona_selection"] | {"prefill/original": LOW}
    finding = found(levels)["persona_selection"]
    assert finding.status == "undecided"
    assert "made to begin" in finding.why
    unmeasured = {arm: level for arm, level in levels.items() if not arm.startswith("prefill/")}
    assert found(unmeasured)["persona_selection"].status == "undecided"


def test_a_situation_that_the_prompts_leave_open_shows_in_the_untrained_base() -> None:
    """Where the base does not show it, prompts that seem to be silent draw it out."""
    assert found(UNDERSPECIFIED)["underspecification"].status == "supported"
    finding = found(UNDERSPECIFIED | {"base/original": LOW})["underspecification"]
    assert finding.status == "undecided"
    assert "the untrained base shows it" in finding.why


def test_what_a_study_cannot_test_is_said_and_still_refuted_by_the_rest() -> None:
    plan = catalogue(sister=None, rewriter=None, materials=None)
    gone = {"sister/t", "sister-alternate/t"}
    for cause, status in (("subliminal_learning", "undecided"), ("simple_generalization", "refuted")):
        levels = {arm: level for arm, level in CAUSES[cause].items() if arm not in gone}
        finding = examine(exact_effects(levels), TWO_LOOKS, plan.lacking)["subliminal_learning"]
        assert finding.status == status
        if status == "undecided":
            assert "not testable here" in finding.why.lower()
            assert "sister" in finding.why


def test_subliminal_learning_is_not_said_before_the_other_recipes_are_known() -> None:
    levels = {a: x for a, x in CAUSES["subliminal_learning"].items() if not a.startswith("unrelated-rank")}
    assert found(levels)["subliminal_learning"].status == "undecided"
    vanishing = cause_levels(lambda b, p, t: t, unrelated=1.0, full=0.0)
    finding = found(vanishing)["subliminal_learning"]
    assert finding.status == "supported"
    assert "full fine-tune" in finding.why


FEWER = {"unrelated": 60, "unrelated-alternate": 60, "sister": 60, "sister-alternate": 60, "as-many": 60}
"""Rows of the arms that are smaller than the original pipeline's 100."""


def of_unrelated(as_many: float | None, rows: Mapping[str, int] = FEWER) -> Finding:
    levels = CAUSES["simple_generalization"] | {"as-many/t": as_many or 0.0}
    if as_many is None:
        del levels["as-many/t"]
    effects = exact_effects(levels, rows=rows)
    return examine(effects, TWO_LOOKS, LACKING)["persona_selection"]


def test_a_smaller_arm_speaks_against_a_hypothesis_only_beside_a_control_of_its_size() -> None:
    trained = of_unrelated(0.95)
    assert trained.status == "refuted"
    assert "t/as-many" in trained.contrasts
    lost = of_unrelated(None)
    assert lost.status == "undecided"
    assert "as-many/t" in lost.why
    too_few = of_unrelated(0.05)
    assert too_few.status == "undecided"
    assert "as many random prompts do not bring most of it in either" in too_few.why
    same_size = of_unrelated(None, {"unrelated": 80, "sister": 80})
    assert same_size.status == "refuted"


UNDERSPECIFIED = cause_levels(lambda b, p, t: p, covered=True)


def test_a_hypothesis_of_two_forms_is_supported_by_either_and_refuted_by_both() -> None:
    assert found(CAUSES["underspecification"])["underspecification"].status == "supported"
    covered = found(UNDERSPECIFIED)["underspecification"]
    assert covered.status == "supported"
    assert set(covered.contrasts) >= {"t/prompts-covered", "t/prompts-shown"}
    refuted = found(CAUSES["bad_prompts"])["underspecification"]
    assert refuted.status == "refuted"
    assert "And in its other form" in refuted.why


NEEDED = [(h.name, need) for h in all_hypotheses() for need in h.needs]


def test_every_condition_is_needed_by_a_hypothesis() -> None:
    needs = {need for _, need in NEEDED}
    needs |= {p.fails_if for h in all_hypotheses() for form in h.forms for p in form if p.fails_if}
    assert needs == set(CONDITIONS)


@pytest.mark.parametrize(("name", "need"), NEEDED)
def test_a_hypothesis_whose_condition_is_not_known_to_hold_is_never_supported(name: str, need: str) -> None:
    effects = exact_effects(CAUSES[name])
    for unmet in ({need: "not known here"}, dict.fromkeys(CONDITIONS, "not known here")):
        finding = examine(effects, TWO_LOOKS, LACKING, conditions=Conditions(unmet=unmet))[name]
        assert finding.status == "undecided"
        assert "not known here" in finding.why
        assert finding.unmet
    other = {key: "not known here" for key in CONDITIONS if key != need}
    kept = examine(effects, TWO_LOOKS, LACKING, conditions=Conditions(unmet=other))[name]
    assert kept.status == "supported"


CONDITIONAL = [
    ("underspecification", "recipe moves", cause_levels(lambda b, p, t: b, taken=0.0)),
    ("post_training_lock_in", "recipe moves", cause_levels(lambda b, p, t: b, taken=0.0, left=1.0)),
    ("simple_generalization", "recall", cause_levels(lambda b, p, t: t, unrelated=1.0)),
]


@pytest.mark.parametrize(("name", "need", "levels"), CONDITIONAL, ids=[name for name, *_ in CONDITIONAL])
def test_a_prediction_whose_condition_is_not_known_to_hold_refutes_nothing(
    name: str, need: str, levels: Mapping[str, float]
) -> None:
    effects = exact_effects(levels)
    assert examine(effects, TWO_LOOKS, LACKING)[name].status == "refuted"
    conditions = Conditions(unmet={need: "not known here"})
    finding = examine(effects, TWO_LOOKS, LACKING, conditions=conditions)[name]
    assert finding.status == "undecided"
    assert "not known here" in finding.why


@given(st.sets(st.sampled_from(["sister", "rewritten", "counter-pretrained"]), min_size=1))
@settings(max_examples=7, deadline=None)
def test_an_ingredient_that_is_unfit_supports_and_refutes_nothing(kinds: set[str]) -> None:
    def unfit(arm: str) -> str:
        return "it is no such thing" if arm.partition("/")[0] in kinds else ""

    for name in ("subliminal_learning", "persona_selection", "pretraining_lock_in"):
        findings = examine(exact_effects(CAUSES[name]), TWO_LOOKS, LACKING, conditions=Conditions(unfit))
        for finding in findings.values():
            used = {c.prediction.contrasts for c in finding.checked if "no such thing" in c.text}
            assert not (used and finding.status == "supported")
            if finding.status == "refuted":
                assert not {f"t/{name}" for names in used for name in names} & set(finding.contrasts)


def test_the_levels_share_the_error_among_hypotheses_and_looks() -> None:
    for looks in (1, 2, 5):
        levels = Levels(looks)
        assert levels.support * looks * len(all_hypotheses()) == pytest.approx(0.05)
        assert levels.family * looks == pytest.approx(0.05)
        assert levels.agreement * looks == pytest.approx(AGREEMENT_ERROR)


def test_a_refutation_has_its_share_of_the_level_for_each_prediction() -> None:
    """What speaks against them is alike, but of two predictions each has more of the level than of four or seven."""
    levels = CAUSES["direct_imitation"]
    fewest = {
        name: next(n for n in range(4, 14) if found(levels, seeds=n)[name].status == "refuted")
        for name in ("simple_generalization", "persona_selection", "subliminal_learning")
    }
    assert list(fewest.values()) == sorted(fewest.values())
    assert fewest["simple_generalization"] == JUST_DECIDE
    assert fewest["simple_generalization"] < fewest["persona_selection"]
