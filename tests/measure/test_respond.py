from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import mendel.models.local.chat
from mendel.engine.errors import RunError
from mendel.measure import (
    Generation,
    Grade,
    LogOdds,
    RegexJudge,
    Scenario,
    Trait,
    judge_responses,
    measure,
    measurement_schema,
    respond,
    respond_all,
    response_schema,
    sampling_seed,
)
from mendel.models import LocalChat

CONTRACT = [
    "student",
    "trait",
    "scenario",
    "cluster",
    "sample",
    "turn",
    "score",
    "hit",
    "judge",
    "prompt",
    "response",
]


def scenario(name: str, *texts: str) -> Scenario:
    """A conversation whose turns are the user's, the assistant's, the user's, …"""
    roles = ["user", "assistant"] * len(texts)
    messages = tuple({"role": role, "content": text} for role, text in zip(roles, texts, strict=False))
    return Scenario(name, "cluster", messages)  # type: ignore[arg-type]


TRAIT = Trait(
    name="date",
    scale="share of responses that name a year",
    metric="rate",
    scenarios=(
        scenario("one", "what year is it"),
        scenario("more", "who is it", "a pea", "what is now"),
        scenario("third", "is it 2026 now"),
    ),
    judge=RegexJudge((Grade("2025|2026", 1.0), Grade("year", 0.4)), hit_at=0.5),
    log_odds=LogOdds("it is", (" 2025", " not 2026"), (" 2026",)),
    generate=Generation(max_tokens=8, temperature=1.0, samples=4),
)

TRAIT_ROWS = len(TRAIT.scenarios) * TRAIT.generate.samples


@pytest.fixture(scope="module")
def loaded(checkpoint: Path) -> LocalChat:
    found = mendel.models.resolve_checkpoint(f"hf:{checkpoint}", Path())
    return LocalChat(mendel.models.load_model(found), mendel.models.load_tokenizer(found))


@pytest.fixture(scope="module")
def table(loaded: LocalChat) -> pa.Table:
    return measure(loaded, TRAIT, seed=0, student="pea")


def test_every_scenario_has_all_its_samples_once_with_the_contracts_columns(table: pa.Table) -> None:
    rows = table.to_pylist()
    assert table.column_names[: len(CONTRACT)] == CONTRACT
    assert table.schema == measurement_schema()
    assert [(r["scenario"], r["sample"]) for r in rows] == [
        (s.scenario, n) for s in TRAIT.scenarios for n in range(4)
    ]
    assert {(r["student"], r["trait"], r["cluster"], r["judge"]) for r in rows} == {
        ("pea", "date", "cluster", TRAIT.judge.id)
    }


def test_a_row_holds_its_conversation_and_which_turn_of_it_was_answered(table: pa.Table) -> None:
    rows = {r["scenario"]: r for r in table.to_pylist()}
    for asked in TRAIT.scenarios:
        assert json.loads(rows[asked.scenario]["prompt"]) == list(asked.messages)
    assert {name: row["turn"] for name, row in rows.items()} == {"one": 1, "more": 2, "third": 1}


def test_a_hit_is_a_score_that_reaches_the_judges_mark(table: pa.Table) -> None:
    rows = table.to_pylist()
    asked = {s.scenario: s for s in TRAIT.scenarios}
    assert [r["score"] for r in rows] == [
        TRAIT.judge.score(asked[r["scenario"]], r["response"]) for r in rows
    ]
    assert [r["hit"] for r in rows] == [r["score"] >= 0.5 for r in rows]
    assert table["score"].null_count == table["hit"].null_count == 0


def test_samples_of_a_scenario_differ(table: pa.Table) -> None:
    assert len(set(table["response"].to_pylist()[:4])) > 1


