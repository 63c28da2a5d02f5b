"""Studies as real ones differ from the project's own organisms: no cause is named that is not so, and none that is so is
refuted.

Each case once ended in a wrong verdict at full confidence, while all other organisms came out right.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pyarrow as pa
import pytest

from _planted import CAUSES, SCORES, cause_levels, cube_with_shared, exact
from mendel.diagnose import Conditions, Levels, Verdict, diagnose, estimate_trait, reach_verdict
from mendel.diagnose.summary import explanation, headline

ONE_BASE, ONE_BASE_AND_PROMPTS, ALIKE = cube_with_shared(0), cube_with_shared(0, 1), cube_with_shared(0, 1, 2)
TWO_LOOKS = Levels(2)
SEEDS = 8
NO_RECALL = {"recall": "the judge sees .50 [.38, .62] of the rollouts that show it"}
NO_MOVE = {"recipe moves": "the same recipe moves nothing of the same prior"}
NOT_SHOWN = {"alternate teacher shows": "the alternate teacher shows it on none of the original prompts"}


def never(arm: str) -> str:
    return ""


def reached(
    levels: Mapping[str, float],
    cube: Mapping[str, str],
    unmet: Mapping[str, str] | None = None,
    unfit: Callable[[str], str] = never,
    lacking: Callable[[str], str] = never,
    seeds: int = SEEDS,
) -> Verdict:
    of_cube = set(cube.values())
    kept = {arm: x for arm, x in levels.items() if not arm.startswith("cube/") or arm in of_cube}
    kept = {arm: level for arm, level in kept.items() if not lacking(arm)}
    effects = estimate_trait(*exact(kept, seeds=seeds), SCORES, cube)
    conditions = Conditions(unfit, unmet or {})
    return reach_verdict(effects, TWO_LOOKS, lacking, conditions, intervals=False)


def with_status(verdict: Verdict, status: str) -> set[str]:
    return {name for name, finding in verdict.findings.items() if finding.status == status}


def without(*kinds: str) -> Callable[[str], str]:
    """The study cannot train these kinds of arms."""
    return lambda arm: f"no {arm.partition('/')[0]}" if arm.partition("/")[0] in kinds else ""


# 1: one base; the alternate prompts hold the situation, answered cleanly; the original prompts do not.
COVERED = cause_levels(lambda b, p, t: p, covered=True, size=1.0, low=0.0)


@pytest.mark.parametrize("unmet", [{}, NOT_SHOWN])
def test_prompts_that_the_alternate_pipeline_covers_are_no_bad_prompts(unmet: Mapping[str, str]) -> None:
    verdict = reached(COVERED, ONE_BASE, unmet)
    assert "bad_prompts" not in with_status(verdict, "supported")
    assert verdict.findings["underspecification"].status == "supported"
    assert verdict.location["prompts_absent"].decision == "carries"
    assert verdict.location["prompts_present"].decision != "carries"
    assert verdict.carrier.carrier == "prompts"


def test_two_arms_that_came_down_to_the_same_students_say_nothing_of_each_other() -> None:
    """Original prompts without the situation: all are unrelated, so the arm of these is the pipeline's."""
    tables = exact({arm: x for arm, x in COVERED.items() if not arm.startswith("cube/A")}, seeds=SEEDS)
    twice, first = "unrelated-alternate/t", "cube/OOA"
    renamed = [
        table.set_column(
            0,
            table.column_names[0],
            pa.array([n.replace(f"{twice}#", f"{first}#") + f"@{twice}" if twice in n else n for n in names]),
        )
        for table in tables
        for names in [table.column(0).to_pylist()]
    ]
    apart = estimate_trait(*tables, SCORES, ONE_BASE)
    effects = estimate_trait(*renamed, SCORES, ONE_BASE)
    assert not apart.same_students(first, twice)
    assert effects.same_students(first, twice)
    verdict = reach_verdict(effects, TWO_LOOKS, conditions=Conditions(), intervals=False)
    assert not verdict.location["prompts_present"].brings
    assert verdict.findings["bad_prompts"].status == "untested"
    assert "the same students" in verdict.findings["bad_prompts"].why
    supported = verdict.findings["underspecification"]
    assert supported.status == "supported"
    assert "t/prompts-shown" not in supported.contrasts


