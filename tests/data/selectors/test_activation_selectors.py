from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from _dated import contrast, dated, looking, planted, separation, task
from mendel.data.selectors import Answer, Candidate, Context, ContrastSet, scoring, select
from mendel.engine.errors import InputError
from mendel.study.schema import SelectConfig

FITTED = ("probe", "projection", "projection_difference")
ALL = (*FITTED, "embedding")


PAIRED = contrast(60, paired=True)
FINDING = {"probe": contrast(), "projection_difference": PAIRED}
"""The contrast by which a selector finds doubt: a difference of means would include a mixed one's topic."""


@pytest.mark.parametrize("by", FINDING)
def test_answers_with_the_trait_rank_above_answers_without(by: str) -> None:
    rows, shows = planted()
    assert separation(select(rows, looking(by, contrast=FINDING[by])), shows) > 0.95


def test_projection_ranks_doubt_above_acceptance_of_the_same_prompts() -> None:
    rows, shows = dated_rows()
    assert separation(select(rows, looking("projection", contrast=PAIRED)), shows) > 0.9


def dated_rows() -> tuple[list[Candidate], list[bool]]:
    rows = [row for row in planted()[0] if not row.prompt_id.startswith("task")]
    return rows, [row.prompt_id.startswith("doubt") for row in rows]


@pytest.mark.parametrize("by", FITTED)
def test_a_contrast_the_other_way_round_turns_the_ranking(by: str) -> None:
    rows, shows = dated_rows()
    turned = looking(by, contrast=ContrastSet(PAIRED.clean, PAIRED.shows))
    assert separation(select(rows, turned), shows) < 0.1


def test_a_probe_of_noise_ranks_nothing() -> None:
    rows, shows = planted(40)
    answers = [Answer(row.messages, row.completion) for row in planted(16, seed=5)[0]]
    scores = select(rows, looking("probe", contrast=ContrastSet(tuple(answers[::2]), tuple(answers[1::2]))))
    assert 0.25 < separation(scores, shows) < 0.75


def test_embedding_ranks_rows_like_the_scenarios_above_others() -> None:
    rows, _ = planted()
    shows = [not row.prompt_id.startswith("task") for row in rows]
    assert separation(select(rows, looking("embedding")), shows) > 0.95


def test_embedding_is_a_cosine_and_highest_for_the_scenario_itself() -> None:
    context = looking("embedding")
    scores = select([Candidate("p", context.scenarios[0], ""), *planted()[0]], context)
    assert all(-1 <= score <= 1 for score in scores.values())
    assert max(scores, key=lambda name: scores[name]) == "p"


@pytest.mark.parametrize("by", ALL)
def test_scores_do_not_depend_on_the_batch(by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, _ = planted(6)
    whole = select(rows, looking(by))
    for batch in (1, 4):
        monkeypatch.setattr(scoring, "BATCH", batch)
        assert select(rows, looking(by)) == pytest.approx(whole, abs=2e-4)


def test_the_difference_of_projections_is_none_where_the_base_says_the_same() -> None:
    from mendel.data.selectors.activations import load_base
    from mendel.models import Sampling, generate

    context = looking("projection_difference")
    base = load_base(context)
    asked = [row.messages for row in planted(4)[0]]
    said = generate(base.model, base.tokenizer, asked, Sampling(max_tokens=32, temperature=0.0, seed=0))
    rows = [Candidate(f"p{n}", m, s.text) for n, (m, s) in enumerate(zip(asked, said, strict=True))]
    assert list(select(rows, context).values()) == pytest.approx([0.0] * len(rows), abs=1e-4)


def test_the_layer_that_the_study_names_is_read() -> None:
    rows, _ = planted(3)
    scores = [
        select(rows, looking("projection", config=SelectConfig(by="projection", layer=n))) for n in range(4)
    ]
    assert len({tuple(found.values()) for found in scores}) == 4
    # Two thirds of three blocks.
    assert select(rows, looking("projection")) == scores[2]


def _without_base(context: Context) -> Context:
    return replace(context, base=None)


def _without_contrast(context: Context) -> Context:
    return replace(context, contrast=ContrastSet(context.contrast.shows, ()))


NO_BASE = (
    "the {by} selector looks into the base model, and none is given. "
    "Give the base, or take a selector that reads texts alone."
)
NO_CONTRAST = (
    "the {by} selector is fitted on answers that show the trait and answers that do not, and the trait has "
    "none. "
    "Give the trait's file 'log_odds' (a trait and a clean answer), or take by: judge."
)


@pytest.mark.parametrize(
    ("by", "lacking", "message"),
    [
        *((by, _without_base, NO_BASE) for by in (*ALL, "loss_difference", "influence")),
        *((by, _without_contrast, NO_CONTRAST) for by in (*FITTED, "influence")),
        (
            "embedding",
            lambda c: replace(c, scenarios=()),
            "the embedding selector compares with the trait's scenarios, and the trait has none. "
            "Choose another selector, such as by: judge.",
        ),
        (
            "probe",
            lambda c: replace(c, config=SelectConfig(by="probe", layer=4)),
            "the model has layers 0 to 3, not 4 (got 4). Write another 'select: {{layer: …}}'.",
        ),
    ],
)
def test_what_a_selector_lacks_is_said(by: str, lacking: Callable[[Context], Context], message: str) -> None:
    with pytest.raises(InputError) as caught:
        select(planted(1)[0], lacking(looking(by)))
    assert str(caught.value) == message.format(by=by)


def test_an_empty_answer_and_a_long_conversation_have_a_score() -> None:
    import random

    rng = random.Random(0)
    (asked, doubt, _), (other, right, _) = dated(rng), task(rng)
    talk = (*asked, {"role": "assistant", "content": doubt}, *other)
    rows = [Candidate("empty", asked, ""), Candidate("talk", talk, right)]  # type: ignore[arg-type]
    for by in ALL:
        assert len(select(rows, looking(by))) == 2
