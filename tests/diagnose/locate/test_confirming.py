from __future__ import annotations

import numpy as np
import pytest

from mendel.diagnose.locate import ARMS, FEWEST, confirm
from mendel.diagnose.stats.intervals import Fit
from mendel.diagnose.stats.panel import Panel

NAMES = {kind: f"locate-{kind}/t" for kind in ARMS}


def fit(levels: dict[str, float], seeds: int = 8, clusters: int = 30, noise: float = 0.05) -> Fit:
    rng = np.random.default_rng(0)
    arms = sorted(arm for arm in levels for _ in range(seeds))
    sums = np.array([levels[arm] + rng.normal(0, noise, clusters) for arm in arms]).clip(0, 1)
    return Fit(
        Panel(
            tuple(f"s{i}" for i in range(len(arms))), tuple(arms), sums, np.ones(clusters), bounds=(0.0, 1.0)
        )
    )


def levels(swap: float, only: float, swap_random: float, only_random: float) -> dict[str, float]:
    own = dict(zip(ARMS, (swap, only, swap_random, only_random), strict=True))
    return {"cube/OOO": 0.9, "cube/OOA": 0.05, **{NAMES[kind]: level for kind, level in own.items()}}


@pytest.mark.parametrize(
    ("own", "answers", "confirmed"),
    [
        ((0.05, 0.9, 0.9, 0.05), ("yes", "yes", "no", "no"), "yes"),
        ((0.9, 0.9, 0.9, 0.05), ("no", "yes", "no", "no"), "no"),
        ((0.05, 0.1, 0.9, 0.05), ("yes", "no", "no", "no"), "no"),
        ((0.05, 0.9, 0.1, 0.05), ("yes", "yes", "yes", "no"), "no"),
        ((0.47, 0.9, 0.9, 0.05), ("undecided", "yes", "no", "no"), "undecided"),
    ],
)
def test_a_subset_is_confirmed_if_it_is_necessary_and_sufficient_and_a_random_one_is_neither(
    own: tuple[float, float, float, float], answers: tuple[str, ...], confirmed: str
) -> None:
    found = confirm(fit(levels(*own)), "cube/OOO", "cube/OOA", NAMES)
    assert tuple(check.answer for check in found.checks.values()) == answers
    assert found.answer == confirmed


@pytest.mark.parametrize("seeds", [2, 3, 4])
def test_a_few_students_that_agree_confirm_and_refute_nothing(seeds: int) -> None:
    """A further student might come out otherwise: up to four that agree leave more than half of them open."""
    for own in ((0.0, 1.0, 1.0, 0.0), (1.0, 0.0, 0.0, 1.0)):
        levels_of = levels(*own) | {"cube/OOO": 1.0, "cube/OOA": 0.0}
        found = confirm(fit(levels_of, seeds, noise=0.0), "cube/OOO", "cube/OOA", NAMES)
        assert {check.answer for check in found.checks.values()} == {"undecided"}
        assert found.answer == "undecided"


def test_the_fewest_students_that_can_answer_confirm_what_is_all_or_nothing() -> None:
    levels_of = levels(0.0, 1.0, 1.0, 0.0) | {"cube/OOO": 1.0, "cube/OOA": 0.0}
    answers = {
        seeds: confirm(fit(levels_of, seeds, noise=0.0), "cube/OOO", "cube/OOA", NAMES).answer
        for seeds in (FEWEST - 1, FEWEST)
    }
    assert list(answers.values()) == ["undecided", "yes"]


def test_without_a_second_seed_or_students_nothing_is_decided() -> None:
    lost = {arm: level for arm, level in levels(0.05, 0.9, 0.9, 0.05).items() if arm != NAMES["swap"]}
    found = confirm(fit(lost), "cube/OOO", "cube/OOA", NAMES)
    assert found.checks["necessary"].answer == "undecided"
    assert found.answer == "undecided"
    assert found.checks["necessary"].json()["level"] == {
        "estimate": None,
        "low": None,
        "high": None,
        "why": "no usable student in locate-swap/t",
    }


def test_the_answer_does_not_depend_on_the_scale() -> None:
    plain = confirm(fit(levels(0.05, 0.9, 0.9, 0.05)), "cube/OOO", "cube/OOA", NAMES)
    small = {arm: 0.1 + 0.3 * level for arm, level in levels(0.05, 0.9, 0.9, 0.05).items()}
    scaled = confirm(fit(small, noise=0.015), "cube/OOO", "cube/OOA", NAMES)
    assert {n: c.answer for n, c in plain.checks.items()} == {n: c.answer for n, c in scaled.checks.items()}
