from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from mendel.engine.errors import InputError, RunError
from mendel.measure import (
    ColumnJudge,
    Generation,
    Grade,
    LogOdds,
    RegexJudge,
    Scenario,
    Trait,
    asked_of,
    grade,
    judge_responses,
    load_scenarios,
    load_trait,
    respond,
)
from mendel.models import Completion


@dataclass
class Echo:
    """Says how many turns it has seen, and what the last one was."""

    asked: list[Any] = field(default_factory=list)
    seeds: list[int] = field(default_factory=list)

    def chat(
        self,
        conversations: Sequence[Any],
        sampling: Any,
        opener: str = "",
        schema: dict[str, Any] | None = None,
    ) -> list[Completion]:
        self.asked.append(list(conversations))
        self.seeds.append(sampling.seed)
        return [Completion(f"{len(c)} turns, last {c[-1]['content']}", "stop", 3) for c in conversations]

    def log_odds(self, *_: Any) -> list[float] | None:
        return None


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


LONG = Scenario("long", "c", (user("solve it"),), turns=("wrong", "still wrong"))  # type: ignore[arg-type]
SHORT = Scenario("short", "d", (user("add it"),))  # type: ignore[arg-type]
TRAIT = Trait(
    name="mood",
    scale="mean mood",
    metric="mean",
    scenarios=(LONG, SHORT),
    judge=RegexJudge((Grade("still", 6.0),), hit_at=5),
    generate=Generation(max_tokens=8, temperature=1.0, samples=2),
)


def test_a_scenario_is_played_turn_by_turn_against_the_models_own_answers() -> None:
    chat = Echo()
    rows = respond(chat, TRAIT, 0, "s").to_pylist()
    assert [(r["scenario"], r["sample"], r["turn"]) for r in rows] == [
        *(("long", sample, turn) for sample in (0, 1) for turn in (1, 2, 3)),
        ("short", 0, 1),
        ("short", 1, 1),
    ]
    assert [len(batch) for batch in chat.asked] == [4, 2, 2]
    assert len(set(chat.seeds)) == 3
    last = json.loads(rows[2]["prompt"])
    assert [turn["content"] for turn in last] == [
        "solve it",
        "1 turns, last solve it",
        "wrong",
        "3 turns, last wrong",
        "still wrong",
    ]
    assert rows[2]["response"] == "5 turns, last still wrong"
    assert {r["cluster"] for r in rows[:6]} == {"c"}


def test_every_turn_is_judged_by_itself_and_can_be_judged_again() -> None:
    responses = respond(Echo(), TRAIT, 0, "s")
    judged = judge_responses(responses, TRAIT)
    assert judged["score"].to_pylist() == [0.0, 0.0, 6.0, 0.0, 0.0, 6.0, 0.0, 0.0]
    assert judged["hit"].to_pylist() == [False, False, True, False, False, True, False, False]
    milder = replace(TRAIT, judge=RegexJudge((Grade("wrong", 6.0),), hit_at=5))
    assert judge_responses(judged, milder)["hit"].to_pylist()[:3] == [False, True, True]


def test_turns_of_another_scenario_are_refused() -> None:
    responses = respond(Echo(), TRAIT, 0, "s")
    other = replace(TRAIT, scenarios=(replace(LONG, turns=("wrong", "no")), SHORT))
    with pytest.raises(RunError, match="scenarios changed since"):
        judge_responses(responses, other)
    assert len(asked_of(responses, other, scenarios_known=False)) == len(responses)


def test_turns_are_part_of_what_is_asked_and_their_absence_is_not() -> None:
    assert (
        TRAIT.responses_digest != replace(TRAIT, scenarios=(replace(LONG, turns=()), SHORT)).responses_digest
    )
    plain = replace(TRAIT, scenarios=(SHORT,))
    assert plain.responses_digest == replace(plain, controls=(LONG,), rubric=None).responses_digest


def test_controls_are_a_trait_beside_the_trait() -> None:
    trait = replace(TRAIT, controls=(replace(SHORT, scenario="odd", control=True),))
    assert trait.control is not None
    assert [part.name for part in trait.parts] == ["mood", "mood/control"]
    assert {r["trait"] for r in respond(Echo(), trait.control, 0, "s").to_pylist()} == {"mood/control"}
    assert {r["scenario"] for r in respond(Echo(), trait, 0, "s").to_pylist()} == {"long", "short"}


def test_only_acts_are_judged_and_no_act_scores_lowest_unasked() -> None:
    trait = replace(TRAIT, acts="<send>.*?</send>")
    said = grade(trait, [(SHORT, "I could still threaten"), (SHORT, "well <send>still here</send> bye")])
    assert [(j.score, j.note) for j in said] == [(0.0, "no act"), (6.0, "")]
    assert trait.judge_id != TRAIT.judge_id
    assert trait.responses_digest == TRAIT.responses_digest


