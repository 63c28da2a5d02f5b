import json
import runpy
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from _planted import CAUSES, CUBE, cube_levels, cube_with_shared, full_levels, study, with_status
from mendel.diagnose import TraitFacts, carrier, diagnose, estimate_trait, present

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
    "always": (lambda b, p, t: 1.0, "none"),
}


def made(level, seed=0, **options):
    return study(cube_levels(level), np.random.default_rng(seed), **options)


def verdict_of(students, rows, cube=CUBE):
    return diagnose(students, rows, [FACTS], cube).traits["t"]


@pytest.mark.parametrize("name", PLANTED)
@pytest.mark.parametrize("seeds", [2, 3])
def test_planted_carriers_are_named(name, seeds):
    level, truth = PLANTED[name]
    found = verdict_of(*made(level, seeds=seeds))
    assert found["carrier"] == truth
    assert found["present"] == (truth != "none")
    # The cube alone is enough to say that the prompts do it, whoever answers; every other cause takes more
    # arms.
    enough = {"prompts": "bad_prompts", "teacher or prompts": "bad_prompts"}
    assert found["cause"] == ("none" if truth == "none" else enough.get(name, "undecided"))


@pytest.mark.parametrize("shared", [(0, 1), (0,), (1,)])
def test_a_teacher_that_carries_is_named_where_other_parts_are_shared(shared):
    cube = cube_with_shared(*shared)
    levels = {arm: 0.05 + 0.9 * arm.endswith("O") for arm in set(cube.values())}
    found = verdict_of(*study(levels, np.random.default_rng(0), seeds=2), cube)
    assert found["carrier"] == "teacher"
    reads = {c["id"]: c["reads"] for c in found["contrasts"]}
    for position in shared:
        assert "share their" in reads[("base", "prompts")[position]]


def test_the_same_pipeline_twice_is_none():
    cube = cube_with_shared(0, 1, 2)
    found = verdict_of(*study({"cube/OOO": 0.7}, np.random.default_rng(0)), cube)
    assert (found["present"], found["carrier"]) == (False, "none")


def test_too_little_data_is_undecided_and_says_what_it_takes():
    found = verdict_of(*made(lambda b, p, t: 0.35 + 0.15 * t, scenarios=6, seeds=2, seed_sd=0.2))
    assert found["carrier"] == "undecided"
    assert found["present"] is False
    assert "more seeds or scenarios" in found["carrier_why"]


def test_one_seed_names_no_carrier_and_no_absence():
    for level in (PLANTED["teacher"][0], PLANTED["nothing, ever"][0]):
        found = verdict_of(*made(level, seeds=1))
        assert found["carrier"] == "undecided"
        assert "at least 2 seeds" in found["carrier_why"]
        assert found["training_noise"] is False


def test_a_missing_corner_leaves_the_carrier_open():
    students, rows = made(PLANTED["teacher"][0])
    diagnosis = diagnose(with_status(students, "cube/OAO", "broken"), rows, [FACTS], CUBE)
    found = diagnosis.traits["t"]
    assert found["carrier"] == "undecided"
    assert "no usable student in cube/OAO" in found["carrier_why"]
    assert found["effects"]["teacher"]["estimate"] is None
    assert any("cube/OAO" in said for said in diagnosis.warnings)


def test_nothing_measured_is_undecided():
    students, rows = made(PLANTED["teacher"][0], seeds=2, scenarios=4)
    found = verdict_of(students, rows.filter(pa.array([False] * rows.num_rows)))
    assert (found["present"], found["carrier"], found["contrasts"]) == (False, "undecided", [])
    assert found["original"]["estimate"] is None


def test_an_alternate_that_shows_more_is_not_present():
    found = verdict_of(*made(lambda b, p, t: 0.9 - 0.8 * t))
    assert (found["present"], found["carrier"]) == (False, "undecided")


