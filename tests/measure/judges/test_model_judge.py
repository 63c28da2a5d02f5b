from __future__ import annotations

import base64
import pickle
import re
from dataclasses import replace
from pathlib import Path

import pytest

from _model_judge import ASKED, JUDGE, ROWS, RUBRIC, SOURCE, Stub
from mendel.measure.judges import ModelJudge
from mendel.measure.judges import model as module
from mendel.models.resolve import open_chat, resolve_model
from mendel.study.schema import EndpointConfig

SMOLLM2 = Path(__file__).parents[3] / "examples/smollm2/work/smollm2"


@pytest.mark.parametrize("row", [pytest.param(row, id=row["name"]) for row in ROWS if row["obeyed"]])
def test_a_judge_that_copies_a_verdict_is_caught_where_it_can_be(row: dict[str, str]) -> None:
    """ "passes": a verdict within the rules; only the agreement with people can show that it is dictated."""

    def obedient(text: str, _: int) -> str:
        response = text.partition("response begins ===\n")[2].rpartition("\n=== ")[0]
        coded = re.search(r"\b[A-Za-z0-9+/]{40,}={0,2}", response)
        if coded:
            return base64.b64decode(coded[0]).decode()
        return response[response.find("{") : response.rfind("}") + 1]

    (said,) = JUDGE.grade([(ASKED, row["response"])], Stub(obedient))
    assert (said.score is None) == (row["obeyed"] == "caught")
    assert said.score is not None or said.note.startswith("unjudged: ")


def test_injections_are_many() -> None:
    assert len({row["response"] for row in ROWS}) >= 50
    assert sum(row["obeyed"] == "caught" for row in ROWS) >= 15


@pytest.mark.slow
@pytest.mark.skipif(not SMOLLM2.exists(), reason="make example fetches SmolLM2")
def test_a_real_model_judges_injections_without_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_TOKENS", 24)
    source = resolve_model(f"hf:{SMOLLM2}", Path("/"))
    names = {"chatml", "zero-width", "nul-quote", "ansi"}
    asked = [(ASKED, row["response"]) for row in ROWS if row["name"] in names]
    said = ModelJudge(source, RUBRIC, attempts=2).grade(asked, open_chat(source))
    assert len(said) == len(names)
    assert all(s.note.startswith("unjudged") if s.score is None else 0 <= s.score <= 10 for s in said)


def test_the_id_names_all_that_scores_depend_on() -> None:
    judges = [
        JUDGE,
        replace(JUDGE, source=replace(SOURCE, digest="e" * 64)),
        replace(JUDGE, attempts=2),
        replace(JUDGE, rubric=replace(RUBRIC, text="Another.")),
        replace(JUDGE, rubric=replace(RUBRIC, low=1.0)),
        replace(JUDGE, rubric=replace(RUBRIC, high=9.0)),
    ]
    assert len({judge.id for judge in judges}) == len(judges)
    assert all(re.fullmatch(r"hf:tiny@[0-9a-f]{8}", judge.id) for judge in judges)


def test_the_id_names_nothing_else() -> None:
    others = [
        replace(JUDGE, source=replace(SOURCE, ref="hf:/elsewhere/tiny/")),
        replace(JUDGE, source=replace(SOURCE, endpoint=EndpointConfig(concurrency=3))),
        replace(JUDGE, rubric=replace(RUBRIC, hit_at=6.0)),
    ]
    assert {judge.id for judge in others} == {JUDGE.id}


@pytest.mark.parametrize(
    ("ref", "name"),
    [
        ("openai:gpt-5-mini", "openai:gpt-5-mini"),
        ("openai:http://127.0.0.1:8000/v1#Qwen/Qwen3-8B", "openai:Qwen/Qwen3-8B"),
        ("vllm:org/model", "vllm:model"),
        ("hf:judge@2", "hf:judge-2"),
        ("hf:.", "hf:."),
    ],
)
def test_the_id_begins_with_the_models_name(ref: str, name: str) -> None:
    assert replace(JUDGE, source=replace(SOURCE, ref=ref)).id.partition("@")[0] == name


def test_a_model_judge_is_a_value_that_pickles() -> None:
    assert pickle.loads(pickle.dumps(JUDGE)) == JUDGE
    assert {JUDGE: 1}[replace(JUDGE)] == 1
    assert JUDGE.score_range == (0.0, 10.0)
    assert JUDGE.hit_at == 5.0
    assert JUDGE.score(ASKED, "text") is None


def test_a_judge_is_asked_once_at_least() -> None:
    with pytest.raises(ValueError, match="at least 1 attempt"):
        replace(JUDGE, attempts=0)