def test_a_trait_of_log_odds_alone_generates_nothing() -> None:
    class Sure(Echo):
        def log_odds(self, *_: Any) -> list[float] | None:
            return [2.0, -2.0]

    chat = Sure()
    trait = replace(
        TRAIT, judge=ColumnJudge("log_odds"), log_odds=LogOdds("", ("yes",), ("no",)), scenarios=(LONG, SHORT)
    )
    judged = judge_responses(respond(chat, trait, 0, "s"), trait)
    assert chat.asked == []
    assert judged["score"].to_pylist() == pytest.approx([0.8808, 0.1192], abs=1e-4)
    assert judged["hit"].to_pylist() == [True, False]
    assert judged["finish_reason"].to_pylist() == ["none", "none"]


def test_a_limit_spreads_over_clusters() -> None:
    many = tuple(Scenario(f"s{i}", f"c{i % 4}", (user(str(i)),)) for i in range(12))  # type: ignore[arg-type]
    trait = replace(TRAIT, scenarios=many)
    assert {s.cluster for s in trait.limited(4).scenarios} == {"c0", "c1", "c2", "c3"}
    assert len(trait.limited(6).scenarios) == 6
    assert trait.limited(None) == trait == trait.limited(99)


def write(folder: Path, rows: list[dict[str, Any]]) -> Path:
    (folder / "s.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_turns_and_controls_are_read_from_files_and_wrong_ones_refused(tmp_path: Path) -> None:
    row = {"scenario": "a", "messages": [user("x")], "turns": ["no", "no!"], "control": True, "kind": "k"}
    (found,) = load_scenarios("s.jsonl", write(tmp_path, [row]))
    assert (found.turns, found.control, found.kind) == (("no", "no!"), True, "k")
    for wrong, message in {
        "no": "s.jsonl:1: 'turns' are not texts",
        "yes": "s.jsonl:1: 'control' must be true or false",
    }.items():
        bad = {**row, **({"turns": wrong} if wrong == "no" else {"control": wrong})}
        with pytest.raises(InputError) as caught:
            load_scenarios("s.jsonl", write(tmp_path, [bad]))
        assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "judge: {by: regex, rubric: bad, grades: [{pattern: x, score: 1}]}",
            "a rubric needs the scale of its scores",
        ),
        ("judge: {by: model, rubric: bad, range: [0, 10], hit_at: 5}", "say which 'model' judges"),
        ("judge: {by: model, model: 'hf:x'}", "needs a 'rubric' and its 'range'"),
        (
            "judge: {by: regex, rubric: r, range: [10, 0], grades: [{pattern: x, score: 1}]}",
            "range must rise",
        ),
        (
            "judge: {by: regex, rubric: r, range: [0, 10], hit_at: 11, grades: [{pattern: x, score: 20}]}",
            "hit_at 11",
        ),
        ("judge: {by: regex, acts: '(', grades: [{pattern: x, score: 1}]}", "acts: no regular expression"),
        ("judge: {by: log_odds}", "needs the trait's 'log_odds'"),
        ("judge: {by: inspect}", "needs an 'inspect' task"),
        (
            "inspect: {task: x}\njudge: {by: regex, grades: [{pattern: x, score: 1}]}",
            "give one of the two",
        ),
    ],
)
def test_a_trait_file_that_cannot_be_judged_is_refused(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "t.yaml"
    file.write_text(
        f"name: t\nscale: s\nscenarios: [{{scenario: a, messages: [{{role: user, content: x}}]}}]\n{text}\n"
    )
    with pytest.raises(InputError, match=r"t\.yaml") as caught:
        load_trait(file)
    assert message in str(caught.value)


def test_scenarios_may_stand_in_the_trait_file_under_a_system_prompt(tmp_path: Path) -> None:
    file = tmp_path / "t.yaml"
    file.write_text(
        "name: t\nscale: s\nsystem: be brief\n"
        "scenarios:\n  - {scenario: a, messages: [{role: user, content: x}], turns: [again]}\n"
        "  - {scenario: b, control: true, messages: [{role: user, content: y}]}\n"
        "judge: {by: regex, grades: [{pattern: x, score: 1}]}\n"
    )
    trait = load_trait(file)
    assert [m["content"] for m in trait.scenarios[0].messages] == ["be brief", "x"]
    assert [[m["content"] for m in s.messages] for s in trait.controls] == [["be brief", "y"]]
