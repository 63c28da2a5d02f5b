from __future__ import annotations

from typing import Any

import pytest

from mendel.data.prompts import Message, Prompt
from mendel.diagnose.design import Design, Side, build_design
from mendel.study import StudyConfig

APART = {"base": False, "prompts": False, "teacher": False}


def study(**changes: Any) -> StudyConfig:
    return StudyConfig.model_validate(
        {
            "name": "s",
            "original": {"base": "hf:o", "prompts": "file:o", "teacher": "o"},
            "alternate": {"base": "hf:a", "prompts": "file:a", "teacher": "a"},
            "teachers": {"o": {"model": "hf:o"}, "a": {"model": "hf:a"}},
            "traits": ["t.yaml"],
            "seeds": 3,
            **changes,
        }
    )


def prompt_sets(n: int = 40) -> dict[Side, list[Prompt]]:
    def prompts(side: str) -> list[Prompt]:
        return [Prompt(f"{side}{i}", (Message(role="user", content="x" * (i % 9)),)) for i in range(n)]

    return {"original": prompts("o"), "alternate": prompts("a")}


def made(
    shared: dict[str, bool] = APART, flagged: dict[str, list[str]] | None = None, **changes: Any
) -> Design:
    return build_design(
        study(**changes), prompt_sets(), {"t": ["o1", "o2"]} if flagged is None else flagged, shared
    )


def test_the_cube_has_each_teacher_on_each_prompt_set_from_each_base() -> None:
    design = made()
    arms = {arm.name: arm for arm in design}
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
    arms = {arm.name: arm for arm in made()}
    for kind in ("drop", "swap", "only"):
        edit, control = arms[f"{kind}/t"], arms[f"{kind}-random/t"]
        for one, other in zip(edit.assignments, control.assignments, strict=True):
            assert one.answered == other.answered
            assert sorted(map(str, one.values())) == sorted(map(str, other.values()))


def test_controls_of_one_seed_edit_the_same_prompts_and_those_of_two_seeds_do_not() -> None:
    arms = {arm.name: arm for arm in made()}

    def edited(kind: str, seed: int, mark: str | None) -> set[str]:
        return {p for p, teacher in arms[f"{kind}-random/t"].assignments[seed].items() if teacher == mark}

    assert edited("drop", 0, None) == edited("swap", 0, "a") == edited("only", 0, "o")
    assert edited("drop", 0, None) != edited("drop", 1, None)
    assert arms["drop-random/t"].random
    assert not arms["drop/t"].random


def test_a_trait_without_flagged_prompts_gets_no_edits() -> None:
    assert {arm.kind for arm in made(flagged={"t": []})} == {"cube", "mix"}


def test_pipelines_with_one_teacher_have_nothing_to_swap() -> None:
    assert {arm.kind for arm in made({**APART, "teacher": True})} == {"cube"}


def test_adding_a_trait_changes_no_other_arm() -> None:
    one = {arm.name: arm for arm in made()}
    two = {arm.name: arm for arm in made(flagged={"t": ["o1", "o2"], "u": ["o5"]})}
    assert all(two[name] == arm for name, arm in one.items())


def test_names_are_unique_and_students_counted() -> None:
    design = made(flagged={"t": ["o1"], "u": ["o5"]})
    names = [arm.name for arm in design]
    assert len(names) == len(set(names))
    assert design.students == 3 * len(names)


def test_seeds_start_where_the_study_says() -> None:
    assert made(first_seed=1000, seeds=2).seeds == (1000, 1001)