@given(st.integers(0, 10**6))
@settings(max_examples=10, deadline=None)
def test_the_order_of_rows_changes_nothing(seed):
    students, rows = study(
        full_levels(lambda b, p, t: 0.1 + 0.7 * t), np.random.default_rng(seed), seeds=2, scenarios=9
    )
    rng = np.random.default_rng(seed)
    shuffled = students.take(rng.permutation(students.num_rows)), rows.take(rng.permutation(rows.num_rows))
    assert diagnose(students, rows, [FACTS], CUBE) == diagnose(*shuffled, [FACTS], CUBE)


def test_the_summary_is_two_sentences_with_the_numbers():
    found = verdict_of(*study(full_levels(PLANTED["teacher"][0]), np.random.default_rng(0)))
    text = found["summary"]
    assert text.count(". ") == 1
    assert text.startswith(f"The teacher carries {FACTS.name.replace('_', ' ')}")
    assert f"{found['effects']['teacher']['estimate']:.2f}" in text
    assert "Dropping the flagged prompts leaves" in text
    assert "letting the alternate teacher answer them leaves" in text


def test_extras_stand_beside_the_contracts_keys():
    found = verdict_of(*study(full_levels(PLANTED["teacher"][0]), np.random.default_rng(0)))
    assert (found["scale"], found["metric"], found["judge"], found["flagged"]) == (
        FACTS.scale,
        "rate",
        "regex@1",
        12,
    )
    assert found["interpolation"]["shares"] == [0.0, 0.1, 0.25, 0.5, 1.0]
    assert len(found["interpolation"]["levels"]) == 5
    assert found["log_odds"]["effects"]["teacher"]["low"] > 1
    assert {c["id"] for c in found["contrasts"]} >= {
        "teacher",
        "total",
        "t/drop",
        "t/swap-beyond-drop",
        "t/sufficient-beyond-random",
    }
    assert found["levels"]["cube/OOO"]["n_students"] == 3


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
@pytest.mark.parametrize("name", ["teacher", "nothing, ever", "close to the margin"])
def test_a_wrong_carrier_is_rare(name):
    """At most 5 % of studies name a carrier that is not there, whatever the noise."""
    level, truth = PLANTED.get(name, (lambda b, p, t: 0.2 + 0.48 * t + 0.12 * b, "teacher"))
    rng = np.random.default_rng(3)
    wrong = 0
    for _ in range(100):
        students, rows = study(cube_levels(level), rng, seeds=2, scenarios=12, seed_sd=0.1, samples=1)
        effects = estimate_trait(students, rows, FACTS, CUBE)
        wrong += carrier(effects).carrier not in {truth, "undecided"}
    assert wrong <= 5


@pytest.mark.slow
def test_a_trait_is_rarely_present_where_nothing_differs():
    rng = np.random.default_rng(4)
    found = sum(
        present(
            estimate_trait(
                *study(cube_levels(lambda b, p, t: 0.4), rng, seeds=2, scenarios=12, seed_sd=0.15, samples=1),
                FACTS,
                CUBE,
            )
        )
        for _ in range(200)
    )
    assert found <= 10


def test_traits_that_one_persona_moves_are_named_together():
    levels = CAUSES["persona_selection"]
    students, rows = study(levels, np.random.default_rng(5), seeds=4, scenarios=40, seed_sd=0.02)
    second = {arm.replace("/t", "/u"): level for arm, level in levels.items() if arm.endswith("/t")}
    others = study(levels | second, np.random.default_rng(5), seeds=4, scenarios=40, seed_sd=0.02)
    names = others[1]["trait"].to_pylist()
    renamed = others[1].set_column(
        others[1].column_names.index("trait"), "trait", pa.array(["u"] * len(names))
    )
    tables = others[0], pa.concat_tables([others[1], renamed])
    found = diagnose(*tables, [FACTS, TraitFacts("u", "share")], CUBE).traits
    assert (found["t"]["moves_with"], found["u"]["moves_with"]) == (["u"], ["t"])
    assert diagnose(students, rows, [FACTS], CUBE).traits["t"]["moves_with"] == []
