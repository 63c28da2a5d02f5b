"""The declarations: what they name exists, and one more is one more declaration."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from _planted import CAUSES, CUBE, SCORES, catalogue, exact, restored, study
from mendel.design.arms import LACKING, arm_kinds
from mendel.diagnose import TraitFacts, all_hypotheses, diagnose, estimate_trait, examine, reach_verdict
from mendel.diagnose.contrasts import CORNER_DIFFERENCES, EDIT_DIFFERENCES, Difference
from mendel.diagnose.hypotheses import BUILT_IN, Hypothesis, differences, hypotheses, hypothesis, little, most
from mendel.diagnose.hypotheses.registry import LITTLE, MOST
from mendel.engine.errors import InputError
from mendel.study.cube import CORNERS

ODD = Hypothesis("odd", "an odd claim", (most("the base alone brings it", "base-alone"),))
NAMES = {
    "direct_imitation", "simple_generalization", "subliminal_learning", "persona_selection", "underspecification", "bad_prompts", "pretraining_lock_in", "post_training_lock_in",
}  # fmt: skip
OWN = {difference.id for difference in differences()}
CORNER = {name for name, *_ in CORNER_DIFFERENCES}
EDIT = {name for name, *_ in EDIT_DIFFERENCES}


def test_all_eight_are_there() -> None:
    assert {h.name for h in all_hypotheses()} == NAMES


UNTRAINED = {"base/original", "prefill/original", "prefill/alternate"}
"""Arms of the base as it is, which serve all traits."""


@pytest.mark.parametrize("hypothesis", all_hypotheses(), ids=lambda h: h.name)
def test_what_a_declaration_names_exists(hypothesis: Hypothesis) -> None:
    own = {difference.id for difference in hypothesis.differences}
    for prediction in (*hypothesis.predictions, *hypothesis.otherwise):
        assert prediction.contrasts
        # A contrast of another hypothesis has to be brought along, or this one could not stand alone.
        assert set(prediction.contrasts) <= own | CORNER | EDIT
        assert prediction.says
    for difference in hypothesis.differences:
        for side in (difference.first, difference.second):
            assert side in CORNERS or side in arm_kinds or side in UNTRAINED
        assert difference.arms("t", CUBE)[0] != difference.arms("t", CUBE)[1]


@pytest.mark.parametrize("hypothesis", all_hypotheses(), ids=lambda h: h.name)
def test_a_full_study_can_train_every_arm_of_a_declaration(hypothesis: Hypothesis) -> None:
    plan = catalogue()
    for difference in hypothesis.differences:
        for arm in set(difference.arms("t", plan.cube)) - UNTRAINED:
            assert arm in plan.grid()
            assert plan.arm(arm, 2).name == arm


TAUGHT_STEPS = ("taught", "taught-sister")
"""Contrasts of which one side has fewer rows and as many steps, so that its recipe has more epochs."""


def test_the_two_sides_of_a_contrast_differ_in_one_thing() -> None:
    """One of: who answers, which prompts, the base.

    The counter-examples from the ancestor are read against a pipeline.
    """
    plan = catalogue()
    for difference in differences():
        if difference.id == "counter-pretrained" or difference.first in UNTRAINED:
            continue
        one, other = (plan.arm(name, 1) for name in difference.arms("t", plan.cube))
        assert one.base == other.base
        if difference.id not in TAUGHT_STEPS:
            assert one.recipe == other.recipe


def test_own_contrasts_have_ids_that_no_corner_has() -> None:
    assert not OWN & (CORNER | EDIT)
    assert len(OWN) == len(differences())


def test_no_contrast_is_both_most_and_little() -> None:
    assert 0 < LITTLE <= MOST < 1


def test_every_need_of_a_kind_has_its_sentence() -> None:
    for kind in arm_kinds:
        assert set(arm_kinds.get(kind).needs) <= set(LACKING)


@pytest.fixture
def ninth(monkeypatch: pytest.MonkeyPatch) -> Hypothesis:
    restored(monkeypatch, hypotheses)
    declared = Hypothesis(
        "only_the_base",
        "a cause made up for this test",
        (
            most("the base alone brings it", "base-alone"),
            little("the teacher alone does not", "teacher-alone"),
        ),
    )
    hypothesis(declared)
    return declared


def test_a_ninth_hypothesis_is_one_declaration(ninth: Hypothesis) -> None:
    effects = estimate_trait(*exact(CAUSES["underspecification"], seeds=10), SCORES, CUBE)
    findings = reach_verdict(effects).findings
    name = f"test_hypotheses/{ninth.name}"  # the package comes before a plug-in's name
    assert set(findings) == NAMES | {name}
    assert findings[name].status == "supported"
    assert findings[name].contrasts == ("base-alone", "teacher-alone")
    assert examine(effects)[name].status == "supported"


def test_a_hypothesis_of_another_package_has_its_own_words_in_the_verdict(ninth: Hypothesis) -> None:
    tables = exact(CAUSES["underspecification"], seeds=10)
    verdict = diagnose(*tables, [SCORES], CUBE).traits["t"]
    content = verdict["hypotheses"][f"test_hypotheses/{ninth.name}"]  # type: ignore[index]
    assert (content["title"], content["says"]) == ("only the base", ninth.says)
    assert content["means"] == "The cause is only the base"
    assert "only the base" in str(verdict["explanation"])


def test_a_prediction_of_an_unknown_contrast_is_refused() -> None:
    odd = Hypothesis("odd", "", (most("", "no-such-contrast"),))
    effects = estimate_trait(
        *study(CAUSES["bad_prompts"], np.random.default_rng(0), seeds=2, scenarios=6),
        TraitFacts("t", "share"),
        CUBE,
    )
    with pytest.raises(ValueError, match="no-such-contrast"):
        examine(effects, hypotheses=[odd])


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"name": "bad_prompts"}, "already"),
        ({"name": "a/b"}, "name of a plug-in"),
        ({"says": ""}, "has no 'says'"),
        ({"predictions": ()}, "predicts nothing"),
        ({"predictions": (most("it is so", "no-such-contrast"),)}, "unknown contrast 'no-such-contrast'"),
        ({"predictions": (most("it is so"),)}, "nothing of any contrast"),
        ({"otherwise": (little("it is so", "no-such-contrast"),)}, "unknown contrast 'no-such-contrast'"),
        ({"needs": ("luck",)}, "needs 'luck', which is none of recall"),
        ({"predictions": (most("it is so", "base-alone", fails_if="luck"),)}, "needs 'luck'"),
    ],
)
def test_a_declaration_that_cannot_stand_is_refused(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], wrong: str
) -> None:
    restored(monkeypatch, hypotheses)
    with pytest.raises(InputError, match=wrong):
        hypothesis(replace(ODD, **changes))
    assert {h.name for h in all_hypotheses()} == NAMES


def test_a_second_hypothesis_of_a_taken_name_and_what_is_none_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    restored(monkeypatch, hypotheses)
    hypothesis(ODD)
    with pytest.raises(InputError, match="already"):
        hypothesis(replace(ODD, says="another claim under the same name"))
    with pytest.raises(InputError, match="Hypothesis"):
        hypothesis("odd")  # type: ignore[arg-type]


def test_two_contrasts_of_one_id_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    restored(monkeypatch, hypotheses)
    own = Difference("mild", "mild", "OOA", "another contrast under an id that is taken")
    hypothesis(replace(ODD, differences=(own,), predictions=(most("it is so", "mild"),)))
    with pytest.raises(
        InputError, match=r"'simple_generalization' and 'test_hypotheses/odd': each brings another .* 'mild'"
    ):
        differences()


def test_a_contrast_of_an_unknown_arm_kind_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    restored(monkeypatch, hypotheses)
    own = Difference("own", "mildd", "OOA", "a contrast of an arm kind that is not there")
    hypothesis(replace(ODD, differences=(own,), predictions=(most("it is so", "own"),)))
    with pytest.raises(InputError, match=r"odd': 'own': unknown arm kind 'mildd'\. Did you mean 'mild'"):
        differences()


def test_the_page_lists_the_built_in_ones_in_its_own_order() -> None:
    assert set(BUILT_IN) == NAMES
    assert all(h.says and h.means for h in all_hypotheses())
