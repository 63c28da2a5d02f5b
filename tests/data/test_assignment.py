from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mendel.data.assignment import (
    Assignment,
    Matching,
    drop,
    everyone,
    interpolate,
    only,
    random_control,
    restrict,
    swap,
)
from mendel.data.prompts import Message, Prompt

ids = st.lists(st.text("abcdef0123456789", min_size=1, max_size=6), unique=True, max_size=40)


@st.composite
def prompts_and_subset(draw: st.DrawFn) -> tuple[list[str], list[str]]:
    everything = draw(ids)
    chosen = draw(st.lists(st.sampled_from(everything), unique=True)) if everything else []
    return everything, chosen


@given(ids)
def test_everyone_gives_all_prompts_to_one_teacher(prompts: list[str]) -> None:
    assignment = everyone(prompts, "a")
    assert list(assignment) == prompts
    assert set(assignment.values()) <= {"a"}
    assert assignment.answered == len(prompts)


@given(prompts_and_subset())
def test_swap_keeps_every_other_prompt(case: tuple[list[str], list[str]]) -> None:
    prompts, flagged = case
    start = everyone(prompts, "a")
    edited = swap(start, flagged, "b")
    assert list(edited) == prompts
    assert {p for p in prompts if edited[p] == "b"} == set(flagged)
    assert all(edited[p] == start[p] for p in prompts if p not in flagged)


@given(prompts_and_subset())
def test_drop_and_swap_edit_the_same_number_of_prompts(case: tuple[list[str], list[str]]) -> None:
    prompts, flagged = case
    start = everyone(prompts, "a")
    dropped, swapped = drop(start, flagged), swap(start, flagged, "b")
    assert len(prompts) - dropped.answered == len(flagged)
    assert sum(teacher == "b" for teacher in swapped.values()) == len(flagged)
    assert swapped.answered == len(prompts)


@given(prompts_and_subset())
def test_edits_are_idempotent_and_leave_their_argument(case: tuple[list[str], list[str]]) -> None:
    prompts, flagged = case
    start = everyone(prompts, "a")
    for edit in (lambda a: swap(a, flagged, "b"), lambda a: drop(a, flagged)):
        assert edit(edit(start)) == edit(start)
    assert start == everyone(prompts, "a")


@given(prompts_and_subset())
def test_swapping_back_undoes_a_swap(case: tuple[list[str], list[str]]) -> None:
    prompts, flagged = case
    start = everyone(prompts, "a")
    assert swap(swap(start, flagged, "b"), flagged, "a") == start


@given(prompts_and_subset())
def test_only_is_the_swap_of_all_other_prompts(case: tuple[list[str], list[str]]) -> None:
    prompts, flagged = case
    rest = [prompt for prompt in prompts if prompt not in flagged]
    assert only(prompts, flagged, "a", "b") == swap(everyone(prompts, "a"), rest, "b")


@given(ids, st.floats(0, 1), st.integers(0, 2**32))
def test_interpolation_gives_just_its_share(prompts: list[str], share: float, seed: int) -> None:
    mixed = interpolate(prompts, share, "a", "b", np.random.default_rng(seed))
    assert sum(teacher == "a" for teacher in mixed.values()) == round(share * len(prompts))
    assert mixed.answered == len(prompts)
    assert mixed == interpolate(prompts, share, "a", "b", np.random.default_rng(seed))


@given(ids, st.integers(0, 2**32))
def test_interpolation_ends_at_the_two_teachers(prompts: list[str], seed: int) -> None:
    rng = np.random.default_rng(seed)
    assert interpolate(prompts, 0, "a", "b", rng) == everyone(prompts, "b")
    assert interpolate(prompts, 1, "a", "b", rng) == everyone(prompts, "a")


@given(ids, st.floats(0, 1), st.floats(0, 1), st.integers(0, 2**32))
def test_a_smaller_share_is_part_of_a_larger_one(prompts: list[str], s: float, t: float, seed: int) -> None:
    low, high = sorted([s, t])
    small = interpolate(prompts, low, "a", "b", np.random.default_rng(seed))
    large = interpolate(prompts, high, "a", "b", np.random.default_rng(seed))
    assert {p for p in prompts if small[p] == "a"} <= {p for p in prompts if large[p] == "a"}


@st.composite
def sourced_prompts(draw: st.DrawFn) -> tuple[list[Prompt], list[str]]:
    names = draw(st.lists(st.integers(0, 10_000), unique=True, min_size=1, max_size=40))
    prompts = [
        Prompt(
            str(n),
            (Message(role="user", content="x" * draw(st.integers(0, 200))),),
            draw(st.sampled_from("AB")),
        )
        for n in names
    ]
    flagged = draw(st.lists(st.sampled_from([p.prompt_id for p in prompts]), unique=True))
    return prompts, flagged


@given(sourced_prompts(), st.integers(0, 2**32))
def test_a_random_control_has_the_count_of_the_flagged(
    case: tuple[list[Prompt], list[str]], seed: int
) -> None:
    prompts, flagged = case
    control = random_control(prompts, flagged, np.random.default_rng(seed))
    assert len(control) == len(set(control)) == len(flagged)
    if len(flagged) <= len(prompts) / 2:
        assert not set(control) & set(flagged)


