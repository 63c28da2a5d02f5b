"""The prior: what an edit leaves, beside what is there where the situation was never answered."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from _planted import CUBE, full_levels, study
from mendel.diagnose import TraitFacts
from mendel.diagnose.effects import Effects, estimate_trait
from mendel.diagnose.remedies import Option, recommend
from mendel.diagnose.remedies.prior import beside_prior, prior_of

FACTS = TraitFacts("t", "share")
TEACHER = full_levels(lambda base, prompts, teacher: 0.05 + 0.9 * teacher)


def effects(seed: int = 0, seeds: int = 10, scenarios: int = 60, **levels: float) -> Effects:
    named = {name.replace("__", "/").replace("_", "-"): level for name, level in levels.items()}
    tables = study({**TEACHER, **named}, np.random.default_rng(seed), seeds=seeds, scenarios=scenarios)
    return estimate_trait(*tables, FACTS, CUBE)


def edit(of: Effects, name: str) -> Option:
    return next(one for one in recommend(of, "difference", "teacher").options if one.remedy.name == name)


def test_a_drop_that_leaves_what_the_base_brings_returns_to_the_prior_and_is_no_leak() -> None:
    found = effects(drop__t=0.4, unrelated_alternate__t=0.4, swap__t=0.0)
    dropped, swapped = edit(found, "drop"), edit(found, "swap")
    assert dropped.beside_prior.against == "at"
    assert dropped.beside_prior.why.startswith("The drop returns the students to the base's own prior: 0.")
    assert (
        "students of the unrelated prompts alone, as the alternate teacher answers"
        in dropped.beside_prior.why
    )
    assert swapped.beside_prior.against == "below"
    assert swapped.beside_prior.why.startswith("The swap goes below the base's own prior: 0.")
    advice = recommend(found, "difference", "teacher")
    assert dropped.beside_prior.why in advice.filtering_why
    assert advice.prior is not None
    assert advice.prior.json()["arm"] == "unrelated-alternate/t"
    assert "leak" not in advice.filtering_why


def test_a_drop_that_leaves_more_than_the_prior_leaks() -> None:
    dropped = edit(effects(drop__t=0.6, unrelated_alternate__t=0.1), "drop")
    assert dropped.beside_prior.against == "above"
    assert "a leak" in dropped.beside_prior.why


def test_more_than_an_untrained_base_shows_is_not_called_a_leak() -> None:
    found = effects(drop__t=0.6, base__original=0.1)
    assert prior_of(found).arm == "base/original"
    dropped = edit(found, "drop")
    assert dropped.beside_prior.against == "above"
    assert "leak" not in dropped.beside_prior.why
    assert "or any training would, is not decided" in dropped.beside_prior.why


def test_students_are_the_prior_rather_than_the_untrained_base() -> None:
    assert prior_of(effects(base__original=0.1, unrelated_alternate__t=0.2)).arm == "unrelated-alternate/t"


def test_a_drop_that_takes_nothing_away_does_not_return_anything() -> None:
    dropped = edit(effects(drop__t=0.95, unrelated_alternate__t=0.95), "drop")
    assert dropped.beside_prior.against == "at"
    assert dropped.beside_prior.why.startswith("The drop leaves the students at the base's own prior")


def test_without_a_prior_nothing_is_said_of_it() -> None:
    found = effects(scenarios=12)
    advice = recommend(found, "difference", "teacher")
    assert {one.beside_prior.against for one in advice.options} == {"unknown"}
    assert {one.beside_prior.why for one in advice.options} == {""}
    assert advice.json()["prior"] == {
        "estimate": None,
        "low": None,
        "high": None,
        "why": "neither students of the unrelated prompts alone nor the untrained base were measured",
        "arm": None,
    }


@pytest.mark.parametrize(("seeds", "scenarios"), [(1, 60), (2, 6)])
def test_few_students_or_scenarios_decide_nothing(seeds: int, scenarios: int) -> None:
    dropped = edit(
        effects(seeds=seeds, scenarios=scenarios, drop__t=0.3, unrelated_alternate__t=0.35), "drop"
    )
    assert dropped.beside_prior.against == "undecided"
    assert dropped.beside_prior.why.startswith("Not decided whether what the drop leaves, 0.")


def test_a_change_of_a_part_is_not_compared_with_the_prior() -> None:
    assert edit(effects(unrelated_alternate__t=0.3), "alternate-teacher").beside_prior.against == "unknown"


def words(drop: float, n: int = 25) -> Counter[str]:
    said: Counter[str] = Counter()
    for seed in range(n):
        found = effects(seed, 8, 30, drop__t=drop, unrelated_alternate__t=0.3)
        said[beside_prior(found, "drop", "drop/t", prior_of(found)).against] += 1
    return said


def test_an_equal_level_is_rarely_called_more_or_less_and_one_a_tenth_away_rarely_equal() -> None:
    same, away = words(0.3), words(0.4)
    assert same["above"] + same["below"] <= 3
    assert away["at"] <= 3
    assert away["below"] == 0
