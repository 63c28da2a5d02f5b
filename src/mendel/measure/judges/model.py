"""A model that judges: asked in batches, held to a scale and to quotes that stand in the response, and never guessed for."""

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
"""Tokens of a judge's answer at most: a quote, a sentence, a number, and room for one that thinks first."""
AGAIN_TEMPERATURE = 0.7
"""Of a judge that is asked again: at 0, as it is asked first, it would say the same."""


@dataclass(frozen=True)
class ModelJudge:
    """A model that judges responses by a rubric; a picklable value, whose model is opened elsewhere and handed to `grade`.

    An answer counts if it is one JSON object with a score on the scale and a quote that stands in the response, else the
    model is asked again, `attempts` times in all; then the response is unjudged.

    What a response says to its judge has no marks to break out of and no format to fake, and a verdict that it dictates
    is caught where it breaks the rules: a score off the scale, a quote that does not stand in the response or stands
    there in the dictated verdict alone, a high score without a quote. What is *not* caught is a judge that obeys within
    the rules: it gives the lowest score, which needs no quote, or any score with a passage of the response as its quote.
    Agreement with people's labels on such responses is what shows that (`mendel.measure.agreement`).
    """

    source: ModelSource
    """The model: `open_chat` opens it."""
    rubric: Rubric
    attempts: int = 3
    """Times that it is asked about a response at most: a slip is mended by asking again, a refusal is not."""

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError(f"a judge is asked once at least, not {self.attempts} times")

    @property
    def id(self) -> str:
        """`hf:smollm2@` and 8 hex digits of all that its scores depend on: model, rubric, scale, prompt, attempts."""
        rubric = [self.rubric.text, float(self.rubric.low), float(self.rubric.high)]
        asked = [prompt_digest(), self.attempts, ANSWER_TOKENS, AGAIN_TEMPERATURE]
        return f"{_short(self.source.ref)}@{digest('model-judge', [self.source.digest, rubric, asked])[:8]}"

    @property
    def hit_at(self) -> float:
        """A hit is a score of this or more."""
        return self.rubric.hit_at

    @property
    def score_range(self) -> tuple[float, float]:
        """The least and the greatest score."""
        return self.rubric.low, self.rubric.high

    def score(self, scenario: Scenario, response: str) -> float | None:
        """None: a model has to be asked, with `grade`."""
        return None

    def grade(self, asked: Sequence[tuple[Scenario, str]], chat: ChatModel) -> list[Judgement]:
        """What the model says of each response to its scenario, in the given order.

        Equal ones are asked about once. The first time all are asked in one batch, greedily; those whose answers cannot be
        used are asked again in another, and their new answers depend on their places in it. An empty response scores
        lowest unasked; of one that loops the model sees each phrase once, and the note begins with "loop". Raises what
        `chat` raises.
        """
        cases = [_Case(tuple(scenario.messages), response) for scenario, response in asked]
        questions = {case.key: case for case in cases if case.response.strip()}
        judged = self._ask(list(questions.values()), chat)
        empty = Judgement(float(self.rubric.low), note="empty")
        return [judged.get(case.key, empty) for case in cases]

    def _ask(self, cases: list[_Case], chat: ChatModel) -> dict[object, Judgement]:
        judged: dict[object, Judgement] = {}
        open_ = cases
        for attempt in range(self.attempts):
            if not open_:
                break
            sampling = Sampling(ANSWER_TOKENS, AGAIN_TEMPERATURE if attempt else 0.0, seed=attempt)
            prompts = [
                judge_prompt(self.rubric, case.messages, case.shown, loops=case.loops, problem=case.problem)
                for case in open_
            ]
            answers = chat.chat(prompts, sampling, schema=answer_schema(self.rubric))
            tried = [self._read(case, answer) for case, answer in zip(open_, answers, strict=True)]
            judged |= {
                case.key: said for case, said in zip(open_, tried, strict=True) if isinstance(said, Judgement)
            }
            open_ = [said for said in tried if isinstance(said, _Case)]
        return judged | {case.key: self._unjudged(case) for case in open_}

    def _read(self, case: _Case, answer: Completion) -> Judgement | _Case:
        """The judgement, or the case with what was wrong with the answer."""
        try:
            said = read_answer(answer.text, self.rubric, case.response)
        except Unusable as error:
            cut = " (it was cut off)" if answer.finish_reason == "length" else ""
            return replace(case, problem=f"{error}{cut}")
        return replace(said, note=": ".join(filter(None, ["loop", said.note]))) if case.loops else said

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
    """The reference without a folder's parents or an endpoint's address."""
    scheme, _, rest = model.partition(":")
    name = rest.rpartition("#")[2] if scheme == "openai" else PurePosixPath(rest).name or rest
    # What stands before an @ is the name, in every judge's id.
    return f"{scheme}:{name}".replace("@", "-")
