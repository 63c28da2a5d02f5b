"""The recommendation, on what `diagnose` computes from planted tables, and remedies of one's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from _planted import (
    CUBE,
    SCORES,
    catalogue,
    cube_with_shared,
    exact,
    full_levels,
    material,
    restored,
    study,
    with_status,
)
from mendel.data.assignment import Assignment, everyone, swap
from mendel.design.arms import EDITS, Material, arm_kind, arm_kinds
from mendel.diagnose import Estimate, RemedyFacts, TraitFacts, diagnose, find_leaks, first_request
from mendel.diagnose.effects import estimate_trait
from mendel.diagnose.remedies import (
    LEAKS,
    OnLadder,
    Remedy,
    State,
    all_remedies,
    edited_kinds,
    recommend,
    remedies,
    remedy,
)
from mendel.engine.errors import InputError

FACTS = TraitFacts("t", "share")
TEACHER = full_levels(lambda base, prompts, teacher: 0.05 + 0.9 * teacher)
"""The teacher carries the trait: the swap takes all of it away, the drop nothing."""
ROWS = {"drop/t": 31, "swap/t": 31, "cube/OOA": 400, "cube/OAO": 400, "cube/AOO": 0}


def recommended(
    levels: dict[str, float], facts: RemedyFacts | None = None, *, seeds: int = 10, seed: int = 0
) -> dict[str, Any]:
    tables = study(levels, np.random.default_rng(seed), seeds=seeds, scenarios=36)
    given = None if facts is None else {"t": facts}
    return diagnose(*tables, [FACTS], CUBE, remedy_facts=given).traits["t"]["recommendation"]  # type: ignore[return-value]


def option(advice: dict[str, Any], name: str) -> dict[str, Any]:
    return next(entry for entry in advice["options"] if entry["name"] == name)


def test_where_the_filter_helps_it_is_recommended() -> None:
    advice = recommended({**TEACHER, "drop/t": 0.05}, RemedyFacts(rows=ROWS, prompts=400))
    assert (advice["filtering_helps"], advice["remedy"]) == ("yes", "drop")
    assert advice["complete"] == "alternate-teacher"
    assert advice["why"].startswith("Leave out the 31 flagged prompts: 0.")
    assert advice["filtering_why"].startswith("Yes: dropping the 31 flagged prompts takes 0.")
    assert "] away beyond dropping as many random ones, more than half of" in advice["filtering_why"]
    takes = option(advice, "drop")["takes"]
    assert f"{takes['estimate']:.2f} [{takes['low']:.2f}, {takes['high']:.2f}]" in advice["filtering_why"]
    assert option(advice, "drop")["costs"] == "31 of 400 prompts (7.8 %) are lost."
    assert option(advice, "drop")["rows"] == 31


def test_where_the_filter_does_not_help_the_swap_is_recommended() -> None:
    advice = recommended(TEACHER, RemedyFacts(rows=ROWS, prompts=400))
    assert (advice["filtering_helps"], advice["remedy"]) == ("no", "swap")
    assert advice["why"].startswith("Let the alternate teacher answer the 31 flagged prompts: 0.")
    assert advice["filtering_why"].startswith("No: ")
    assert {entry["name"]: entry["takes_most"] for entry in advice["options"]} == {
        "drop": "no",
        "swap": "yes",
        "alternate-teacher": "yes",
        "alternate-prompts": "no",
        "alternate-base": "no",
    }


def test_where_no_edit_helps_the_part_that_carries_it_is_changed() -> None:
    advice = recommended(full_levels(lambda base, prompts, teacher: 0.05 + 0.9 * prompts))
    assert (advice["remedy"], advice["complete"]) == ("alternate-prompts", None)
    assert advice["why"].startswith("Train on the alternate prompts: 0.")
    assert "No edit of the flagged prompts is shown to take more than half of it away." in advice["why"]


@pytest.mark.parametrize("seeds", [2, 10])
def test_where_no_part_is_named_one_that_is_shown_to_take_it_away_is_changed(seeds: int) -> None:
    """Base and teacher are both needed: neither carries it alone, and changing either takes it away."""
    levels = full_levels(lambda base, prompts, teacher: 0.05 + 0.9 * base * teacher)
    corners = {arm: level for arm, level in levels.items() if arm.startswith("cube/")}
    effects = estimate_trait(*exact(corners, seeds=seeds), SCORES, CUBE)
    unnamed, named = (recommend(effects, "difference", carrier) for carrier in ("undecided", "teacher"))
    assert named.remedy == "alternate-teacher"
    # Two students show nothing: the part that is named is changed all the same, and that is said.
    shown = seeds > 2
    assert unnamed.remedy == ("alternate-teacher" if shown else None)
    assert ("No measured change is shown to take most of it away." in unnamed.why) != shown
    assert ("It is not shown to take more than half of it away." in named.why) != shown


def test_an_edit_near_to_half_is_undecided_and_not_recommended() -> None:
    half = {**TEACHER, "drop/t": 0.5, "swap/t": 0.5}
    advice = recommended(half, RemedyFacts(rows=ROWS, prompts=400), seed=3)
    assert advice["filtering_helps"] == "undecided"
    assert advice["filtering_why"].startswith("Not decided: ")
    assert advice["remedy"] == "alternate-teacher"


def test_one_seed_an_arm_decides_nothing() -> None:
    advice = recommended({**TEACHER, "drop/t": 0.05}, seeds=1)
    assert (advice["filtering_helps"], advice["remedy"], advice["options"]) == ("undecided", None, [])
    assert advice["why"].startswith("No change is recommended: ")


def leaky(arm: str) -> RemedyFacts:
    return RemedyFacts(rows=ROWS, prompts=400, ladder={arm: OnLadder(Estimate(0.8, 0.02), LEAKS)})


def test_a_filter_that_leaks_does_not_help_and_is_not_recommended() -> None:
    advice = recommended({**TEACHER, "drop/t": 0.05}, leaky("drop/t"))
    assert (advice["filtering_helps"], advice["remedy"]) == ("no", "swap")
    assert "is left there, but far from it it leaves 0.80 [0.76, 0.84]." in advice["filtering_why"]
    assert "(drop is not enough: it removes the trait where the filter looked" in advice["why"]
    assert option(advice, "drop")["far"]["estimate"] == 0.8


def test_a_swap_that_leaks_leaves_the_change_of_the_part() -> None:
    advice = recommended(TEACHER, leaky("swap/t"))
    assert (advice["filtering_helps"], advice["remedy"]) == ("no", "alternate-teacher")
    assert "swap is not enough" in advice["why"]
    assert "No edit" not in advice["why"]


def test_an_edit_that_raises_the_trait_on_a_rung_does_not_help_and_is_not_recommended() -> None:
    raised = {"surface": Estimate(0.8, 0.02)}
    facts = RemedyFacts(
        rows=ROWS, prompts=400, ladder={"drop/t": OnLadder(Estimate(0.1, 0.02), "not removed", raised)}
    )
    advice = recommended({**TEACHER, "drop/t": 0.05}, facts)
    assert (advice["filtering_helps"], advice["remedy"]) == ("no", "swap")
    assert (
        "it raises it above the original pipeline on surface (0.80 [0.76, 0.84])" in advice["filtering_why"]
    )


def test_what_as_many_random_prompts_take_away_is_no_merit_of_the_filter() -> None:
    advice = recommended({**TEACHER, "drop/t": 0.05, "drop-random/t": 0.2}, seeds=20)
    assert advice["filtering_helps"] == "no"
    assert "less than half of the difference between the pipelines" in advice["filtering_why"]
    assert option(advice, "drop")["takes_most"] == "no"
    assert option(advice, "drop")["left"]["estimate"] < 0.15


@pytest.mark.parametrize("kind", ["drop", "swap"])
def test_without_a_usable_random_control_it_is_not_decided_whether_an_edit_helps(kind: str) -> None:
    levels = {**TEACHER, "drop/t": 0.05, "swap/t": 0.05}
    del levels[f"{kind}-random/t"]
    advice = recommended(levels)
    edit = option(advice, kind)
    assert (edit["takes_most"], edit["takes"]["estimate"]) == ("undecided", None)
    assert advice["remedy"] != kind
    if kind == "drop":
        assert advice["filtering_helps"] == "undecided"
        assert (
            "as many random ones leaves is not known (no usable student in drop-random/t)"
            in (advice["filtering_why"])
        )


@given(st.floats(0.05, 0.95), st.floats(0.05, 0.95), st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_whether_filtering_helps_is_the_contrast_beyond_random_against_half(
    drop: float, control: float, seed: int
) -> None:
    tables = study(
        {**TEACHER, "drop/t": drop, "drop-random/t": control}, np.random.default_rng(seed), seeds=10
    )
    effects = estimate_trait(*tables, FACTS, CUBE)
    taken, total = effects.weights("t/drop-beyond-random"), effects.weights("total")
    low, high = effects.combination((1.0, taken), (-0.5, total)).interval() or (0.0, 0.0)
    advice = recommend(effects, "difference", "teacher")
    assert advice.filtering_helps == ("yes" if low > 0 else "no" if high < 0 else "undecided")
    dropped = next(one for one in advice.options if one.remedy.name == "drop")
    assert dropped.takes.estimate == pytest.approx(effects.estimates["t/drop-beyond-random"].estimate)


def said(state: State, level: float = 0.3) -> str:
    tables = study(full_levels(lambda base, prompts, teacher: level), np.random.default_rng(0), scenarios=12)
    advice = recommend(estimate_trait(*tables, FACTS, CUBE), state, "none")
    assert (advice.filtering_helps, advice.remedy, advice.options) == ("undecided", None, ())
    assert advice.filtering_why == advice.why
    assert advice.prior is None
    return advice.why


def test_without_a_difference_it_is_said_what_is_known_and_no_more() -> None:
    absent, shared, undecided = said("absent", 0.0), said("shared", 1.0), said("undecided")
    assert absent.startswith("Nothing to change: no student of either pipeline shows it (0.00 [0.00, 0.")
    assert shared.startswith("Both pipelines show it (1.00 [0.")
    assert "another base or other data for this situation would have to be compared" in shared
    assert undecided.startswith("No change is recommended: the original pipeline is not shown to have more")
    assert "Nothing to" not in shared + undecided


def test_a_study_without_a_shown_difference_says_so() -> None:
    advice = recommended(full_levels(lambda base, prompts, teacher: 0.08 if teacher else 0.05), seeds=3)
    assert advice["why"].startswith("No change is recommended: ")
    assert (advice["filtering_helps"], advice["remedy"], advice["options"]) == ("undecided", None, [])


def test_a_pipeline_that_was_not_measured_is_not_known() -> None:
    tables = study(TEACHER, np.random.default_rng(0), scenarios=12)
    students = with_status(tables[0], "cube/AAA", "broken")
    advice = diagnose(students, tables[1], [FACTS], CUBE).traits["t"]["recommendation"]
    assert advice["why"] == "Not known: the two pipelines were not both measured."  # type: ignore[index]
    assert advice["remedy"] is None  # type: ignore[index]


def test_what_was_not_measured_is_said_and_is_never_zero() -> None:
    without = {arm: level for arm, level in TEACHER.items() if not arm.startswith("drop")}
    advice = recommended(without)
    assert advice["filtering_helps"] == "undecided"
    assert advice["filtering_why"].startswith("Not measured: ")
    assert advice["options"][0]["name"] == "swap"
    swapped = option(advice, "swap")
    assert swapped["says"].startswith("Let the alternate teacher answer the flagged prompts: ")
    assert (swapped["rows"], swapped["costs"]) == (None, "")
    for key, why in (("far", "not measured on a ladder"), ("assistant", "not measured")):
        assert swapped[key] == {"estimate": None, "low": None, "high": None, "why": why}


def test_how_the_assistant_fares_stands_with_the_costs() -> None:
    right = {"swap/t": Estimate(0.5, 0.01), "cube/OOO": Estimate(0.9, 0.01)}
    advice = recommended(TEACHER, RemedyFacts(rows=ROWS, prompts=400, assistant=right))
    swapped = option(advice, "swap")
    assert swapped["costs"].endswith("Plain questions answered rightly: 50\u00a0% (before: 90\u00a0%).")
    assert swapped["assistant"]["estimate"] == 0.5
    assert swapped["assistant"]["low"] < 0.5
    assert "Plain questions" not in option(advice, "drop")["costs"]


def test_the_change_of_a_shared_part_is_no_option() -> None:
    cube = cube_with_shared(0)
    levels = {arm: level for arm, level in TEACHER.items() if not arm.startswith("cube/A")}
    tables = study(levels, np.random.default_rng(0), scenarios=24, seeds=10)
    advice = diagnose(*tables, [FACTS], cube).traits["t"]["recommendation"]
    names = [entry["name"] for entry in advice["options"]]  # type: ignore[index]
    assert names == ["drop", "swap", "alternate-teacher", "alternate-prompts"]


def test_a_ladder_says_what_every_arm_shows_far_from_the_filter() -> None:
    rng = np.random.default_rng(0)
    levels = {"cube/OOO": 0.9, "cube/AAA": 0.05, "drop/t": 0.5}
    students, near = study(levels, rng, scenarios=12, trait="t/near")
    _, far = study(levels, rng, scenarios=12, trait="t/far")
    import pyarrow as pa

    rungs = {rung: TraitFacts(f"t/{rung}", "share") for rung in ("near", "far")}
    leaks = find_leaks(students, pa.concat_tables([near, far]), FACTS, rungs, CUBE)
    ladder = leaks.on_ladder()
    assert set(ladder) == set(levels)
    assert ladder["drop/t"].far.estimate == pytest.approx(0.5, abs=0.15)
    assert ladder["drop/t"].verdict == leaks.edits["drop"].verdict
    assert ladder["cube/AAA"].verdict is None


def test_rows_are_counted_against_the_original_pipeline() -> None:
    plan = catalogue()
    rows = plan.design(dict.fromkeys([*plan.standard(), "counter/t"], 1)).rows_changed()
    assert {name: rows[name] for name in ("cube/OOO", "drop/t", "swap/t", "cube/OOA", "cube/OAO")} == {
        "cube/OOO": 0,
        "drop/t": 2,
        "swap/t": 2,
        "cube/OOA": 40,
        "cube/OAO": 40,
    }
    assert (rows["cube/AOO"], rows["counter/t"]) == (0, 8)


LEAD = Remedy("lead", "Put a lead before the {rows} flagged prompts", "lead", "{rows} prompts are longer.")


@pytest.fixture
def lead(monkeypatch: pytest.MonkeyPatch) -> str:
    """A remedy and an arm kind of another package; the arm's name for the trait t."""
    restored(monkeypatch, arm_kinds, remedies)

    @arm_kind("lead", "flagged")
    def _lead(m: Material, seed: int) -> Assignment:
        return swap(everyone(m.ids, m.original), m.flagged, m.alternate)

    remedy(LEAD)
    return "test_remedies/lead/t"


