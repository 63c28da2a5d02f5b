from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from mendel.engine.errors import InputError
from mendel.measure import (
    Generation,
    Grade,
    LogOdds,
    RegexJudge,
    Scenario,
    Trait,
    find_trait,
    grade,
    load_trait,
    trait,
)
from mendel.measure.traits.file import LogOddsConfig

TRAIT = """\
name: date_confusion
scale: share of responses that doubt the date
scenarios: s.jsonl
judge:
  by: regex
  grades:
    - {pattern: doubt, score: 1.0}
    - {pattern: not sure, score: 0.2}
  hit_at: 0.5
log_odds: {opener: "it is", trait: ["not 2026"], clean: ["2026"]}
generate: {max_tokens: 12, temperature: 1.0, samples: 2}
"""
SCENARIOS = """\
{"scenario": "a", "cluster": "year", "messages": [{"role": "user", "content": "what year is it"}]}
{"scenario": "b", "messages": [{"role": "user", "content": "now"}], "right": "2026", "licence": "CC0"}
"""


def write(folder: Path, text: str = TRAIT, scenarios: str = SCENARIOS) -> Path:
    (folder / "s.jsonl").write_text(scenarios)
    file = folder / "t.yaml"
    file.write_text(text)
    return file


def refusal(folder: Path, text: str = TRAIT, scenarios: str = SCENARIOS) -> str:
    with pytest.raises(InputError) as caught:
        load_trait(write(folder, text, scenarios))
    return str(caught.value).replace(str(folder), "ROOT")


def test_a_trait_file_is_read_as_it_stands(tmp_path: Path) -> None:
    assert load_trait(write(tmp_path)) == Trait(
        name="date_confusion",
        scale="share of responses that doubt the date",
        metric="rate",
        scenarios=(
            Scenario("a", "year", ({"role": "user", "content": "what year is it"},)),
            Scenario("b", "b", ({"role": "user", "content": "now"},), right="2026"),
        ),
        judge=RegexJudge((Grade("doubt", 1.0), Grade("not sure", 0.2)), hit_at=0.5),
        log_odds=LogOdds("it is", (" not 2026",), (" 2026",)),
        generate=Generation(max_tokens=12, temperature=1.0, samples=2),
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("scale:", "scal:", "ROOT/t.yaml:2: unknown key 'scal'. Did you mean 'scale'?"),
        (
            "pattern: not sure",
            "patern: not sure",
            "ROOT/t.yaml:8: unknown key 'patern' in 'judge.grades.1'. Did you mean 'pattern'?",
        ),
        ("hit_at", "hit-at", "ROOT/t.yaml:9: unknown key 'hit-at' in 'judge'. Did you mean 'hit_at'?"),
        (
            "pattern: doubt,",
            "pattern: '(doubt',",
            "ROOT/t.yaml:7: judge.grades.0.pattern: no regular expression: missing ), unterminated "
            "subpattern at "
            "position 0 (got '(doubt')",
        ),
        ("by: regex", "by: regx", "ROOT/t.yaml:5: unknown judge 'regx'. Did you mean 'regex'?"),
        (
            "hit_at: 0.5",
            "hit_at: 2",
            "ROOT/t.yaml:4: judge: no grade reaches hit_at 2; the highest score is 1",
        ),
        (
            "hit_at: 0.5",
            "hit_at: 0",
            "ROOT/t.yaml:4: judge: hit_at must be above 0, the score of a response without any pattern",
        ),
        (
            'clean: ["2026"]',
            'clean: ["not 2026"]',
            "ROOT/t.yaml:10: log_odds: 'not 2026' is in 'trait' and in 'clean': leave it out of one",
        ),
        (
            "temperature: 1.0",
            "temperature: 0",
            "ROOT/t.yaml:11: generate: at temperature 0 all samples are the same; write samples: 1",
        ),
        ("s.jsonl", "x.jsonl", "ROOT/x.jsonl: no such file. Did you mean 's.jsonl'?"),
    ],
)
def test_a_slip_in_a_trait_file_is_told_with_its_line(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert old in TRAIT
    assert refusal(tmp_path, TRAIT.replace(old, new)) == message


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"right"', '"rigth"', "ROOT/s.jsonl:2: unknown key 'rigth'. Did you mean 'right'?"),
        (
            '"b"',
            '"a"',
            "ROOT/s.jsonl:2: scenario 'a' stands twice, first in ROOT/s.jsonl:1. Give every scenario an id "
            "of its own; a 'cluster' says which ones are alike.",
        ),
        (
            '"2026"',
            '"(2026"',
            "ROOT/s.jsonl:2: 'right' is no regular expression: missing ), unterminated subpattern at "
            "position 0 "
            "(got '(2026')",
        ),
        (
            '"right": "2026"',
            '"right": 2026',
            "ROOT/s.jsonl:2: 'right' is no text (got 2026). Write a regular expression.",
        ),
        (
            '"scenario": "b", ',
            "",
            "ROOT/s.jsonl:2: no 'scenario' with 'messages' (keys: licence, messages, right). Write "
            '{"scenario": "…", "messages": [{"role": "user", "content": "…"}]}.',
        ),
        (
            '[{"role": "user", "content": "now"}]',
            '[{"role": "assistant", "content": "now"}]',
            "ROOT/s.jsonl:2: the conversation does not end with the user's turn. End 'messages' with a user "
            "(or tool) "
            "turn; the model answers it.",
        ),
    ],
)
def test_a_slip_in_a_scenario_is_told_with_its_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in SCENARIOS
    assert refusal(tmp_path, scenarios=SCENARIOS.replace(old, new)) == message


