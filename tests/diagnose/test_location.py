"""Shares of the difference: they add up, say why they are missing, and their intervals hold the truth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from _planted import CAUSES, CUBE, SCORES, catalogue, cause_levels, cube_with_shared, exact, study
from mendel.diagnose import Effects, Location, TraitFacts, estimate_trait, locate_parts
from mendel.diagnose.location import COMBINATION, LOCATED, PLACES
from mendel.study.cube import CORNERS


def never(arm: str) -> str:
    return ""


def located(
    levels: Mapping[str, float],
    cube: Mapping[str, str] = CUBE,
    lacking: Callable[[str], str] = never,
    **options: Any,
) -> dict[str, Location]:
    effects = estimate_trait(*exact(levels, **options), SCORES, cube)
    return locate_parts(effects, 0.05, lacking, intervals=False)


def share(location: Location, side: str) -> float:
    value = getattr(location, side).estimate
    assert value is not None
    return float(value)


LEVEL = st.floats(0.0, 0.6)


@given(st.lists(LEVEL, min_size=6, max_size=6), LEVEL, LEVEL)
@settings(max_examples=25, deadline=None)
def test_on_a_cube_without_noise_the_shares_and_what_only_the_combination_brings_add_up(
    inner: list[float], both_original: float, silent: float
) -> None:
    corners = dict(zip([c for c in CORNERS if c not in ("OOO", "AAA")], inner, strict=True))
    levels = {CUBE[c]: level for c, level in corners.items()} | {"cube/OOO": 0.9, "cube/AAA": 0.05}
    levels |= {"both-original/t": both_original, "unrelated-alternate/t": silent}
    found = located(levels, seeds=2, scenarios=3)
    size = 0.85
    parts = ("base", "prompts_present", "prompts_absent")
    teacher = {"brings": (corners["AAO"] - 0.05) / size, "takes": (0.9 - corners["OOA"]) / size}
    # What the prompts bring is parted in the original base, and counted in the alternate one.
    parted = share(found["prompts_present"], "brings") + share(found["prompts_absent"], "brings")
    assert parted == pytest.approx((corners["OOA"] - corners["OAA"]) / size)
    brings = share(found["base"], "brings") + (corners["AOA"] - 0.05) / size + teacher["brings"]
    assert brings + share(found[COMBINATION], "brings") == pytest.approx(1.0)
    takes = sum(share(found[part], "takes") for part in parts) + teacher["takes"]
    assert takes - share(found[COMBINATION], "takes") == pytest.approx(1.0)


@given(LEVEL, LEVEL, LEVEL)
@settings(max_examples=15, deadline=None)
def test_where_only_the_teacher_differs_the_rollouts_and_their_combination_add_up(
    flagged: float, mild: float, unseen: float
) -> None:
    cube = cube_with_shared(0, 1)
    levels = {"cube/OOO": 0.9, "cube/OOA": 0.1, "mild-alternate/t": 0.1, "unrelated-alternate/t": 0.1}
    levels |= {"only/t": flagged, "mild/t": mild, "unrelated/t": unseen}
    found = located(levels, cube, seeds=2, scenarios=3)
    brings = sum(share(found[part], "brings") for part in ("flagged", "mild", "unseen", COMBINATION))
    assert brings == pytest.approx(1.0)


CARRYING = {
    "direct_imitation": {"flagged"},
    "simple_generalization": {"flagged", "mild"},
    "subliminal_learning": {"unseen"},
    "underspecification": {"base"},
    "bad_prompts": {"prompts_present"},
}


@pytest.mark.parametrize("cause", CARRYING)
def test_the_part_that_a_trait_was_planted_in_carries_it_and_no_other_does(cause: str) -> None:
    found = located(CAUSES[cause], seeds=12)
    assert {name for name, part in found.items() if part.decision == "carries"} == CARRYING[cause]
    for part in found.values():
        assert part.json()["why"]


def test_prompts_that_carry_by_what_they_lack_are_told_from_prompts_that_bring() -> None:
    levels = cause_levels(lambda b, p, t: p, covered=True)
    found = located(levels, seeds=12)
    assert found["prompts_absent"].decision == "carries"
    assert (share(found["prompts_absent"], "brings"), share(found["prompts_absent"], "takes")) == (1.0, 1.0)
    assert share(found["prompts_present"], "brings") == pytest.approx(0.0)


def test_prompts_that_only_seem_silent_do_not_make_the_others_absence_carry() -> None:
    """A judge that misses half of what shows calls prompts unrelated that draw the trait out."""
    levels = CAUSES["bad_prompts"] | {"unrelated-alternate/t": 0.9}
    found = located(levels, seeds=12)
    assert share(found["prompts_absent"], "brings") > 0.9
    assert found["prompts_absent"].decision == "undecided"
    unmeasured = cause_levels(lambda b, p, t: p, covered=True)
    del unmeasured["base/original"]
    assert located(unmeasured, seeds=12)["prompts_absent"].decision == "undecided"


@pytest.mark.parametrize("positions", [(0,), (1,), (2,), (0, 1)])
def test_what_both_pipelines_share_has_no_share_and_says_so(positions: tuple[int, ...]) -> None:
    cube = cube_with_shared(*positions)
    names = ("base", "prompts", "teacher")
    levels = {
        arm: level for arm, level in CAUSES["simple_generalization"].items() if not arm.startswith("cube/")
    }
    levels |= dict.fromkeys(cube.values(), 0.05) | {"cube/OOO": 0.95}
    found = located(levels, cube, seeds=2, scenarios=3)
    for place in PLACES:
        shared = names.index(place.shared) in positions
        assert (found[place.name].brings.estimate is None) == shared
        if shared:
            content = found[place.name].json()
            assert (content["brings"], content["takes"], content["decision"]) == (None, None, "undecided")
            assert f"share their {place.shared}" in str(content["why"])


def test_arms_that_were_not_trained_are_named_and_those_that_cannot_be_are_explained() -> None:
    levels = {arm: x for arm, x in CAUSES["direct_imitation"].items() if arm not in ("swap/t", "mild/t")}
    lacking = catalogue(materials=None).lacking
    found = located(levels, seeds=2, scenarios=3)
    assert found["flagged"].takes.estimate is None
    assert found["flagged"].missing == ("swap/t",)
    assert "swap/t" in found["flagged"].takes.why
    assert found["mild"].missing == ("mild/t",)
    unable = located(
        levels,
        lacking=lambda arm: "no prompt is mild" if arm == "mild/t" else lacking(arm),
        seeds=2,
        scenarios=3,
    )
    assert unable["mild"].missing == ()
    assert unable["mild"].brings.why == "no prompt is mild"


@pytest.mark.parametrize("seeds", [1, 2])
def test_one_or_two_seeds_locate_nothing(seeds: int) -> None:
    found = located(CAUSES["direct_imitation"], seeds=seeds)
    assert {part.decision for part in found.values()} == {"undecided"}


@pytest.mark.parametrize("cause", ["direct_imitation", "underspecification"])
def test_intervals_hold_their_estimate_and_change_no_decision(cause: str) -> None:
    effects = estimate_trait(*exact(CAUSES[cause], seeds=6), SCORES, CUBE)
    plain, with_ends = (locate_parts(effects, 0.05, intervals=flag) for flag in (False, True))
    for name, part in with_ends.items():
        assert part.decision == plain[name].decision
        for value in (part.brings, part.takes):
            if value.low is not None and value.high is not None and value.estimate is not None:
                assert value.low <= value.estimate <= value.high
        if part.decision == "carries":
            assert max(part.brings.low or 0.0, part.takes.low or 0.0) > LOCATED


def test_a_difference_that_may_be_0_has_shares_without_an_end() -> None:
    effects = estimate_trait(*exact(CAUSES["direct_imitation"], seeds=2), SCORES, CUBE)
    flagged = locate_parts(effects, 0.05)["flagged"].brings
    assert flagged.estimate == pytest.approx(1.0)
    assert flagged.high is None
    assert "too uncertain" in flagged.why


def simulated(truth: float, rng: np.random.Generator) -> Effects:
    cube = cube_with_shared(0, 1)
    levels = {"cube/OOO": 0.8, "cube/OOA": 0.1, "only/t": 0.1 + 0.7 * truth}
    options: dict[str, Any] = {"seeds": 5, "scenarios": 24, "cluster_size": 2, "seed_sd": 0.1, "samples": 1}
    return estimate_trait(*study(levels, rng, **options), TraitFacts("t", "share"), cube)


@pytest.mark.parametrize("truth", [0.3, 0.7])
def test_the_interval_of_a_share_holds_it_in_nineteen_of_twenty_studies(truth: float) -> None:
    rng, held, studies = np.random.default_rng([1, int(10 * truth)]), 0, 40
    for _ in range(studies):
        brings = locate_parts(simulated(truth, rng), 0.05)["flagged"].brings
        low = -np.inf if brings.low is None else brings.low
        high = np.inf if brings.high is None else brings.high
        held += low <= truth <= high
    # 40 studies at 95 %: below 34 comes in about one of a thousand.
    assert held >= 34
