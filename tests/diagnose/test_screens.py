"""Sister, ancestor and counter-examples: what is shown to fit fits, what is shown not to does not, else unknown."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from _planted import CUBE, cube_levels, row, student, study
from mendel.diagnose import TraitFacts, estimate_trait
from mendel.diagnose import effects as effects_module
from mendel.diagnose.hypotheses import differences
from mendel.diagnose.screens import (
    CLEAN,
    SAME_INITIALIZATION,
    Screening,
    clean,
    joined,
    kin,
    learns,
    same_prior,
    shown_share,
)
from mendel.diagnose.taught import TAUGHT, TAUGHT_SISTER

FACTS = TraitFacts("t", "scale")
SCREENINGS = st.builds(Screening, st.sampled_from([True, False, None]), st.text(min_size=1, max_size=5))


@given(st.lists(SCREENINGS, min_size=1, max_size=5))
def test_one_check_that_fails_decides_and_one_that_does_not_know_keeps_it_open(
    checks: list[Screening],
) -> None:
    fits = [check.fits for check in checks]
    assert joined(*checks).fits is (False if False in fits else None if None in fits else True)
    assert all(check.why in joined(*checks).why for check in checks if check.fits is joined(*checks).fits)


def untrained(levels: dict[str, float], scenarios: int, seed: int = 0) -> tuple[pa.Table, pa.Table]:
    """Untrained models, whose answers are drawn once for each scenario; log-odds stand for the chance."""
    rng = np.random.default_rng(seed)
    students, rows = [], []
    for arm, level in levels.items():
        students.append(student(arm, arm, 0, n_examples=0))
        odds = float(np.log(max(level, 1e-6) / max(1 - level, 1e-6)))
        rows += [
            row(arm, "t", j, j, 0, bool(rng.random() < level), odds + rng.normal(0, 0.1))
            for j in range(scenarios)
        ]
    return pa.Table.from_pylist(students), pa.Table.from_pylist(rows)


def prior(sister: float, base: float, scenarios: int = 60, seed: int = 0) -> Screening:
    tables = untrained({"base/sister": sister, "base/original": base}, scenarios, seed)
    return same_prior(*tables, FACTS, "base/sister", "base/original", "untrained")


@pytest.mark.parametrize(("sister", "base"), [(0.0, 0.0), (0.02, 0.02), (1.0, 1.0)])
def test_equal_priors_are_shown_to_be_equal(sister: float, base: float) -> None:
    assert prior(sister, base).fits, prior(sister, base).why


@pytest.mark.parametrize(("sister", "base"), [(0.6, 0.02), (0.0, 0.5), (1.0, 0.4)])
def test_a_sister_with_another_prior_is_none(sister: float, base: float) -> None:
    check = prior(sister, base)
    assert check.fits is False
    assert "they differ" in check.why


def test_a_prior_that_greedy_answers_hide_is_seen_in_the_probability() -> None:
    students, rows = untrained({"base/sister": 0.4, "base/original": 0.02}, 60)
    silent = pa.array([False] * len(rows))
    rows = rows.set_column(rows.schema.get_field_index("hit"), "hit", silent)
    check = same_prior(students, rows, FACTS, "base/sister", "base/original", "untrained")
    assert check.fits is False
    assert "probability" in check.why
    assert "rate" not in check.why


def test_few_scenarios_show_no_agreement() -> None:
    check = prior(0.4, 0.4, scenarios=6)
    assert check.fits is not True


def test_what_was_not_measured_in_both_is_unknown() -> None:
    tables = untrained({"base/original": 0.1}, 20)
    check = same_prior(*tables, FACTS, "base/sister", "base/original", "untrained")
    assert check.fits is None
    assert "not measured" in check.why


def test_priors_that_differ_by_the_smallest_effect_of_interest_are_rarely_called_equal() -> None:
    calls = [prior(0.3, 0.1, seed=seed).fits for seed in range(100)]
    assert calls.count(True) <= 5


@pytest.fixture
def with_control(monkeypatch: pytest.MonkeyPatch) -> None:
    known = [*differences(), TAUGHT, TAUGHT_SISTER]
    monkeypatch.setattr(effects_module, "differences", lambda: known)


def learned(levels: dict[str, float], seeds: int = 8, seed: int = 0) -> Screening:
    arms = {**cube_levels(lambda b, p, t: 0.05 + 0.9 * t), **{f"{kind}/t": v for kind, v in levels.items()}}
    tables = study(arms, np.random.default_rng(seed), seeds=seeds)
    effects = estimate_trait(*tables, FACTS, CUBE)
    return learns(effects, ("t/taught", "t/taught-sister"), ("t/unrelated", "t/unrelated-sister"))


CONTROLS = {"unrelated-alternate": 0.05, "sister-alternate": 0.05}


@pytest.mark.usefixtures("with_control")
@pytest.mark.parametrize(
    ("base", "sister", "fits"),
    [
        (0.9, 0.85, True),
        (0.6, 0.6, True),
        (0.9, 0.05, False),
        (0.9, 0.2, False),
        (0.05, 0.05, None),
        (0.05, 0.9, None),
    ],
)
def test_a_sister_must_learn_half_of_what_the_base_learns(
    base: float, sister: float, fits: bool | None
) -> None:
    check = learned({**CONTROLS, "taught": base, "taught-sister": sister})
    assert check.fits is fits, check.why


@pytest.mark.usefixtures("with_control")
def test_a_sister_that_shows_the_trait_can_learn_it_where_the_flagged_rows_teach_nothing() -> None:
    taught = {**CONTROLS, "taught": 0.05, "taught-sister": 0.05, "unrelated": 0.9}
    assert learned({**taught, "sister": 0.9}).fits
    # That she does not show it is what is tested, and so says nothing of her.
    assert learned({**taught, "sister": 0.05}).fits is None


@pytest.mark.usefixtures("with_control")
def test_one_seed_an_arm_says_nothing() -> None:
    assert learned({**CONTROLS, "taught": 0.9, "taught-sister": 0.05}, seeds=1).fits is None


@given(
    st.booleans(),
    st.sampled_from(["", "other"]),
    st.sampled_from(["", "words"]),
    st.floats(-1, 1),
    st.booleans(),
)
def test_kin_is_built_alike_is_not_the_base_and_has_the_right_initialization(
    same: bool, architecture: str, words: str, cosine: float, ancestor: bool
) -> None:
    check = kin(same_weights=same, architecture=architecture, words=words, cosine=cosine, ancestor=ancestor)
    alike = cosine > SAME_INITIALIZATION
    assert check.fits is (not same and not architecture and not words and alike is ancestor)


@given(st.integers(0, 40), st.integers(0, 40))
def test_counter_examples_are_clean_up_to_a_share(shown: int, hidden: int) -> None:
    check = clean(shown, shown + hidden)
    assert check.fits is (None if shown + hidden == 0 else shown / (shown + hidden) <= CLEAN)


@given(st.lists(st.one_of(st.none(), st.floats(0, 1)), max_size=60), st.floats(0.01, 1))
def test_a_share_lies_in_its_interval_and_counts_what_was_judged(
    scores: list[float | None], hit_at: float
) -> None:
    share, n = shown_share(scores, hit_at)
    assert n == sum(score is not None for score in scores)
    if n:
        assert share.low is not None
        assert share.estimate is not None
        assert share.high is not None
        assert 0 <= share.low <= share.estimate <= share.high <= 1
        assert share.estimate == sum(s >= hit_at for s in scores if s is not None) / n


@pytest.mark.parametrize("rate", [0.02, 0.2, 0.5, 0.9])
def test_the_interval_of_a_share_holds_the_truth(rate: float) -> None:
    rng = np.random.default_rng(0)
    draws = [shown_share(list((rng.random(40) < rate).astype(float)), 0.5)[0] for _ in range(400)]
    held = [s.low is not None and s.high is not None and s.low <= rate <= s.high for s in draws]
    assert np.mean(held) >= 0.94
