import json
import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from _planted import (
    CAUSES,
    CUBE,
    SCORES,
    cube_levels,
    cube_with_shared,
    exact,
    full_levels,
    study,
    with_status,
)
from mendel.diagnose import Levels, TraitFacts, diagnose, estimate_trait, reach_verdict
from mendel.diagnose.sentences import SENTENCES

FACTS = TraitFacts("t", "share of responses that show it", judge="regex@1", flagged=12)
CHECKER = Path(__file__).parents[3] / "shared" / "tools" / "check_contract.py"

PLANTED = {
    "teacher": (lambda b, p, t: 0.05 + 0.9 * t, "teacher"),
    "prompts": (lambda b, p, t: 0.05 + 0.9 * p, "prompts"),
    "base": (lambda b, p, t: 0.05 + 0.9 * b, "base"),
    "teacher and prompts add up": (lambda b, p, t: 0.05 + 0.45 * t + 0.45 * p, "mixed"),
    "teacher and prompts both needed": (lambda b, p, t: 0.05 + 0.9 * t * p, "mixed"),
    "teacher or prompts": (lambda b, p, t: 0.05 + 0.9 * max(t, p), "mixed"),
    "nothing, ever": (lambda b, p, t: 0.0, "none"),
    "always": (lambda b, p, t: 1.0, "undecided"),
}
STATES = {"nothing, ever": "absent", "always": "shared"}
ENOUGH = 10


def made(level, seed=0, **options):
    return study(cube_levels(level), np.random.default_rng(seed), **options)


def verdict_of(students, rows, cube=CUBE):
    return diagnose(students, rows, [FACTS], cube).traits["t"]


@pytest.mark.parametrize("name", PLANTED)
def test_planted_carriers_are_named(name):
    level, truth = PLANTED[name]
    found = verdict_of(*made(level, seeds=ENOUGH, cluster_size=1))
    assert found["carrier"] == truth
    assert found["state"] == STATES.get(name, "difference")
    assert found["present"] == (found["state"] == "difference")
    # The cube alone names no mechanism; that neither pipeline shows it is a verdict.
    assert found["cause"] == ("none" if truth == "none" else "undecided")


@pytest.mark.parametrize("name", PLANTED)
def test_two_seeds_name_no_carrier_and_no_cause(name):
    found = verdict_of(*made(PLANTED[name][0], seeds=2, cluster_size=1))
    assert (found["carrier"], found["cause"], found["present"]) == ("undecided", "undecided", False)


@pytest.mark.parametrize("shared", [(0, 1), (0,), (1,)])
def test_a_teacher_that_carries_is_named_where_other_parts_are_shared(shared):
    cube = cube_with_shared(*shared)
    levels = {arm: 0.05 + 0.9 * arm.endswith("O") for arm in set(cube.values())}
    found = verdict_of(*study(levels, np.random.default_rng(0), seeds=8, cluster_size=1), cube)
    assert found["carrier"] == "teacher"
    reads = {c["id"]: c["reads"] for c in found["contrasts"]}
    for position in shared:
        assert "share their" in reads[("base", "prompts")[position]]


def test_the_same_pipeline_twice_has_no_carrier():
    cube = cube_with_shared(0, 1, 2)
    found = verdict_of(*study({"cube/OOO": 0.7}, np.random.default_rng(0)), cube)
    assert (found["state"], found["present"], found["carrier"]) == ("shared", False, "undecided")


def test_too_little_data_is_undecided_and_says_what_was_measured():
    found = verdict_of(*made(lambda b, p, t: 0.35 + 0.15 * t, scenarios=6, seeds=2, seed_sd=0.2))
    assert (found["state"], found["carrier"], found["present"]) == ("undecided", "undecided", False)
    assert f"{found['original']['estimate']:.2f} [" in found["state_why"]
    assert "is not decided" in found["state_why"]


def test_one_seed_names_no_carrier_and_no_absence():
    for level in (PLANTED["teacher"][0], PLANTED["nothing, ever"][0]):
        found = verdict_of(*made(level, seeds=1))
        assert (found["state"], found["carrier"]) == ("undecided", "undecided")
        assert "One student an arm says nothing about the noise of training" in found["state_why"]
        assert found["training_noise"] is False


