import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from _planted import CUBE, cube_levels, cube_with_shared, full_levels, row, student, study, with_status
from mendel.diagnose import PARTS, TraitFacts, estimate_trait, log_odds_effects

FACTS = TraitFacts("t", "share of responses that show it")


def estimates(students, rows, cube=CUBE, facts=FACTS):
    return estimate_trait(students, rows, facts, cube).estimates


@given(st.integers(0, 10**6), st.sampled_from([(1, 0, 0), (0, 1, 0.3), (0.2, 0.2, 0.2), (0, 0, 0)]))
@settings(max_examples=15, deadline=None)
def test_label_swap_flips_the_sign_of_main_effects_and_their_intervals(seed, parts):
    levels = cube_levels(lambda b, p, t: 0.1 + 0.8 * (parts[0] * b + parts[1] * p + parts[2] * t) / 1.3)
    students, rows = study(levels, np.random.default_rng(seed), seeds=2, scenarios=9)
    flipped = {corner: CUBE[corner.translate(str.maketrans("OA", "AO"))] for corner in CUBE}
    one, other = estimates(students, rows), estimates(students, rows, flipped)
    for name in (*PARTS, "total"):
        assert other[name].estimate == pytest.approx(-one[name].estimate, abs=1e-12)
        assert (other[name].low, other[name].high) == pytest.approx(
            (-one[name].high, -one[name].low), abs=1e-12
        )


def test_planted_effects_are_found():
    truth = {"base": 0.1, "prompts": 0.2, "teacher": 0.5}
    levels = cube_levels(lambda b, p, t: 0.1 + 0.1 * b + 0.2 * p + 0.5 * t)
    few, many = (
        estimates(*study(levels, np.random.default_rng(0), seeds=n, scenarios=60, scenario_sd=0.05))
        for n in (2, 5)
    )
    found = many
    for part, value in truth.items():
        assert abs(found[part].estimate - value) < 4 * found[part].se
        assert found[part].low < value < found[part].high
        # Students in the middle of the range hide no second outcome; two of them do not show that they lie there.
        assert found[part].high - found[part].low < 0.6 * (few[part].high - few[part].low)
    assert abs(found["interaction"].estimate) < 4 * found["interaction"].se


def test_the_effect_of_a_shared_part_is_exactly_0():
    levels = {arm: 0.2 + 0.6 * arm.endswith("O") for arm in set(cube_with_shared(0, 1).values())}
    found = estimates(*study(levels, np.random.default_rng(0), seeds=6), cube_with_shared(0, 1))
    for name in ("base", "prompts", "interaction", "base:prompts", "base:teacher", "prompts:teacher"):
        assert found[name].json() == {"estimate": 0.0, "low": 0.0, "high": 0.0}
    assert found["teacher"].json() == found["total"].json()
    assert found["teacher"].low > 0


def test_broken_students_are_left_out_and_said():
    students, rows = study(cube_levels(lambda b, p, t: 0.5), np.random.default_rng(0), seeds=3)
    changed = [r | {"hit": True} if r["student"] == "cube/OOO#2" else r for r in rows.to_pylist()]
    broken = with_status(students, "cube/OOO", "broken", keep=2)
    effects = estimate_trait(broken, pa.Table.from_pylist(changed), FACTS, CUBE)
    without = rows.filter(pa.array([name != "cube/OOO#2" for name in rows["student"].to_pylist()]))
    left_out = estimate_trait(broken, without, FACTS, CUBE).estimates["total"]
    assert effects.estimates["total"] == left_out
    assert effects.estimates["total"].json() == left_out.json()
    assert effects.counts["cube/OOO"] == 2
    assert any("1 of 3 students in cube/OOO" in said for said in effects.warnings)