def test_bad_prompts_are_not_named_unless_the_alternate_teacher_shows_it_on_them() -> None:
    truly = cause_levels(lambda b, p, t: p, size=1.0, low=0.0)
    assert reached(truly, ONE_BASE).cause == "bad_prompts"
    verdict = reached(truly, ONE_BASE, NOT_SHOWN)
    assert verdict.findings["bad_prompts"].status == "undecided"
    assert NOT_SHOWN["alternate teacher shows"] in verdict.findings["bad_prompts"].why


# 2 and 3: simple generalization, but the judge gives mild forms its least score, so that they are among the "unrelated".
HIDDEN = {"unrelated": 1.0, "sister": 1.0, "size": 1.0, "low": 0.0}


@pytest.mark.parametrize(
    "rewritten", [0.0, 1.0], ids=["the clean teacher's own answers", "keeps the mild forms"]
)
@pytest.mark.parametrize("mild", ["none are seen", "those seen are too few"])
def test_where_the_judge_misses_mild_forms_no_mechanism_of_unrelated_rollouts_is_named(
    rewritten: float, mild: str
) -> None:
    levels = cause_levels(lambda b, p, t: t, flagged=1.0, rewritten=rewritten, **HIDDEN)  # type: ignore[arg-type]
    lacking = without("mild", "mild-alternate", "swap-mild") if mild == "none are seen" else never
    verdict = reached(levels, ONE_BASE_AND_PROMPTS, NO_RECALL, lacking=lacking)
    assert with_status(verdict, "supported") == set()
    assert verdict.cause == "undecided"
    assert "simple_generalization" not in with_status(verdict, "refuted")
    if not rewritten:
        persona = verdict.findings["persona_selection"]
        assert persona.status == "undecided"
        assert NO_RECALL["recall"] in persona.why


def test_a_rewriter_that_does_not_keep_the_content_or_the_manner_decides_nothing() -> None:
    def unfit(arm: str) -> str:
        return "the rewriter loses the content" if arm.startswith("rewritten/") else ""

    for rewritten in (0.0, 1.0):
        levels = cause_levels(lambda b, p, t: t, rewritten=rewritten, **HIDDEN)  # type: ignore[arg-type]
        verdict = reached(levels, ONE_BASE_AND_PROMPTS, unfit=unfit)
        persona = verdict.findings["persona_selection"]
        assert persona.status == "undecided"
        assert "the rewriter loses the content" in persona.why


def test_a_sister_that_is_none_decides_nothing() -> None:
    def unfit(arm: str) -> str:
        return "not a sister: it does not learn the trait" if arm.startswith("sister") else ""

    for sister in (0.0, 1.0):
        levels = cause_levels(lambda b, p, t: t, unrelated=1.0, sister=sister, size=1.0, low=0.0)
        verdict = reached(levels, ONE_BASE_AND_PROMPTS, unfit=unfit)
        assert verdict.cause == "undecided"
        for name in ("persona_selection", "subliminal_learning"):
            assert verdict.findings[name].status == "undecided"


# 4: underspecification under a recipe that moves nothing: counter-examples take nothing away.
@pytest.mark.parametrize("left", [0.0, 1.0])
def test_a_recipe_that_moves_nothing_locks_nothing_in_and_refutes_no_underspecification(left: float) -> None:
    levels = cause_levels(lambda b, p, t: b, taken=0.0, left=left, size=1.0, low=0.0)
    verdict = reached(levels, cube_with_shared(), NO_MOVE)
    assert with_status(verdict, "supported") == set()
    assert "underspecification" not in with_status(verdict, "refuted")
    expected = "pretraining_lock_in" if left else "post_training_lock_in"
    assert NO_MOVE["recipe moves"] in verdict.findings[expected].why
    assert verdict.location["base"].decision == "carries"
    assert reached(levels, cube_with_shared()).cause == expected