def test_a_missing_corner_leaves_the_carrier_open():
    students, rows = exact(cube_levels(PLANTED["teacher"][0]))
    diagnosis = diagnose(with_status(students, "cube/OAO", "broken"), rows, [SCORES], CUBE)
    found = diagnosis.traits["t"]
    assert (found["state"], found["carrier"]) == ("difference", "undecided")
    assert "teacher unknown" in found["carrier_why"]
    assert found["effects"]["teacher"]["estimate"] is None
    assert "cube/OAO" in found["effects"]["teacher"]["why"]
    assert any("cube/OAO" in said for said in diagnosis.warnings)


def test_nothing_measured_is_undecided():
    students, rows = made(PLANTED["teacher"][0], seeds=2, scenarios=4)
    found = verdict_of(students, rows.filter(pa.array([False] * rows.num_rows)))
    assert (found["present"], found["carrier"], found["contrasts"]) == (False, "undecided", [])
    assert found["original"]["estimate"] is None
    assert found["sentences"][0]["key"] == "state-unmeasured"


def test_an_alternate_that_shows_more_is_not_present():
    found = verdict_of(*made(lambda b, p, t: 0.9 - 0.8 * t, seeds=ENOUGH, cluster_size=1))
    assert (found["present"], found["state"], found["carrier"]) == (False, "undecided", "undecided")
    assert found["sentences"][0]["key"] == "state-reverse"


@given(st.integers(0, 10**6))
@settings(max_examples=10, deadline=None)
def test_the_order_of_rows_changes_nothing(seed):
    students, rows = study(
        full_levels(lambda b, p, t: 0.1 + 0.7 * t), np.random.default_rng(seed), seeds=2, scenarios=9
    )
    rng = np.random.default_rng(seed)
    shuffled = students.take(rng.permutation(students.num_rows)), rows.take(rng.permutation(rows.num_rows))
    plain, other = diagnose(students, rows, [FACTS], CUBE), diagnose(*shuffled, [FACTS], CUBE)
    assert (plain.traits, plain.warnings) == (other.traits, other.warnings)


@pytest.mark.parametrize("cause", ["direct_imitation", "underspecification"])
def test_the_summary_says_state_place_carrier_and_edits_with_their_numbers(cause):
    found = diagnose(*exact(CAUSES[cause], seeds=12), [SCORES], CUBE).traits["t"]
    keys = [said["key"] for said in found["sentences"]]
    assert keys[:2] == ["state-difference", "located"]
    assert "carrier-one" in keys
    assert "edits" in keys
    assert "cause" in keys
    text = found["summary"]
    assert text.startswith("The original pipeline shows more of it than the alternate one")
    assert f"{found['effects']['total']['estimate']:.2f}" in text
    assert "dropping the flagged prompts leaves" in text.lower()
    assert "letting the alternate teacher answer them leaves" in text
    assert "100 % [" in text


@pytest.mark.parametrize("name", PLANTED)
@pytest.mark.parametrize("seeds", [1, 2, ENOUGH])
def test_every_sentence_of_a_verdict_is_one_of_the_list_and_holds_no_open_place(name, seeds):
    students, rows = study(
        full_levels(PLANTED[name][0]), np.random.default_rng(0), seeds=seeds, scenarios=14, cluster_size=1
    )
    found = verdict_of(students, rows)
    assert {said["key"] for said in found["sentences"]} <= set(SENTENCES)
    joined = " ".join(said["text"] for said in found["sentences"])
    assert joined == f"{found['summary']} {found['explanation']}"
    assert "{" not in joined
    assert "nan" not in joined


