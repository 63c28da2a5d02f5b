"""A judge plug-in that asks a model: opened by mendel, held to one judgement a response and to quotes that are there."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest

from mendel.engine.errors import InputError, RunError
from mendel.measure import Scenario, grade, judge, judged_by, judges, load_trait, needs_model
from mendel.measure.judges import JudgeConfig, Judgement, JudgeWithModel, make_judge
from mendel.models import ModelSource
from mendel.models.chat import Completion, Sampling
from mendel.study.schema import JudgeModelConfig

SOURCE = ModelSource("openai:m", "0" * 64, None)
TRAIT = """\
name: t
scale: share
scenarios: [{scenario: a, messages: [{role: user, content: Hi}]}]
judge: {by: test_with_model/echo, model: "openai:m"}
"""


class Chat:
    """A model that says the same to everybody."""

    def __init__(self, says: str) -> None:
        self.says, self.prompts = says, []  # type: tuple[str, list[Any]]

    def chat(self, prompts: Sequence[Any], sampling: Sampling) -> list[Completion]:
        self.prompts += prompts
        return [Completion(self.says, "stop", 1) for _ in prompts]


@dataclass(frozen=True)
class Echo:
    """Scores 1 with the model's words as the quote."""

    hit_at: float = 0.5
    id: str = "echo@1"

    def grade(self, asked: Sequence[tuple[Scenario, str]], chat: Any) -> list[Any]:
        prompts = [({"role": "user", "content": response},) for _, response in asked]
        answers = chat.chat(prompts, Sampling(8, 0.0, 0))
        return [Judgement(1, quote=answer.text) for answer in answers]


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    @judge("echo")
    def echo(config: JudgeConfig) -> Echo:
        return Echo(config.hit_at)

    yield
    judges.remove("echo")


def asked(*responses: str) -> list[tuple[Scenario, str]]:
    return [(Scenario("a", "a", ({"role": "user", "content": "Hi"},)), response) for response in responses]


def with_model(plugin: Any) -> JudgeWithModel:
    return JudgeWithModel(plugin, SOURCE)


def test_a_trait_file_names_the_plug_in_and_its_model(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text(TRAIT)
    trait = load_trait(tmp_path / "t.yaml")
    assert needs_model(trait)
    assert isinstance(trait.judge, JudgeWithModel)
    assert trait.judge.source.ref == "openai:m"
    assert pickle.loads(pickle.dumps(trait)) == trait
    (judgement,) = grade(trait, asked("well said"), cast("Any", Chat("said")))
    assert judgement == Judgement(1.0, quote="said")


def test_without_a_model_the_trait_file_is_refused_at_its_line(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text(TRAIT.replace(', model: "openai:m"', ""))
    with pytest.raises(InputError, match=r"t\.yaml:4: the judge 'test_with_model/echo' asks a model, and"):
        load_trait(tmp_path / "t.yaml")


def test_a_study_may_name_another_model_for_the_plug_in(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text(TRAIT)
    trait = load_trait(tmp_path / "t.yaml")
    other = judged_by(trait, JudgeModelConfig(model="openai:other"), tmp_path)
    assert isinstance(other.judge, JudgeWithModel)
    assert other.judge.source.ref == "openai:other"
    assert other.judge_id != trait.judge_id


def test_the_model_is_a_part_of_the_judges_id() -> None:
    one, two = with_model(Echo()), JudgeWithModel(Echo(), replace(SOURCE, digest="1" * 64))
    assert one.id.startswith("echo@")
    assert one.id != two.id
    assert one.score(asked("x")[0][0], "x") is None


def test_a_quote_that_does_not_stand_in_the_response_is_no_judgement() -> None:
    (judgement,) = with_model(Echo()).grade(asked("something else"), cast("Any", Chat("said")))
    assert judgement.score is None
    assert judgement.note == "unjudged: the quote does not stand in the response: said"


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([], "returned 0 judgements for 1 responses.*one Judgement per response"),
        ([0.5], "returned a float, not a Judgement"),
        ([Judgement(float("nan"))], "not a finite number"),
        ([Judgement(1.0, quote=cast("Any", 5))], "the judge's quote is no text .got 5.. Return a str"),
        ([Judgement(None, note=cast("Any", ["x"]))], "the judge's note is no text"),
        (ZeroDivisionError("no"), "the judge failed: ZeroDivisionError: no"),
    ],
)
def test_what_is_no_judgement_is_an_error_that_names_the_judge(answers: Any, message: str) -> None:
    @dataclass(frozen=True)
    class Odd(Echo):
        def grade(self, asked: Sequence[tuple[Scenario, str]], chat: Any) -> list[Any]:
            if isinstance(answers, Exception):
                raise answers
            return list(answers)

    with pytest.raises(RunError, match=f"judge echo@.*{message}"):
        with_model(Odd()).grade(asked("x"), cast("Any", Chat("x")))


def test_options_of_a_judge_are_checked_where_it_declares_them(tmp_path: Path) -> None:
    from pydantic import BaseModel

    class Options(BaseModel):
        marks: int = 3

    seen: list[dict[str, Any]] = []

    @judge("marked", options=Options)
    def marked(config: JudgeConfig) -> Echo:
        seen.append(config.options)
        return Echo(config.hit_at)

    try:
        make_judge(JudgeConfig(by="marked"))
        assert seen == [{"marks": 3}]
        text = TRAIT.replace("echo, model", "marked, options: {mark: 2}, model")
        (tmp_path / "t.yaml").write_text(text)
        with pytest.raises(
            InputError, match=r"t\.yaml:4: the judge .* has no option 'mark'. Did you mean 'marks'"
        ):
            load_trait(tmp_path / "t.yaml")
    finally:
        judges.remove("marked")


def test_a_plug_in_without_score_and_grade_is_refused() -> None:
    @judge("empty")
    def empty(config: JudgeConfig) -> Any:
        return type("Empty", (), {"id": "e@1", "hit_at": 0.5})()

    try:
        with pytest.raises(InputError, match="has neither 'score' nor 'grade'"):
            make_judge(JudgeConfig(by="empty"))
    finally:
        judges.remove("empty")