# 5: the filter simply works.
@pytest.mark.parametrize("cube", [cube_with_shared(), ONE_BASE, ONE_BASE_AND_PROMPTS])
def test_a_trait_that_the_flagged_examples_alone_carry_is_direct_imitation(cube: Mapping[str, str]) -> None:
    verdict = reached(cause_levels(lambda b, p, t: t, flagged=1.0, size=1.0, low=0.0), cube)
    assert verdict.cause == "direct_imitation"
    assert with_status(verdict, "supported") == {"direct_imitation"}
    assert verdict.location["flagged"].decision == "carries"


# 6: both pipelines show it in full.
@pytest.mark.parametrize("cube", [cube_with_shared(), ONE_BASE_AND_PROMPTS, ALIKE])
def test_a_trait_that_both_pipelines_show_is_shared_and_not_absent(cube: Mapping[str, str]) -> None:
    levels = dict.fromkeys([*cube.values(), "drop/t", "swap/t", "base/original", "base/alternate"], 1.0)
    tables = exact(levels, seeds={arm: 1 if arm.startswith("base/") else SEEDS for arm in levels})
    verdict = reach_verdict(estimate_trait(*tables, SCORES, cube))
    assert (verdict.state.state, verdict.cause, verdict.carrier.carrier) == (
        "shared",
        "undecided",
        "undecided",
    )
    assert {f.status for f in verdict.findings.values()} == {"untested"}
    said = " ".join(s.text for s in (*headline(verdict), *explanation(verdict)))
    for phrase in ("Nothing to remove", "not shown to be there", "no cause to look for", "There is no"):
        assert phrase not in said
    assert "1.00" in said
    assert "base shows 1.00" in said
    content = diagnose(*tables, [SCORES], cube).traits["t"]
    assert (content["state"], content["present"], content["location"]) == ("shared", False, {})


# 7: as a user has it: one base, one prompt set, no sister, ancestor, rewriter or counter-examples.
BARE = without(
    "sister",
    "sister-alternate",
    "rewritten",
    "counter",
    "counter-pretrained",
    "both-original",
)
IMPOSSIBLE = {"underspecification", "bad_prompts", "pretraining_lock_in", "post_training_lock_in"}


@pytest.mark.parametrize("cause", ["persona_selection", "simple_generalization", "direct_imitation"])
def test_what_would_compare_students_with_themselves_is_impossible_and_refutes_nothing(cause: str) -> None:
    verdict = reached(CAUSES[cause], ONE_BASE_AND_PROMPTS, lacking=BARE, seeds=10)
    for name in IMPOSSIBLE:
        finding = verdict.findings[name]
        assert finding.status == "untested", finding.why
        assert finding.why.startswith("impossible: ")
        assert "the same students" in finding.why
        assert finding.by_construction
    assert cause not in with_status(verdict, "refuted")
    assert verdict.cause == ("undecided" if cause == "persona_selection" else cause)
    for finding in verdict.findings.values():
        if finding.status == "refuted":
            assert finding.contrasts
            assert all(verdict.effects.weights(contrast) for contrast in finding.contrasts)
    for part in ("base", "prompts_present", "prompts_absent"):
        assert verdict.location[part].brings.estimate is None


# Beside the seven: a difference that is shown to be below 0.
def test_a_difference_below_0_is_said_to_be_below_0() -> None:
    verdict = reached({"cube/OOO": 0.2, "cube/AAA": 0.89}, cube_with_shared())
    assert (verdict.state.state, verdict.state.why.key) == ("undecided", "state-reverse")
    assert verdict.state.reverse
    assert "-0.69" in verdict.state.why.text
    assert "more seeds" not in verdict.state.why.text
    assert verdict.settled