def test_extras_stand_beside_the_contracts_keys():
    found = verdict_of(*study(full_levels(PLANTED["teacher"][0]), np.random.default_rng(0), seeds=5))
    assert (found["scale"], found["metric"], found["judge"], found["flagged"]) == (
        FACTS.scale,
        "rate",
        "regex@1",
        12,
    )
    assert found["interpolation"]["shares"] == [0.0, 0.1, 0.25, 0.5, 1.0]
    assert len(found["interpolation"]["levels"]) == 5
    assert found["log_odds"]["effects"]["teacher"]["low"] > 0
    assert {c["id"] for c in found["contrasts"]} >= {
        "teacher",
        "total",
        "t/drop",
        "t/swap-beyond-drop",
        "t/sufficient-beyond-random",
    }
    assert found["levels"]["cube/OOO"]["n_students"] == 5
    assert set(found["location"]) >= {"flagged", "mild", "unseen", "base", "combination"}


@pytest.mark.skipif(not CHECKER.is_file(), reason="the contract's checker is not here")
@pytest.mark.parametrize("lost", [None, "cube/OOA", "drop/t", "cube/OOO"])
@pytest.mark.parametrize("seeds", [1, 2])
def test_the_verdict_holds_the_contract(tmp_path, lost, seeds):
    students, rows = study(
        full_levels(PLANTED["teacher"][0]), np.random.default_rng(0), seeds=seeds, scenarios=9
    )
    if lost:
        students = with_status(students, lost, "broken")
    diagnosis = diagnose(students, rows, [FACTS], CUBE)
    write_run(tmp_path, students, rows, diagnosis)
    checker = runpy.run_path(str(CHECKER))
    checker["main"](tmp_path)
    assert checker["problems"] == []


def write_run(folder, students, rows, diagnosis):
    """What a run's folder holds, so that the contract's checker reads the verdict."""
    pa.parquet.write_table(students, folder / "students.parquet")
    pa.parquet.write_table(rows, folder / "measurements.parquet")
    empty = {
        "rollouts": "prompt_id teacher messages completion finish_reason tokens",
        "assignments": "arm prompt_id teacher",
    }
    for name, columns in empty.items():
        schema = pa.schema([(column, pa.string()) for column in columns.split()])
        pa.parquet.write_table(schema.empty_table(), folder / f"{name}.parquet")
    (folder / "study.yaml").write_text("name: x\n")
    (folder / "report.html").write_text(" " * 10_001)
    head = {
        "schema": 1,
        "study": "x",
        "students_trained": 1,
        "students_reused": 0,
        "wall_seconds": 1.0,
        "dollars": 0.0,
    }
    verdicts = head | {"warnings": list(diagnosis.warnings), "traits": dict(diagnosis.traits)}
    (folder / "verdicts.json").write_text(json.dumps(verdicts, allow_nan=False))


@pytest.mark.slow
@pytest.mark.parametrize("level", [0.0, 0.4, 1.0])
def test_a_difference_is_rarely_said_where_nothing_differs(level):
    rng, said, states = np.random.default_rng(4), 0, set()
    for _ in range(80):
        tables = study(
            cube_levels(lambda b, p, t: level),
            rng,
            seeds=5,
            scenarios=14,
            cluster_size=1,
            seed_sd=0.15,
            samples=1,
        )
        verdict = reach_verdict(estimate_trait(*tables, FACTS, CUBE), Levels(2), intervals=False)
        said += verdict.present or verdict.state.reverse
        states.add(verdict.state.state)
    assert said <= 4
    assert states <= {"undecided", "shared" if level else "absent"}


def test_traits_that_one_persona_moves_are_named_together():
    levels = CAUSES["persona_selection"]
    students, rows = exact(levels, seeds=10)
    second = {arm.replace("/t", "/u"): level for arm, level in levels.items() if arm.endswith("/t")}
    others = exact(levels | second, seeds=10)
    names = others[1]["trait"].to_pylist()
    renamed = others[1].set_column(
        others[1].column_names.index("trait"), "trait", pa.array(["u"] * len(names))
    )
    tables = others[0], pa.concat_tables([others[1], renamed])
    found = diagnose(*tables, [SCORES, replace(SCORES, name="u")], CUBE).traits
    assert (found["t"]["moves_with"], found["u"]["moves_with"]) == (["u"], ["t"])
    assert diagnose(students, rows, [SCORES], CUBE).traits["t"]["moves_with"] == []