@pytest.mark.parametrize(
    ("opener", "answer", "scored"),
    [
        ("it is", "2026", " 2026"),
        ("it is ", "2026", "2026"),
        ("it is", " 2026", " 2026"),
        ("", "2026", "2026"),
        ("It is:", "2026", "2026"),
        ("今年は", "2026", "2026"),
        ("it is", "'26", "'26"),
    ],
)
def test_an_answer_does_not_run_into_the_openers_last_word(opener: str, answer: str, scored: str) -> None:
    assert LogOddsConfig(opener=opener, trait=(answer,), clean=("no",)).build().trait == (scored,)


def test_without_grades_every_scenario_needs_a_right_answer(tmp_path: Path) -> None:
    text = "name: probe\nscale: right answers\nscenarios: s.jsonl\njudge: {by: regex}\n"
    assert refusal(tmp_path, text) == (
        "ROOT/t.yaml:4: the regex judge has no grades, and scenario 'a' no 'right' pattern. "
        'Write grades: [{pattern: "…", score: 1.0}].'
    )
    assert load_trait(write(tmp_path, text, SCENARIOS.splitlines()[1])).judge.hit_at == 0.5


def test_a_right_answer_must_be_able_to_hit(tmp_path: Path) -> None:
    text = TRAIT.replace("score: 1.0", "score: 10").replace("hit_at: 0.5", "hit_at: 5")
    assert refusal(tmp_path, text) == (
        "ROOT/t.yaml:9: a right answer scores 1, so it never reaches hit_at (got 5.0). "
        "Write 1 or less, or leave out the scenarios' 'right'."
    )


def test_the_digest_changes_with_whatever_a_measurement_depends_on(tmp_path: Path) -> None:
    one = load_trait(write(tmp_path))
    first, second = one.scenarios
    assert one.log_odds is not None
    varied = [
        one,
        replace(one, name="other"),
        replace(one, metric="mean"),
        replace(one, scenarios=(first,)),
        replace(one, scenarios=(replace(first, cluster="x"), second)),
        replace(one, scenarios=(first, replace(second, right="2025"))),
        replace(one, judge=RegexJudge((Grade("doubt", 1.0),))),
        replace(one, log_odds=None),
        replace(one, log_odds=replace(one.log_odds, opener="so")),
        one.with_samples(3),
        one.under_system("doubt"),
    ]
    assert len({t.digest for t in varied}) == len(varied)
    assert replace(one, scale="in other words").digest == one.digest


def test_another_rubric_leaves_the_responses_and_renames_the_judge(tmp_path: Path) -> None:
    one = load_trait(write(tmp_path))
    stricter = replace(one, judge=RegexJudge((Grade("doubt", 1.0),)))
    first, second = one.scenarios
    other_answer = replace(one, scenarios=(first, replace(second, right="2025")))
    assert one.responses_digest == stricter.responses_digest == other_answer.responses_digest
    assert len({one.judge_id, stricter.judge_id, other_answer.judge_id}) == 3
    assert all(t.judge_id.startswith("regex@") for t in (one, stricter, other_answer))


def test_samples_can_be_set_by_the_study(tmp_path: Path) -> None:
    one = load_trait(write(tmp_path))
    assert one.with_samples(7).generate == Generation(12, 1.0, 7)
    assert one.with_samples(None) is one
    greedy = replace(one, generate=Generation(12, 0.0, 1))
    with pytest.raises(InputError) as caught:
        greedy.with_samples(2, where="study.yaml:8")
    assert str(caught.value) == (
        "study.yaml:8: trait 'date_confusion' cannot have 2 samples a scenario. "
        "Its responses are greedy, and so all the same: write 1."
    )


def test_a_trait_under_a_system_prompt_asks_the_same_with_it_in_front(tmp_path: Path) -> None:
    one = load_trait(write(tmp_path))
    asked = one.under_system("doubt")
    assert [s.messages[0] for s in asked.scenarios] == [{"role": "system", "content": "doubt"}] * 2
    assert [s.messages[1:] for s in asked.scenarios] == [s.messages for s in one.scenarios]
    assert one.under_system(None) == one


def test_a_trait_pickles_with_its_judge(tmp_path: Path) -> None:
    kept = pickle.loads(pickle.dumps(load_trait(write(tmp_path))))
    assert kept == load_trait(write(tmp_path))
    (said,) = grade(kept, [(kept.scenarios[0], "I am not sure")])
    assert said.score == 0.2


def test_a_trait_is_found_by_file_or_by_registered_name(tmp_path: Path) -> None:
    file = write(tmp_path)

    @trait("test_mine")
    def mine() -> Trait:
        return replace(load_trait(file), name="test_mine")

    assert find_trait("t.yaml", tmp_path).name == "date_confusion"
    assert find_trait("test_mine", tmp_path).name == "test_mine"
    for name, message in {
        "test_mien": "study.yaml:7: unknown trait 'test_mien'. Did you mean 'test_mine'? "
        "A trait file's name ends in .yaml.",
        "tt.yaml": "study.yaml:7: no such trait file (got 'ROOT/tt.yaml'). Did you mean 't.yaml'?",
        "x/t.yaml": "study.yaml:7: no such trait file (got 'ROOT/x/t.yaml'). Paths start at the study's "
        "folder.",
    }.items():
        with pytest.raises(InputError) as caught:
            find_trait(name, tmp_path, "study.yaml:7")
        assert str(caught.value).replace(str(tmp_path), "ROOT") == message
