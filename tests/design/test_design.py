from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from _planted import APART, catalogue, material
from mendel.design.arms import EDITS, arm_kinds
from mendel.diagnose import Arm, Design


def made(shared: dict[str, bool] = APART, **options: Any) -> Design:
    plan = catalogue(shared, **options)
    return plan.design(dict.fromkeys(plan.standard(), plan.config.seeds))


def by_name(design: Design) -> dict[str, Arm]:
    return {arm.name: arm for arm in design}


def test_the_cube_has_each_teacher_on_each_prompt_set_from_each_base() -> None:
    design = made()
    arms = by_name(design)
    assert len(set(design.cube.values())) == 8
    corner = arms[design.cube["OAO"]]
    assert (corner.base, corner.prompts) == ("original", "alternate")
    assert set(corner.assignments[0].values()) == {"o"}
    assert all(prompt.startswith("a") for prompt in corner.assignments[0])


@pytest.mark.parametrize(("part", "corners"), [("base", 4), ("prompts", 4), ("teacher", 4)])
def test_what_the_pipelines_share_is_trained_once(part: str, corners: int) -> None:
    design = made({**APART, part: True})
    assert len(set(design.cube.values())) == corners
    assert len(design.cube) == 8


def test_every_edit_has_a_random_control_of_its_size() -> None:
    arms = by_name(made())
    for kind in ("drop", "swap", "only"):
        edit, control = arms[f"{kind}/t"], arms[f"{kind}-random/t"]
        for one, other in zip(edit.assignments, control.assignments, strict=True):
            assert one.answered == other.answered
            assert sorted(map(str, one.values())) == sorted(map(str, other.values()))


def test_controls_of_one_seed_edit_the_same_prompts_and_those_of_two_seeds_do_not() -> None:
    arms = by_name(made())

    def edited(kind: str, seed: int, mark: str | None) -> set[str]:
        return {p for p, teacher in arms[f"{kind}-random/t"].assignments[seed].items() if teacher == mark}

    assert edited("drop", 0, None) == edited("swap", 0, "a") == edited("only", 0, "o")
    assert edited("drop", 0, None) != edited("drop", 1, None)
    assert arms["drop-random/t"].random
    assert not arms["drop/t"].random


def test_a_trait_without_flagged_prompts_gets_no_edits() -> None:
    assert {arm.kind for arm in made(materials={"t": material(flagged=0)})} == {"cube", "mix"}


def test_pipelines_with_one_teacher_have_nothing_to_swap() -> None:
    assert {arm.kind for arm in made({**APART, "teacher": True})} == {"cube"}


def test_adding_a_trait_changes_no_other_arm() -> None:
    one = by_name(made())
    two = by_name(made(materials={"t": material(), "u": material("u", flagged=1)}))
    assert all(two[name] == arm for name, arm in one.items())


def test_names_are_unique_and_students_counted() -> None:
    design = made(materials={"t": material(), "u": material("u", flagged=1)})
    names = [arm.name for arm in design]
    assert len(names) == len(set(names))
    assert design.students == 3 * len(names)


def test_seeds_start_where_the_study_says() -> None:
    assert all(arm.seeds == (1000, 1001) for arm in made(first_seed=1000, seeds=2))


def test_more_seeds_leave_the_first_ones_as_they_are() -> None:
    plan = catalogue()
    for name in plan.grid():
        few, many = plan.arm(name, 2), plan.arm(name, 4)
        assert many.assignments[:2] == few.assignments
        assert many.seeds[:2] == few.seeds


def test_what_was_drawn_is_not_drawn_again() -> None:
    plan = catalogue()
    for name in plan.grid():
        few, many = plan.arm(name, 2), plan.arm(name, 4)
        assert all(one is other for one, other in zip(few.assignments, many.assignments[:2], strict=True)), (
            name
        )


def test_another_catalogue_does_not_remember_what_this_one_drew() -> None:
    plan = catalogue()
    first = plan.arm("drop/t", 1)
    other = replace(plan, materials={"t": material(flagged=1)})
    assert other.arm("drop/t", 1).assignments != first.assignments


def test_seeds_that_come_to_the_same_assignment_share_it() -> None:
    plan = catalogue()
    for arm in plan.design(dict.fromkeys(plan.grid(), 3)):
        assert arm.random == (len({id(one) for one in arm.assignments}) > 1), arm.name


def test_the_grid_is_every_arm_that_can_be_made_once() -> None:
    plan = catalogue(materials={"t": material(), "u": replace(material("u"), counter=())})
    names = plan.grid()
    assert len(names) == len(set(names))
    assert set(names) >= set(plan.standard())
    assert {n for n in names if n.endswith("/t")} == {f"{kind}/t" for kind in arm_kinds}
    assert not any(name.startswith("counter") and name.endswith("/u") for name in names)
    assert plan.design(dict.fromkeys(names, 1)).students == len(names)


def test_a_design_stands_in_the_catalogues_order_whatever_is_asked_for_first() -> None:
    plan = catalogue()
    wanted = ["mild/t", "drop/t", "cube/AAA", "cube/OOO"]
    assert [a.name for a in plan.design(dict.fromkeys(wanted, 1))] == [n for n in plan.grid() if n in wanted]


def test_each_arm_has_the_seeds_that_were_asked_for() -> None:
    design = catalogue().design({"cube/OOO": 4, "mild/t": 2})
    assert {arm.name: len(arm.seeds) for arm in design} == {"cube/OOO": 4, "mild/t": 2}
    assert design.students == 6


def test_the_standard_design_has_the_edits_and_no_other_kind() -> None:
    assert {arm.kind for arm in made()} == {"cube", "mix", *EDITS}
