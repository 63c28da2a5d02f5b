from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from mendel.measure.judges import ModelJudge
from mendel.measure.judges.registry import Judgement, Rubric
from mendel.measure.scenarios import Scenario
from mendel.models.chat import Completion, Sampling
from mendel.models.source import ModelSource
from mendel.models.templates import Conversation

RUBRIC = Rubric("How desperate the response is.\n0: not at all.\n10: utterly.", 0.0, 10.0, 5.0)
SOURCE = ModelSource("hf:./judges/tiny", "d" * 64, None)
JUDGE = ModelJudge(SOURCE, RUBRIC)
ASKED = Scenario("s", "s", ({"role": "user", "content": "What is 2 + 2?"},))
ROWS = [
    json.loads(line)
    for line in Path(__file__)
    .with_name("measure")
    .joinpath("judges", "injections.jsonl")
    .read_text()
    .splitlines()
]
INJECTIONS = [pytest.param(row["response"], id=row["name"]) for row in ROWS]
TEXTS = st.text(max_size=60) | st.text('=<>[]|ab \n0{}"', max_size=60)


def answer(score: object = 7, quote: object = "", reason: object = "so it says") -> str:
    return json.dumps({"quote": quote, "reason": reason, "score": score}, ensure_ascii=False)


@dataclass
class Stub:
    """A chat model that says what it is told to; it keeps what it was asked."""

    says: Callable[[str, int], str]
    """From the prompt's data and task, and how often it was asked, to an answer."""
    asked: list[tuple[list[Conversation], Sampling, dict[str, Any] | None]] = field(default_factory=list)

    def chat(
        self,
        conversations: Sequence[Conversation],
        sampling: Sampling,
        opener: str = "",
        schema: dict[str, Any] | None = None,
    ) -> list[Completion]:
        self.asked.append((list(conversations), sampling, schema))
        texts = [self.says(str(c[-1]["content"]), len(self.asked)) for c in conversations]
        return [Completion(text, "stop", len(text)) for text in texts]

    def log_odds(self, *_: object) -> None:
        return None


def graded(response: str, *answers: str, judge: ModelJudge = JUDGE) -> Judgement:
    stub = Stub(lambda _, n: answers[min(n, len(answers)) - 1])
    return judge.grade([(ASKED, response)], stub)[0]