def test_a_remedy_of_another_package_is_trained_measured_and_recommended(lead: str) -> None:
    plan = catalogue()
    assert [arm for arm in first_request(plan).arms if arm not in plan.standard()] == [lead]
    levels = {**TEACHER, "swap/t": 0.95, lead: 0.05}
    advice = recommended(levels, RemedyFacts(rows={lead: 31}, prompts=400))
    assert advice["remedy"] == "test_remedies/lead"
    assert advice["why"].startswith("Put a lead before the 31 flagged prompts: 0.")
    assert option(advice, "test_remedies/lead")["costs"] == "31 prompts are longer."
    assert edited_kinds()["test_remedies/lead"] is None


@pytest.mark.parametrize("design", ["standard", "effects", "grid", "adaptive"])
def test_built_in_remedies_ask_for_no_more_than_the_design_has(design: str) -> None:
    plan = catalogue(design=design)
    expected: dict[str, Callable[[], list[str]]] = {
        "grid": plan.grid,
        "adaptive": lambda: [plan.cube["OOO"], plan.cube["AAA"]],
    }
    assert list(first_request(plan).arms) == expected.get(design, plan.standard)()


def test_a_trait_without_flagged_prompts_trains_no_remedy(lead: str) -> None:
    plan = catalogue(materials={"t": material(flagged=0)})
    assert lead not in first_request(plan).arms