@given(sourced_prompts(), st.integers(0, 2**32))
def test_a_random_control_matches_the_sources_where_it_can(
    case: tuple[list[Prompt], list[str]], seed: int
) -> None:
    prompts, flagged = case
    source = {p.prompt_id: p.source for p in prompts}
    wanted = Counter(source[p] for p in flagged)
    there = Counter(p.source for p in prompts if p.prompt_id not in flagged)
    if all(there[name] >= count for name, count in wanted.items()):
        control = random_control(prompts, flagged, np.random.default_rng(seed))
        assert Counter(source[p] for p in control) == wanted


def one_at_a_time(prompts: list[Prompt], flagged: list[str], rng: np.random.Generator) -> tuple[str, ...]:
    """What `random_control` was first written as: all prompts sorted anew for every flagged one."""
    flagged_ids = set(flagged)
    targets = [prompt for prompt in prompts if prompt.prompt_id in flagged_ids]
    free = [prompt for prompt in prompts if prompt.prompt_id not in flagged_ids]
    chosen: list[str] = []
    for position in rng.permutation(len(targets)):
        target = targets[position]
        pool = [prompt for prompt in free if prompt.source == target.source] or free
        if not pool:
            pool = free = [p for p in targets if p.prompt_id not in chosen]
        distance = [abs(np.log1p(prompt.length) - np.log1p(target.length)) for prompt in pool]
        nearest = np.argsort(distance, kind="stable")[:5]
        pick = pool[int(rng.choice(nearest))]
        chosen.append(pick.prompt_id)
        free = [prompt for prompt in free if prompt.prompt_id != pick.prompt_id]
    return tuple(chosen)


@given(sourced_prompts(), st.lists(st.integers(0, 2**32), min_size=1, max_size=4))
def test_random_controls_are_those_that_students_were_always_named_by(
    case: tuple[list[Prompt], list[str]], seeds: list[int]
) -> None:
    prompts, flagged = case
    matching = Matching(prompts, flagged)
    for seed in seeds:
        mine, reference = np.random.default_rng(seed), np.random.default_rng(seed)
        assert matching.draw(mine) == one_at_a_time(prompts, flagged, reference)
        assert mine.bit_generator.state == reference.bit_generator.state


@pytest.mark.parametrize("share", [0.1, 0.4, 0.6, 1.0])
def test_random_controls_are_the_same_where_sources_have_plenty_and_where_they_run_short(
    share: float,
) -> None:
    prompts = [
        Prompt(str(n), (Message(role="user", content="x" * (n * n % 97)),), "AAB"[n % 3]) for n in range(120)
    ]
    flagged = [str(n) for n in range(round(120 * share))]
    for seed in range(5):
        mine, reference = np.random.default_rng(seed), np.random.default_rng(seed)
        assert random_control(prompts, flagged, mine) == one_at_a_time(prompts, flagged, reference)


def test_a_random_control_is_matched_in_length() -> None:
    rng = np.random.default_rng(0)
    lengths = [10] * 50 + [1000] * 50
    prompts = [
        Prompt(str(n), (Message(role="user", content="x" * length),)) for n, length in enumerate(lengths)
    ]
    control = random_control(prompts, [str(n) for n in range(10)], rng)
    assert all(int(prompt) < 50 for prompt in control)


def test_different_seeds_draw_different_controls() -> None:
    prompts = [Prompt(str(n), (Message(role="user", content="x" * (n % 7)),)) for n in range(200)]
    flagged = [str(n) for n in range(10)]
    drawn = {random_control(prompts, flagged, np.random.default_rng(seed)) for seed in range(5)}
    assert len(drawn) == 5


@given(prompts_and_subset())
def test_an_edited_assignment_is_the_one_of_its_pairs(case: tuple[list[str], list[str]]) -> None:
    prompts, flagged = case
    edited = drop(swap(everyone(prompts, "a"), flagged, "b"), flagged[1:])
    again = Assignment(edited.pairs)
    assert edited == again
    assert hash(edited) == hash(again)
    assert dict(edited) == dict(edited.pairs) == dict(again)


def test_an_unknown_prompt_is_refused() -> None:
    with pytest.raises(KeyError, match="not in the assignment: z"):
        swap(everyone(["a"], "t"), ["z"], "u")


def test_a_prompt_is_assigned_once() -> None:
    with pytest.raises(ValueError, match="assigned twice"):
        Assignment((("p", "a"), ("p", None)))


@given(prompts_and_subset())
def test_restrict_leaves_nobody_on_every_other_prompt(drawn: tuple[list[str], list[str]]) -> None:
    everything, kept = drawn
    start = everyone(everything, "A")
    found = restrict(start, kept)
    assert list(found) == everything
    assert {p for p, teacher in found.items() if teacher == "A"} == set(kept)
    assert found.answered == len(kept)
    assert found == drop(start, set(everything) - set(kept)) == restrict(found, kept)


@given(prompts_and_subset())
def test_restrict_answers_nobody_that_was_dropped_before(drawn: tuple[list[str], list[str]]) -> None:
    everything, kept = drawn
    assert restrict(drop(everyone(everything, "A"), kept), kept).answered == 0


def test_restrict_refuses_a_prompt_that_it_does_not_know() -> None:
    with pytest.raises(KeyError, match="zz"):
        restrict(everyone(["a", "b"], "A"), ["a", "zz"])