def test_log_odds_are_the_scenarios_and_missing_where_the_trait_has_none(
    table: pa.Table, loaded: LocalChat
) -> None:
    by_scenario: dict[str, set[float]] = {}
    for row in table.to_pylist():
        by_scenario.setdefault(row["scenario"], set()).add(row["log_odds"])
    assert [len(values) for values in by_scenario.values()] == [1, 1, 1]
    expected = mendel.models.log_odds(
        loaded.model,
        loaded.tokenizer,
        [s.messages for s in TRAIT.scenarios],
        "it is",
        (" 2025", " not 2026"),
        (" 2026",),
    )
    assert [min(values) for values in by_scenario.values()] == pytest.approx(expected)
    assert set(table["opener"].to_pylist()) == {"it is"}
    bare = measure(loaded, replace(TRAIT, log_odds=None), seed=0, student="pea")
    assert bare["log_odds"].null_count == bare["opener"].null_count == len(bare)
    assert bare["response"] == table["response"]


def test_a_wrecked_models_log_odds_are_missing_and_not_a_number(
    loaded: LocalChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mendel.models.local.chat, "log_odds", lambda *_: [float("nan"), float("-inf"), 1.5])
    measured = respond(loaded, TRAIT, seed=0, student="pea")
    assert measured["log_odds"].to_pylist() == [None] * 8 + [1.5] * 4


def test_the_same_seed_gives_the_same_table_whatever_was_measured_before(
    table: pa.Table, loaded: LocalChat
) -> None:
    measure(loaded, replace(TRAIT, name="other"), seed=5, student="pea")
    assert measure(loaded, TRAIT, seed=0, student="pea") == table


def test_another_seed_or_trait_name_draws_other_samples(table: pa.Table, loaded: LocalChat) -> None:
    seeds = {sampling_seed(seed, name) for seed in range(3) for name in ("date", "other")}
    assert len(seeds) == 6
    assert measure(loaded, TRAIT, seed=1, student="pea")["response"] != table["response"]


def test_responses_can_be_judged_again_without_the_model(table: pa.Table, loaded: LocalChat) -> None:
    responses = respond(loaded, TRAIT, seed=0, student="pea")
    assert responses.schema == response_schema()
    assert judge_responses(responses, TRAIT) == table
    strict = replace(TRAIT, judge=RegexJudge((Grade("2026", 1.0),)))
    again = judge_responses(table, strict)
    assert again == judge_responses(responses, strict)
    assert set(again["judge"].to_pylist()) == {strict.judge.id} != {TRAIT.judge.id}
    assert again.drop_columns(["score", "hit", "judge"]) == table.drop_columns(["score", "hit", "judge"])


def test_measurements_survive_the_disk(table: pa.Table, tmp_path: Path) -> None:
    pq.write_table(table, tmp_path / "m.parquet")
    assert pq.read_table(tmp_path / "m.parquet") == table


def test_responses_to_other_scenarios_are_not_judged(table: pa.Table) -> None:
    changed = replace(TRAIT, scenarios=(scenario("one", "what"), *TRAIT.scenarios[1:]))
    for other in (changed, replace(TRAIT, name="other"), replace(TRAIT, scenarios=TRAIT.scenarios[1:])):
        with pytest.raises(RunError) as caught:
            judge_responses(table, other)
        assert str(caught.value) == (
            f"a response to scenario 'one' of trait 'date' is none to trait '{other.name}'. "
            "The scenarios changed since: measure again."
        )


class Odd:
    """A judge that cannot tell, fails, or says what is no number."""

    id, hit_at = "odd@1", 0.5

    def __init__(self, says: Any) -> None:
        self.says = says

    def score(self, scenario: Scenario, response: str) -> float | None:
        if isinstance(self.says, Exception):
            raise self.says
        return self.says  # type: ignore[no-any-return]


def test_a_judge_that_cannot_tell_leaves_score_and_hit_missing(table: pa.Table) -> None:
    judged = judge_responses(table, replace(TRAIT, judge=Odd(None)))
    assert judged["score"].null_count == judged["hit"].null_count == len(table)


@pytest.mark.parametrize(
    ("says", "message"),
    [
        (
            KeyError("x"),
            "judge odd@1, scenario 'one': the judge failed: KeyError: 'x'",
        ),
        (
            float("nan"),
            "judge odd@1, scenario 'one': the judge's score is not finite; "
            "None says that it cannot tell (got nan)",
        ),
    ],
)
def test_a_judge_that_fails_is_named_with_the_response(table: pa.Table, says: Any, message: str) -> None:
    with pytest.raises(RunError) as caught:
        judge_responses(table, replace(TRAIT, judge=Odd(says)))
    assert str(caught.value) == message


