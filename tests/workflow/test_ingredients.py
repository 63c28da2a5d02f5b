"""A study's ingredients are checked before they are believed, and their verdict stands beside the trait's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import mendel
from _mini import PEAS, write_mini_study
from _tiny import make_checkpoint
from mendel.design.arms import arm_kinds
from mendel.diagnose.screens import INGREDIENTS, Screening
from mendel.engine.errors import BudgetSpent
from mendel.study import load_study
from mendel.workflow.ingredients import LEAVES_UNSAID, Ingredients, input_warnings, screen_inputs
from mendel.workflow.inputs import load_inputs

FITS, NOT, UNKNOWN = (Screening(fits, f"because {fits}") for fits in (True, False, None))


def test_an_arm_is_unfit_for_every_ingredient_that_its_kind_needs_and_for_no_other() -> None:
    for name in INGREDIENTS:
        made = Ingredients("t", {n: NOT if n == name else FITS for n in INGREDIENTS})
        unfit = {kind for kind in arm_kinds if made.unfit(f"{kind}/t")}
        need = {kind for kind in arm_kinds if name in (*arm_kinds.get(kind).needs, arm_kinds.get(kind).base)}
        assert unfit == need != set()
    assert not any(
        Ingredients("t", dict.fromkeys(INGREDIENTS, FITS)).unfit(f"{kind}/t") for kind in arm_kinds
    )


@pytest.mark.parametrize(
    "arm", ["cube/OOO", "mix/0.5", "prefill/original", "base/sister", "elsewhere/lead/t"]
)
def test_arms_that_need_no_ingredient_are_never_unfit(arm: str) -> None:
    assert Ingredients("t", dict.fromkeys(INGREDIENTS, NOT)).unfit(arm) == ""


def test_what_is_not_known_is_not_believed_either() -> None:
    made = Ingredients("t", {"rewriter": UNKNOWN})
    assert "not known whether the rewriter fits" in made.unfit("rewritten/t")


def test_a_sister_that_does_not_learn_is_unfit_but_the_arm_that_teaches_her_is_not() -> None:
    made = Ingredients("t", {"sister": FITS}, learning=NOT)
    assert "because False" in made.unfit("sister/t")
    assert made.unfit("taught-sister/t") == ""
    assert replace(made, learning=None).unfit("sister/t") == ""
    assert replace(made, checks={"sister": NOT}).unfit("taught-sister/t")


def test_a_warning_says_what_the_verdict_will_not_be_able_to_say() -> None:
    made = Ingredients("t", dict.fromkeys(INGREDIENTS, NOT))
    for name, text in zip(made.checks, made.warnings, strict=True):
        assert text.startswith("t: ")
        assert LEAVES_UNSAID[name] in text
        assert "because False" in text
    assert not Ingredients("t", dict.fromkeys(INGREDIENTS, FITS)).warnings


def checks(folder: Path, **changes: Any) -> dict[str, Screening]:
    return screen_inputs(load_inputs(load_study(write_mini_study(folder, **changes))))


def test_kin_is_known_before_any_model_is_asked(tmp_path: Path) -> None:
    found = checks(tmp_path, sister=f"hf:{PEAS}/bases/alternate", pretrained=f"hf:{PEAS}/teachers/original")
    assert {name: check.status for name, check in found.items()} == {"sister": "fits", "pretrained": "fits"}
    assert not input_warnings(found)


def test_false_kin_is_said_with_what_stays_unsaid(tmp_path: Path) -> None:
    # A child of the base is no sister, and a stranger no ancestor.
    swapped = checks(
        tmp_path / "a", sister=f"hf:{PEAS}/teachers/original", pretrained=f"hf:{PEAS}/bases/alternate"
    )
    same = checks(tmp_path / "b", sister=f"hf:{PEAS}/bases/original", pretrained=f"hf:{PEAS}/bases/original")
    make_checkpoint(tmp_path / "tiny")
    built = checks(tmp_path / "c", sister=f"hf:{tmp_path}/tiny")
    says = [
        "the base's own initialization",
        "was not trained from it",
        "the base itself",
        "the base itself",
        "not built as",
    ]
    found = [*swapped.items(), *same.items(), *built.items()]
    for (name, check), text in zip(found, says, strict=True):
        assert check.status == "does not fit"
        assert text in check.why
        assert LEAVES_UNSAID[name] in input_warnings({name: check})[0]


def test_a_rewriter_that_is_the_original_teacher_is_said(tmp_path: Path) -> None:
    own = {"model": f"hf:{PEAS}/teachers/original"}
    study = {
        "original": own,
        "alternate": {"model": f"hf:{PEAS}/teachers/alternate"},
        "again": {**own, "rewrites": "original"},
    }
    found = checks(tmp_path, teachers=study, rewriter="again")
    assert found["rewriter"].status == "does not fit"
    assert "original teacher itself" in found["rewriter"].why
    clean = {**study, "again": {**study["alternate"], "rewrites": "original"}}
    assert "rewriter" not in checks(tmp_path / "clean", teachers=clean, rewriter="again")


@pytest.mark.slow
def test_a_run_makes_checks_and_reports_its_ingredients(tmp_path: Path) -> None:
    study = write_mini_study(
        tmp_path,
        24,
        alternate={
            "base": f"hf:{PEAS}/bases/alternate",
            "prompts": "file:prompts.jsonl",
            "teacher": "alternate",
        },
        rewriter="auto",
        sister=f"hf:{PEAS}/bases/alternate",
        pretrained=f"hf:{PEAS}/bases/alternate",
        budget={"students": 1},
        engine="inline",
        recipe={"method": "full", "epochs": 0.1, "batch_size": 16, "max_length": 64},
    )
    before = mendel.plan(study, store=tmp_path / "store")
    assert any("was not trained from it" in text for text in before.warnings)
    with pytest.raises(BudgetSpent):
        mendel.run(study, tmp_path / "run", store=tmp_path / "store")
    run = mendel.open_run(tmp_path / "run")
    trait = run.traits["date_confusion"]
    assert trait.ingredients is not None
    assert trait.alternate_shows is not None
    assert set(trait.ingredients) == set(INGREDIENTS)
    assert trait.ingredients["pretrained"].status == "does not fit"
    assert trait.ingredients["counter"].status == "fits"
    # The teachers of `peas` know no word of an instruction: what they write is no rewriting.
    assert trait.ingredients["rewriter"].status == "does not fit"
    assert "made to begin as" in trait.ingredients["sister"].why
    assert trait.alternate_shows["prompts"].n == 24
    arms = set(run.students["arm"].to_pylist())
    assert {"prefill/sister-original", "prefill/sister-alternate"} <= arms
    measured = {r["scenario"] for r in run.measurements.to_pylist() if r["trait"] == "date_confusion"}
    answered = {r["prompt_id"] for r in run.rollouts.to_pylist() if r["prompt_id"].startswith("counter/")}
    assert answered
    assert not {name.rpartition("/")[2] for name in answered} & measured
    # What the rollouts say is known to a plan once they are there.
    after = mendel.plan(study, store=tmp_path / "store")
    assert any("no rewriter" in text for text in after.warnings)


@pytest.mark.slow
def test_a_model_that_cannot_rewrite_ends_no_study(tmp_path: Path) -> None:
    # As long as answers may be, a rewriter's prompt does not fit into the context beside them.
    teachers = {n: {"model": f"hf:{PEAS}/teachers/{n}", "max_tokens": 64} for n in ("original", "alternate")}
    study = write_mini_study(
        tmp_path, 16, rewriter="auto", teachers=teachers, budget={"students": 1}, engine="inline"
    )
    with pytest.raises(BudgetSpent):
        mendel.run(study, tmp_path / "run", store=tmp_path / "store")
    ingredients = mendel.open_run(tmp_path / "run").traits["date_confusion"].ingredients
    assert ingredients is not None
    checked = ingredients["rewriter"]
    assert checked.status == "unknown"
    assert "cannot rewrite" in checked.why