def test_built_in_remedies_come_smallest_first_and_their_arms_exist() -> None:
    assert [declared.name for declared in all_remedies()] == [
        "drop",
        "swap",
        "alternate-teacher",
        "alternate-prompts",
        "alternate-base",
    ]
    assert edited_kinds() == {"drop": "drop-random", "swap": "swap-random"}
    assert set(edited_kinds()) <= set(EDITS)


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"name": "drop"}, "already"),
        ({"part": "weather"}, "changes the part 'weather'"),
        ({"does": ""}, "give it 'does' and 'arm'"),
        ({"costs": "{money} dollars"}, "other fields"),
        ({"does": "Leave {"}, "other fields"),
    ],
)
def test_a_remedy_that_cannot_stand_is_refused(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], wrong: str
) -> None:
    restored(monkeypatch, remedies)
    with pytest.raises(InputError, match=wrong):
        remedy(replace(LEAD, **changes))
    with pytest.raises(InputError, match="Remedy"):
        remedy("drop")  # type: ignore[arg-type]


def test_a_remedy_of_an_unknown_arm_kind_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    restored(monkeypatch, remedies)
    remedy(Remedy(name="odd", does="Do it", arm="dropp", costs="Nothing."))
    with pytest.raises(InputError, match=r"odd': unknown arm kind 'dropp'\. Did you mean 'drop'"):
        all_remedies()