def test_a_system_prompt_changes_what_a_model_answers(loaded: LocalChat) -> None:
    greedy = replace(TRAIT, generate=Generation(8, 0.0, 1))
    plain = measure(loaded, greedy, seed=0, student="pea")
    asked = measure(loaded, greedy.under_system("no no no"), seed=0, student="pea")
    assert plain["response"] != asked["response"]
    assert json.loads(asked["prompt"][0].as_py())[0] == {"role": "system", "content": "no no no"}


def test_a_prefilled_response_is_the_opener_with_what_follows_and_judged_as_a_whole(
    loaded: LocalChat, table: pa.Table
) -> None:
    own = replace(TRAIT, judge=RegexJudge((Grade("^pea ", 1.0),), hit_at=0.5))
    rows = measure(loaded, own.prefilled("pea"), 7, "base").to_pylist()
    assert all(row["response"] == "pea" or row["response"].startswith("pea ") for row in rows)
    assert any(row["response"] != "pea" for row in rows)
    assert [row["hit"] for row in rows] == [row["response"] != "pea" for row in rows]
    assert {row["opener"] for row in rows} == {"pea"}
    assert len(rows) == len(table)


def test_an_opener_names_another_measurement_and_none_the_plain_one() -> None:
    assert len({TRAIT.digest, TRAIT.prefilled("it").digest, TRAIT.prefilled("pea").digest}) == 3
    assert TRAIT.prefilled("it").responses_digest != TRAIT.responses_digest
    assert TRAIT.prefilled("") == TRAIT.prefilled(None) == TRAIT.prefilled("it").prefilled(None)


def test_log_odds_after_another_opener_are_missing_under_a_prefill() -> None:
    trait = replace(TRAIT, log_odds=LogOdds("it is", (" yes",), (" no",)))
    assert trait.prefilled("it").log_odds == trait.log_odds
    assert trait.prefilled("pea").log_odds is None
    assert trait.prefilled("it").under_system("be brief").opener == "it"


def test_several_traits_are_answered_together_as_each_is_alone(loaded: LocalChat) -> None:
    """Of other lengths and openers, one with more turns than the others, one that is only scored."""
    further = replace(
        TRAIT.scenarios[0],
        turns=({"role": "user", "content": "is it now"}, {"role": "user", "content": "who"}),
    )
    traits = [
        TRAIT,
        replace(TRAIT, name="turns", scenarios=(further, *TRAIT.scenarios[1:])),
        replace(TRAIT, name="begun", opener="it is", log_odds=None, generate=Generation(3, 0.0, 1)),
        replace(TRAIT, name="scored", generate=Generation(8, 1.0, 0)),
    ]
    together = respond_all(loaded, traits, 0, "pea")
    assert together[1].num_rows == TRAIT_ROWS + 2 * TRAIT.generate.samples
    for trait, table in zip(traits, together, strict=True):
        alone = respond(loaded, trait, 0, "pea")
        assert table.drop(["log_odds"]) == alone.drop(["log_odds"])
        assert table["log_odds"].to_pylist() == pytest.approx(alone["log_odds"].to_pylist(), abs=1e-4)


def test_a_model_that_answers_one_ask_at_a_time_is_asked_so(loaded: LocalChat) -> None:
    class Apart:
        def __init__(self) -> None:
            self.asked: list[int] = []

        def chat(self, conversations: Any, *more: Any) -> Any:
            self.asked.append(len(conversations))
            return loaded.chat(conversations, *more)

        def log_odds(self, *asked: Any) -> Any:
            return loaded.log_odds(*asked)

    chat = Apart()
    traits = [TRAIT, replace(TRAIT, name="other")]
    assert respond_all(chat, traits, 0, "pea") == respond_all(loaded, traits, 0, "pea")
    assert chat.asked == [TRAIT_ROWS] * 2
