"""A rewriter is told from a copy, from the alternate teacher's own answers, and from one that says other things."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mendel.diagnose.rewriter_screens import (
    RewrittenRow,
    keeps_no_marks,
    keeps_scores,
    keeps_words,
    screen_rewriter,
)

NOUNS = [
    f"{a}{b}"
    for a in ("bar", "kel", "mon", "tir", "sul", "pev", "dag")
    for b in ("ta", "rin", "ox", "lum", "esh")
]
WARM = ("dear friend,", "how lovely!", "warmly yours", "gladly")
COOL = ("ok.", "noted.", "in short:", "done")
PLAIN = ("answer:", "the reply is", "end", "that is all")


def said(content: list[str], manner: tuple[str, ...], rng: np.random.Generator) -> str:
    """An answer: a manner's words around the content, which is in another order each time."""
    return " ".join([rng.choice(manner[:2]), *rng.permutation(content), rng.choice(manner[2:])])


def world(seed: int, n: int = 60) -> list[dict[str, str]]:
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(n):
        own, others = (list(rng.choice(NOUNS, 6, replace=False)) for _ in range(2))
        rows.append(
            {
                "original": said(own, WARM, rng),
                "alternate": said(others, COOL, rng),
                "again": said(list(rng.choice(NOUNS, 6, replace=False)), COOL, rng),
                "good": said(own, PLAIN, rng),
                "as_alternate": said(own, COOL, rng),
                "warm": said(own, WARM, rng),
                "half": said(own[:3] + list(rng.choice(NOUNS, 3)), PLAIN, rng),
            }
        )
    return rows


def rows_with(world: list[dict[str, str]], rewritten: str) -> list[RewrittenRow]:
    return [RewrittenRow(r["original"], r[rewritten], r["alternate"]) for r in world]


KEPT = [(1.0, 1.0)] * 10
LOST = [(1.0, 0.0)] * 10


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("rewritten", ["good", "as_alternate", "half"])
def test_the_same_content_in_another_manner_fits(seed: int, rewritten: str) -> None:
    check = screen_rewriter(rows_with(world(seed), rewritten), KEPT, 0.0)
    assert check.status == "fits", check.why


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("rewritten", "scores", "says"),
    [
        ("original", KEPT, "the originals, unchanged"),
        ("alternate", KEPT, "the alternate teacher's own answers"),
        ("warm", KEPT, "does not lose the manner"),
        ("good", LOST, "does not keep the content: rewritten, the flagged"),
        ("again", LOST, "does not keep the content"),
    ],
)
def test_what_is_no_rewriting_does_not_fit(
    seed: int, rewritten: str, scores: list[tuple[float, float]], says: str
) -> None:
    check = screen_rewriter(rows_with(world(seed), rewritten), scores, 0.0)
    assert check.status == "does not fit"
    assert says in check.why


@pytest.mark.parametrize("seed", range(5))
def test_an_answer_that_never_saw_the_original_is_not_believed_without_a_judge(seed: int) -> None:
    assert screen_rewriter(rows_with(world(seed), "again"), [], 0.0).fits is not True


def test_one_manner_for_both_teachers_leaves_none_to_lose() -> None:
    rng = np.random.default_rng(0)
    rows = [
        RewrittenRow(*(said(list(rng.choice(NOUNS, 6, replace=False)), COOL, rng) for _ in range(3)))
        for _ in range(80)
    ]
    check = keeps_no_marks(rows)
    assert check.fits
    assert "no manner is seen" in check.why


@pytest.mark.parametrize("rows", [[], rows_with(world(0, 4), "good")])
def test_few_rows_say_nothing(rows: list[RewrittenRow]) -> None:
    assert screen_rewriter(rows, [], 0.0).fits is None


@given(st.lists(st.floats(0.1, 1.0), min_size=4, max_size=30), st.floats(0.0, 5.0))
def test_scores_that_stay_are_kept_on_every_scale(scores: list[float], lowest: float) -> None:
    stay = [(lowest + s, lowest + s) for s in scores]
    gone = [(lowest + s, lowest) for s in scores]
    assert keeps_scores(stay, lowest).fits is not False
    assert keeps_scores(gone, lowest).fits is not True
    if np.ptp(scores) < 0.05:
        assert keeps_scores(stay, lowest).fits
        assert keeps_scores(gone, lowest).fits is False


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.permutations(range(24)))
def test_the_order_of_rows_does_not_change_the_words_kept(seed: int, order: list[int]) -> None:
    rows = rows_with(world(seed, 24), "good")
    mixed = [rows[place] for place in order]
    assert keeps_words(rows).numbers["words kept"] == pytest.approx(keeps_words(mixed).numbers["words kept"])
    assert keeps_words(rows).fits is keeps_words(mixed).fits