def test_an_arm_that_lost_all_students_leaves_nulls_and_never_zero():
    students, rows = study(full_levels(lambda b, p, t: 0.1 + 0.8 * t), np.random.default_rng(0))
    effects = estimate_trait(with_status(students, "cube/OOA", "failed"), rows, FACTS, CUBE)
    assert effects.levels["cube/OOA"].estimate is None
    for name in ("teacher", "base", "prompts", "interaction", "t/sufficient"):
        assert effects.estimates[name].estimate is None
        assert effects.estimates[name].low is None
    assert effects.estimates["total"].estimate is not None
    assert effects.estimates["t/swap"].estimate is not None
    assert not effects.half_way
    assert any("no usable student in cube/OOA" in said for said in effects.warnings)


def test_levels_hold_bases_and_teachers_but_not_the_edits_of_other_traits():
    students, rows = study(
        full_levels(lambda b, p, t: 0.5) | {"drop/other": 0.5}, np.random.default_rng(0), seeds=2, scenarios=6
    )
    extra = [student(arm, arm, 0, n_examples=0) for arm in ("base/original", "teacher/alternate")]
    measured = [row(s["student"], "t", j, j // 3, 0, j % 2 == 0) for s in extra for j in range(6)]
    effects = estimate_trait(
        pa.Table.from_pylist(students.to_pylist() + extra),
        pa.Table.from_pylist(rows.to_pylist() + measured),
        FACTS,
        CUBE,
    )
    assert effects.levels["base/original"].estimate == 0.5
    assert effects.levels["teacher/alternate"].low is not None
    assert "drop/other" not in effects.levels
    assert not any("base" in w for w in effects.warnings)


def test_one_seed_gives_intervals_of_scenarios_alone_and_says_so():
    effects = estimate_trait(
        *study(cube_levels(lambda b, p, t: 0.2 + 0.6 * t), np.random.default_rng(0), seeds=1), FACTS, CUBE
    )
    assert not effects.training_noise
    assert effects.estimates["teacher"].low is not None
    assert any("noise of training is not in the intervals" in said for said in effects.warnings)


def test_another_trait_changes_nothing():
    students, rows = study(
        full_levels(lambda b, p, t: 0.5 * t), np.random.default_rng(0), seeds=2, scenarios=9
    )
    other = [r | {"trait": "u", "hit": not r["hit"]} for r in rows.to_pylist()]
    both = pa.Table.from_pylist(other + rows.to_pylist())
    assert estimates(students, both) == estimates(students, rows)


def test_a_mean_is_on_the_scores_scale():
    students, rows = study(cube_levels(lambda b, p, t: t), np.random.default_rng(0), seeds=2, scenarios=12)
    scored = pa.Table.from_pylist([r | {"score": 8.0 * r["hit"] + 1.0} for r in rows.to_pylist()])
    effects = estimate_trait(
        students, scored, TraitFacts("t", "0 to 10", "mean", score_range=(0.0, 10.0)), CUBE
    )
    assert effects.estimates["total"].estimate == pytest.approx(8.0)
    assert effects.unit == 10
    assert 0 <= effects.levels["cube/AAA"].low < 1 < effects.levels["cube/AAA"].high
    seen = estimate_trait(students, scored, TraitFacts("t", "", "mean"), CUBE)
    assert seen.unit == 9


def test_log_odds_are_in_nats_without_bounds_or_missing():
    students, rows = study(cube_levels(lambda b, p, t: 0.2 + 0.6 * t), np.random.default_rng(0))
    found = log_odds_effects(students, rows, FACTS, CUBE)
    assert found is not None
    assert found.estimates["teacher"].low > 0.5
    assert "nats" in found.scale
    assert log_odds_effects(students, rows.drop_columns(["log_odds"]), FACTS, CUBE) is None
    none = pa.Table.from_pylist([r | {"log_odds": None} for r in rows.to_pylist()], schema=rows.schema)
    assert log_odds_effects(students, none, FACTS, CUBE) is None


def test_a_corner_without_an_arm_is_refused():
    students, rows = study(cube_levels(lambda b, p, t: 0.5), np.random.default_rng(0), seeds=1, scenarios=4)
    with pytest.raises(ValueError, match="AAA"):
        estimate_trait(students, rows, FACTS, {c: a for c, a in CUBE.items() if c != "AAA"})
