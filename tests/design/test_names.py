"""Names of arms: made and parsed in one place, for traits and packages of any name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from _planted import CUBE, catalogue, cube_with_shared, material, restored
from mendel.data.assignment import Assignment, everyone
from mendel.design.arms import Material, arm_kind, arm_kinds
from mendel.design.names import (
    base_arm,
    corner_arm,
    mix_arm,
    mix_share,
    parse_arm,
    prefill_arm,
    random_control,
    side_arm,
    teacher_arm,
    trait_arm,
    variant_arm,
)
from mendel.design.shared import SHARED_KINDS, VARIANTS
from mendel.engine.errors import InputError
from mendel.study.cube import CORNERS, PARTS, SIDES, STAR, corner_sides, other_corner, shared_parts

words = st.text(st.characters(exclude_characters="/"), min_size=1)
traits = st.lists(words, min_size=1, max_size=4).map("/".join)
foreign = words.filter(lambda word: word not in SHARED_KINDS and word not in arm_kinds)


@given(st.sampled_from(sorted(arm_kinds)), traits)
def test_a_built_in_arm_parses_to_its_kind_and_trait(kind: str, trait: str) -> None:
    arm = parse_arm(trait_arm(kind, trait))
    assert (arm.kind, arm.rest, arm.trait, str(arm)) == (kind, trait, trait, f"{kind}/{trait}")
    assert arm.concerns(trait)
    assert not arm.concerns(f"{trait}x")


@given(foreign, words, traits)
def test_an_arm_of_a_package_that_is_not_installed_parses_to_its_kind_and_trait(
    package: str, kind: str, trait: str
) -> None:
    arm = parse_arm(trait_arm(f"{package}/{kind}", trait))
    assert (arm.kind, arm.trait) == (f"{package}/{kind}", trait)


@given(words, words)
def test_a_name_of_two_parts_is_a_kind_and_a_trait(kind: str, trait: str) -> None:
    arm = parse_arm(f"{kind}/{trait}")
    assert (arm.kind, arm.rest) == (kind, trait)


@given(st.sampled_from(sorted(arm_kinds)), foreign, words, traits, st.sampled_from(VARIANTS))
def test_an_arm_under_another_recipe_keeps_its_kind_and_its_trait(
    kind: str, package: str, lead: str, trait: str, variant: str
) -> None:
    for plain in (trait_arm(kind, trait), trait_arm(f"{package}/{lead}", trait), "cube/OOA"):
        arm, name = parse_arm(variant_arm(plain, variant)), variant_arm(plain, variant)
        assert str(arm) == name
        assert (arm.variant, str(arm.plain), arm.trait) == (variant, plain, parse_arm(plain).trait)
        assert arm.kind == f"{parse_arm(plain).kind}~{variant}"
        assert arm.concerns(trait)
        assert arm.concerns(f"{trait}x") == (plain == "cube/OOA")
        assert mix_share(name) is None


@given(st.sampled_from(sorted(arm_kinds)), traits, words.filter(lambda word: word not in VARIANTS))
def test_nothing_else_behind_a_mark_is_a_recipe(kind: str, trait: str, word: str) -> None:
    assert parse_arm(trait_arm(kind, f"{trait}~third")).variant == ""
    assert parse_arm(f"{kind}~{word}/x").variant == ""


@given(st.floats(0, 1))
def test_a_share_is_read_from_its_arm(share: float) -> None:
    assert mix_share(mix_arm(share)) == float(f"{share:g}")
    assert mix_share("drop/mix") is None


def test_arms_that_serve_all_traits_concern_each_of_them() -> None:
    names = [corner_arm("OOA"), mix_arm(0.25), base_arm("sister"), teacher_arm("alternate"), prefill_arm("original")]  # fmt: skip
    assert names == ["cube/OOA", "mix/0.25", "base/sister", "teacher/alternate", "prefill/original"]
    assert [parse_arm(name).kind for name in names] == list(SHARED_KINDS)
    assert all(parse_arm(name).trait is None and parse_arm(name).concerns("any") for name in names)
    assert parse_arm("bare").trait is None


def test_a_side_of_a_contrast_is_a_corner_a_kind_or_an_arm_of_all_traits() -> None:
    assert side_arm("OOA", "t", CUBE) == "cube/OOA"
    assert side_arm("OOA", "t", cube_with_shared(2)) == "cube/OOO"
    assert side_arm("mild", "t", CUBE) == "mild/t"
    assert side_arm("prefill/original", "t", CUBE) == "prefill/original"
    assert side_arm("my_pkg/lead", "a/b", CUBE) == "my_pkg/lead/a/b"


def test_an_arm_kind_of_another_package_is_made_measured_and_named_in_full(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    restored(monkeypatch, arm_kinds)

    @arm_kind("lead", "flagged", label="a lead first", what="A lead is put before the flagged prompts.")
    def lead(m: Material, seed: int) -> Assignment:
        return everyone(m.ids, m.alternate)

    assert side_arm("lead", "t", CUBE) == "test_names/lead/t"
    plan = catalogue(materials={"a/t": material("a/t")})
    assert "test_names/lead/a/t" in plan.grid()
    arm = plan.arm("test_names/lead/a/t", 2)
    assert (arm.kind, arm.trait, arm.assignments[0].answered) == ("test_names/lead", "a/t", 40)
    assert plan.arm("drop/a/t", 1).trait == "a/t"


@pytest.mark.parametrize("name", [*SHARED_KINDS, "drop", "a/b", "lead~third"])
def test_an_arm_kind_of_a_taken_name_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    restored(monkeypatch, arm_kinds)
    with pytest.raises(InputError):
        arm_kind(name)(lambda m, seed: everyone(m.ids, m.original))


def test_an_arm_kind_that_needs_what_no_study_has_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    restored(monkeypatch, arm_kinds)
    with pytest.raises(InputError, match="needs 'money'"):
        arm_kind("costly", "money")(lambda m, seed: everyone(m.ids, m.original))


def test_the_cube_has_eight_corners_and_a_star_of_single_swaps() -> None:
    assert len(CORNERS) == 8
    assert [corner_sides(corner).count("alternate") for corner in STAR] == [0, 3, 1, 1, 1]
    assert set(corner_sides("OAO")) == set(SIDES)
    assert [other_corner("OOO", part) for part in PARTS] == ["AOO", "OAO", "OOA"]
    assert shared_parts(cube_with_shared(0, 2)) == ("base", "teacher")


def test_a_random_control_is_a_kind_of_its_own() -> None:
    assert all(random_control(kind) in arm_kinds for kind in ("drop", "swap", "only"))
