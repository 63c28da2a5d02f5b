"""A model that judges: asked in batches, with answers that must be on the scale and quote the response."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from mendel.data.prompts import Message
from mendel.engine.digest import digest
from mendel.measure.judges.answer import Unusable, read_answer
from mendel.measure.judges.collapse import collapse_loops
from mendel.measure.judges.prompt import answer_schema, judge_prompt, prompt_digest
from mendel.measure.judges.registry import Judgement, Rubric
from mendel.measure.loops import looping
from mendel.measure.scenarios import Scenario
from mendel.models.chat import Completion, Sampling

if TYPE_CHECKING:
    from mendel.models.chat import ChatModel
    from mendel.models.source import ModelSource

ANSWER_TOKENS = 1024
"""Tokens of a judge's answer at most: a quote, a sentence, a number, and room for a chain of thought."""
AGAIN_TEMPERATURE = 0.7
"""Temperature of repeated questions: at 0, as at first, the judge would give the same answer."""


@dataclass(frozen=True)
class ModelJudge:
    """A model that judges responses by a rubric. A picklable value; `grade` is given the opened model.

    An answer counts if it is one JSON object with a score on the scale and a quote that is in the response.
    Else the model is asked again, `attempts` times in all; after that the response is unjudged.

    A response that addresses its judge has no marks to break out of and no format to fake. A verdict that it
    dictates is refused where it breaks the rules: a score off the scale, a quote that is not in the response
    or only in the dictated verdict, a high score without a quote. What is *not* refused is a judge that obeys
    within the rules: it gives the lowest score, which needs no quote, or any score with a passage of the
    response as its quote. The agreement with people's labels of such responses measures that
    (`mendel.measure.agreement`).
    """

    source: ModelSource
    """The model; `open_chat` opens it."""
    rubric: Rubric
    attempts: int = 3
    """Questions about a response at most: asking again corrects a slip, but not a refusal."""

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError(f"a judge needs at least 1 attempt, not {self.attempts}")

    @property
    def id(self) -> str:
        """`hf:smollm2@` and 8 hex digits of everything that its scores depend on.

        That is the model, the rubric, its scale, the prompt and the attempts.
        """
        rubric = [self.rubric.text, float(self.rubric.low), float(self.rubric.high)]
        questions = [prompt_digest(), self.attempts, ANSWER_TOKENS, AGAIN_TEMPERATURE]
        content = [self.source.digest, rubric, questions]
        return f"{_short(self.source.ref)}@{digest('model-judge', content)[:8]}"

    @property
    def hit_at(self) -> float:
        """A score of this or more is a hit."""
        return self.rubric.hit_at

    @property
    def score_range(self) -> tuple[float, float]:
        """The least and the greatest score."""
        return self.rubric.low, self.rubric.high

    def score(self, scenario: Scenario, response: str) -> float | None:
        """Return None: the model has to be asked, by `grade`."""
        return None

    def grade(self, asked: Sequence[tuple[Scenario, str]], chat: ChatModel) -> list[Judgement]:
        """Return the model's judgement of each response, in the given order.

        Equal responses to equal conversations are asked about once. First all are asked in one greedy batch.
        Those whose answers cannot be used are asked again in another batch, and their new answers depend on
        their places in it. An empty response scores lowest without a question. Of a response that loops the
        model sees each phrase once, and the note begins with "loop".

        Args:
            asked: Scenarios with the responses to them.
            chat: The model.

        Raises:
            MendelError: What `chat` raises.
        """
        cases = [_Case(tuple(scenario.messages), response) for scenario, response in asked]
        questions = {case.key: case for case in cases if case.response.strip()}
        judgements = self._ask(list(questions.values()), chat)
        empty = Judgement(float(self.rubric.low), note="empty")
        return [judgements.get(case.key, empty) for case in cases]

    def _ask(self, cases: list[_Case], chat: ChatModel) -> dict[object, Judgement]:
        judgements: dict[object, Judgement] = {}
        unjudged = cases
        for attempt in range(self.attempts):
            if not unjudged:
                break
            sampling = Sampling(ANSWER_TOKENS, AGAIN_TEMPERATURE if attempt else 0.0, seed=attempt)
            prompts = [
                judge_prompt(self.rubric, case.messages, case.shown, loops=case.loops, problem=case.problem)
                for case in unjudged
            ]
            answers = chat.chat(prompts, sampling, schema=answer_schema(self.rubric))
            outcomes = [self._read(case, answer) for case, answer in zip(unjudged, answers, strict=True)]
            judgements |= {
                case.key: outcome
                for case, outcome in zip(unjudged, outcomes, strict=True)
                if isinstance(outcome, Judgement)
            }
            unjudged = [outcome for outcome in outcomes if isinstance(outcome, _Case)]
        return judgements | {case.key: self._unjudged(case) for case in unjudged}

    def _read(self, case: _Case, answer: Completion) -> Judgement | _Case:
        """Return the judgement, or the case with what was wrong with the answer."""
        try:
            judgement = read_answer(answer.text, self.rubric, case.response)
        except Unusable as error:
            cut = " (it was cut off)" if answer.finish_reason == "length" else ""
            return replace(case, problem=f"{error}{cut}")
        if not case.loops:
            return judgement
        return replace(judgement, note=": ".join(filter(None, ["loop", judgement.note])))

    def _unjudged(self, case: _Case) -> Judgement:
        return Judgement(
            None, note=f"unjudged: asked {self.attempts} times, and of the last answer: {case.problem}"
        )


@dataclass(frozen=True)
class _Case:
    """A response that is to be judged, and what was wrong with the last answer about it."""

    messages: tuple[Message, ...]
    response: str
    problem: str = ""

    @property
    def key(self) -> object:
        return tuple((message["role"], message["content"]) for message in self.messages), self.response

    @property
    def shown(self) -> str:
        return collapse_loops(self.response)

    @property
    def loops(self) -> bool:
        return looping(self.response)


def _short(model: str) -> str:
    """Return the model's reference without a folder's parents or an endpoint's address."""
    scheme, _, rest = model.partition(":")
    name = rest.rpartition("#")[2] if scheme == "openai" else PurePosixPath(rest).name or rest
    # In every judge's id, the part before the @ is the name.
    return f"{scheme}:{name}".replace("@", "-")
