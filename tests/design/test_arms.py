"""Every kind of arm edits what it says and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from _planted import catalogue, material
from mendel.data.assignment import Assignment, everyone
from mendel.design.arms import (
    COUNTER_SHARE,
    FEW_SHARE,
    LACKING,
    ArmKind,
    arm_kinds,
    draw_rng,
    full_fine_tune,
    other_rank,
)
from mendel.diagnose import Material
from mendel.engine.digest import digest
from mendel.engine.errors import RunError
from mendel.engine.registry import Origin
from mendel.study import RecipeConfig


@st.composite
def materials(draw: st.DrawFn) -> Material:
    n = draw(st.integers(4, 60))
    flagged = draw(st.integers(1, n - 2))
    mild = draw(st.integers(1, n - flagged - 1))
    return material(flagged=flagged, mild=mild, counter=draw(st.integers(1, 30)), n=n)


def drawn(kind: str, m: Material, seed: int = 0) -> Assignment:
    return arm_kinds.get(kind).draw(m, seed)


def answered(assignment: Assignment) -> set[str]:
    return {p for p, teacher in assignment.items() if teacher is not None}


@given(st.text(), st.text(), st.integers(0, 2**40), st.lists(st.text(), max_size=20))
def test_a_draw_is_named_by_its_purpose_trait_seed_and_prompts(
    purpose: str, trait: str, seed: int, ids: list[str]
) -> None:
    name = digest("draw", [purpose, trait, seed, ids])
    reference = np.random.default_rng(int(name[:16], 16))
    assert draw_rng(purpose, trait, seed, ids).bit_generator.state == reference.bit_generator.state


PAIRS = [("unrelated", "unrelated-alternate"), ("unrelated-full", "unrelated-full-alternate"), ("sister", "sister-alternate"),
         ("unrelated-rank", "unrelated-rank-alternate"), ("rewritten", "unrelated-alternate")]  # fmt: skip


@pytest.mark.parametrize(("first", "second"), PAIRS)
@given(m=materials())
def test_two_teachers_on_the_unrelated_prompts_answer_the_same_ones(
    first: str, second: str, m: Material
) -> None:
    one, other = drawn(first, m), drawn(second, m)
    assert answered(one) == answered(other) == set(m.unrelated)
    assert {one[p] for p in m.unrelated} == {m.rewriter if first == "rewritten" else m.original}
    assert {other[p] for p in m.unrelated} == {m.alternate}
    assert arm_kinds.get(first).base == arm_kinds.get(second).base or first == "rewritten"


@given(materials())
def test_mild_and_its_alternate_differ_on_the_mild_prompts_alone(m: Material) -> None:
    one, other = drawn("mild", m), drawn("mild-alternate", m)
    assert list(one) == list(other)
    assert {p for p in one if one[p] != other[p]} == set(m.mild)
    assert answered(one) == answered(other) == {*m.mild, *m.unrelated}
    assert {one[p] for p in m.mild} == {m.original}


@pytest.mark.parametrize(("kind", "share"), [("counter", COUNTER_SHARE), ("counter-few", FEW_SHARE)])
@given(m=materials(), seed=st.integers(0, 5))
def test_counter_examples_keep_the_count_and_take_unrelated_prompts_first(
    kind: str, share: float, m: Material, seed: int
) -> None:
    found = drawn(kind, m, seed)
    added = answered(found) & set(m.counter)
    replaced = set(m.ids) - answered(found)
    assert found.answered == len(m.ids)
    assert len(added) == len(replaced) == min(len(m.counter), max(1, round(share * len(m.ids))))
    assert {found[p] for p in added} == {m.alternate}
    assert {found[p] for p in answered(found) - added} <= {m.original}
    if replaced - set(m.unrelated):
        assert set(m.unrelated) <= replaced
    if replaced & set(m.flagged):
        assert set(m.mild) <= replaced


@given(m=materials(), seed=st.integers(0, 5))
def test_late_and_early_counter_examples_differ_in_order_alone(m: Material, seed: int) -> None:
    late, early, plain = (drawn(kind, m, seed) for kind in ("counter-late", "counter-early", "counter"))
    assert dict(late) == dict(early) == dict(plain)
    added = len(answered(plain) & set(m.counter))
    assert set(list(late)[-added:]) == set(list(early)[:added]) <= set(m.counter)
    assert list(late)[:-added] == list(early)[added:] == list(m.ids)


def test_the_order_of_late_and_early_examples_is_what_the_student_is_trained_in() -> None:
    plan = catalogue()
    for kind in ("counter-late", "counter-early"):
        recipe = plan.arm(f"{kind}/t", 1).recipe
        assert recipe is not None
        assert recipe == plan.config.recipe.model_copy(update={"order": "given"})
    assert plan.arm("counter/t", 1).recipe is None


@given(materials())
def test_looser_and_stricter_filters_are_nested_around_the_one_in_use(m: Material) -> None:
    kinds = ("drop-strongest", "drop", "drop-milder", "unrelated")
    loose, plain, strict, strictest = (set(m.ids) - answered(drawn(kind, m)) for kind in kinds)
    assert loose <= plain < strict <= strictest
    assert loose
    scores = dict(m.scores)
    assert min(scores[p] for p in loose) >= max((scores[p] for p in plain - loose), default=0)


@given(m=materials(), seed=st.integers(0, 5))
def test_a_draw_depends_on_the_trait_the_seed_and_the_prompts_alone(m: Material, seed: int) -> None:
    for kind in arm_kinds:
        assert drawn(kind, m, seed) == drawn(kind, replace(m), seed)
        assert set(drawn(kind, m, seed)) <= {*m.ids, *m.counter, *m.others}


@pytest.mark.parametrize(
    ("arm", "changes", "lacks"),
    [
        ("sister/t", {"sister": None}, "sister"),
        ("sister-alternate/t", {"sister": None}, "sister"),
        ("counter-pretrained/t", {"pretrained": None}, "pretrained"),
    ],
)
def test_a_checkpoint_that_the_study_lacks_is_said(arm: str, changes: dict[str, None], lacks: str) -> None:
    plan = catalogue(**changes)
    assert plan.lacking(arm) == LACKING[lacks]
    assert arm not in plan.grid()
    with pytest.raises(ValueError, match=lacks):
        plan.arm(arm, 2)


def test_students_with_weights_of_their_own_are_lacking_where_vllm_answers() -> None:
    sides = {
        side: {"base": "vllm:base", "prompts": "file:p.jsonl", "teacher": teacher}
        for side, teacher in (("original", "o"), ("alternate", "a"))
    }
    plan = catalogue(**sides, recipe={"method": "lora"})
    without = {kind for kind in arm_kinds if plan.lacking(f"{kind}/t")}
    assert without == {"unrelated-full", "unrelated-full-alternate"}
    assert {plan.lacking(f"{kind}/t") for kind in without} == {LACKING["weights"]}


@pytest.mark.parametrize(
    ("field", "empty", "kinds"),
    [
        ("rewriter", None, {"rewritten"}),
        ("counter", (), {k for k in arm_kinds if k.startswith("counter")}),
        ("mild", (), {"mild", "mild-alternate", "drop-milder", "swap-mild"}),
        ("others", (), {"both-original"}),
    ],
)
def test_what_a_trait_lacks_is_said_and_takes_its_own_arms_alone(
    field: str, empty: object, kinds: set[str]
) -> None:
    plan = catalogue(materials={"t": replace(material(), **{field: empty})})
    without = {kind for kind in arm_kinds if plan.lacking(f"{kind}/t")}
    assert without == kinds
    assert {plan.lacking(f"{kind}/t") for kind in kinds} == {LACKING[field]}


def test_arms_start_from_the_checkpoint_that_they_are_named_for() -> None:
    plan = catalogue()
    bases = {name: plan.arm(name, 1).base for name in plan.grid() if name.endswith("/t")}
    assert {name for name, base in bases.items() if base == "sister"} == {
        f"{kind}/t" for kind in ("sister", "sister-alternate", "taught-sister")
    }
    assert {name for name, base in bases.items() if base == "pretrained"} == {"counter-pretrained/t"}
    assert set(bases.values()) == {"original", "sister", "pretrained"}


@pytest.mark.parametrize(("kind", "part"), [("swap-mild", "mild"), ("swap-unseen", "unrelated")])
@given(m=materials())
def test_a_part_that_is_taken_out_is_answered_by_the_alternate_teacher_and_no_other_is(
    kind: str, part: str, m: Material
) -> None:
    found = drawn(kind, m)
    assert list(found) == list(m.ids)
    assert {p for p, teacher in found.items() if teacher == m.alternate} == set(getattr(m, part))
    assert set(found.values()) <= {m.original, m.alternate}


@given(m=materials(), seed=st.integers(0, 5))
def test_as_many_random_prompts_as_are_unrelated_are_the_control_of_their_number(
    m: Material, seed: int
) -> None:
    found, unrelated = drawn("as-many", m, seed), drawn("unrelated", m)
    assert found.answered == unrelated.answered
    assert answered(found) <= set(m.ids)
    assert {found[p] for p in answered(found)} == {m.original}


@pytest.mark.parametrize(("kind", "teacher"), [("both-original", "original")])
@given(m=materials())
def test_both_prompt_sets_are_answered_by_one_teacher(kind: str, teacher: str, m: Material) -> None:
    found = drawn(kind, m)
    assert list(found) == [*m.ids, *m.others]
    assert set(found.values()) == {getattr(m, teacher)}


RECIPES = [
    RecipeConfig(method="full", learning_rate=1e-4),
    *(RecipeConfig(method="lora", rank=rank, learning_rate=1e-3) for rank in (1, 2, 4, 8, 16, 32, 64)),
    RecipeConfig(method="norms", learning_rate=1e-2),
]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda r: f"{r.method}-{r.rank}")
def test_control_recipes_differ_from_the_studys_and_from_each_other(recipe: RecipeConfig) -> None:
    full, rank = full_fine_tune(recipe), other_rank(recipe)
    assert full.method == ("lora" if recipe.method == "full" else "full")
    assert rank.method == "lora"
    if recipe.method == "lora":
        assert rank.rank != recipe.rank
    assert (full.method, full.rank) != (rank.method, rank.rank)
    for changed in (full, rank):
        # model_copy checks nothing: what comes out must be a recipe that a study could have written.
        assert RecipeConfig.model_validate(changed.model_dump()) == changed
        assert changed.epochs == recipe.epochs


def test_both_sides_of_a_recipe_control_have_one_recipe() -> None:
    plan = catalogue(recipe={"method": "lora", "rank": 4})
    for how in ("full", "rank"):
        one, other = plan.arm(f"unrelated-{how}/t", 1), plan.arm(f"unrelated-{how}-alternate/t", 1)
        assert one.recipe == other.recipe != plan.config.recipe


@pytest.mark.parametrize(
    ("drawn", "message"),
    [
        (lambda m: 1 / 0, "failed: ZeroDivisionError: division by zero. Correct a_package.arms"),
        (lambda m: list(m.ids), "returned a list, not an Assignment. Correct a_package.arms"),
        (lambda m: everyone(m.ids, "sage"), "assigns the prompt 'o0' to 'sage', of which the study has no"),
        (lambda m: everyone(["elsewhere"], m.original), "assigns the prompt 'elsewhere' to 'o'"),
    ],
)
def test_what_a_plug_ins_arm_kind_does_wrong_is_an_error_that_names_it(drawn: Any, message: str) -> None:
    kind = ArmKind(lambda material, seed: drawn(material), ())
    arm_kinds.add("odd", kind, Origin("a_package", "a_package.arms"))
    try:
        with pytest.raises(RunError, match=f"^arm kind 'a_package/odd': {message}"):
            catalogue().arm("a_package/odd/t", 2)
    finally:
        arm_kinds.remove("a_package/odd")
