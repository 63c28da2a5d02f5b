"""Ask a model a trait's scenarios. `judging.py` scores the responses, so that either step can be redone."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mendel.data.prompts import Message
from mendel.engine.digest import digest
from mendel.measure.judges import ColumnJudge
from mendel.measure.loops import looping
from mendel.measure.scenarios import Scenario
from mendel.measure.schema import response_schema
from mendel.measure.traits import Trait, after_opener

if TYPE_CHECKING:
    import pyarrow

    from mendel.models import ChatModel, Completion


def respond(
    chat: ChatModel, trait: Trait, seed: int, student: str, log_dir: Path | None = None
) -> pyarrow.Table:
    """Return a model's responses and log-odds without scores: a table of `response_schema`.

    A scenario with several turns is played turn by turn, against the model's own answers. Rows are by
    scenario, sample and turn.

    Args:
        chat: The model.
        trait: The trait that is asked.
        seed: The study's seed.
        student: The student's name, for the table.
        log_dir: Folder for Inspect's logs; needed by an Inspect task only.

    Raises:
        ValueError: `log_dir` is missing for an Inspect task.
    """

    if trait.inspect is not None:
        return _by_task(chat, trait, seed, student, log_dir)
    (responses,) = respond_all(chat, [trait], seed, student)
    return responses


def respond_all(chat: ChatModel, traits: Sequence[Trait], seed: int, student: str) -> list[pyarrow.Table]:
    """Return `respond`'s table for each of several traits.

    Requests of the same turn form one batch, if the model can do that.

    Args:
        chat: The model.
        traits: Traits that no Inspect task asks.
        seed: The study's seed.
        student: The student's name, for the tables.
    """
    dialogues = [
        [
            _Dialogue(scenario, sample)
            for scenario in trait.scenarios
            for sample in range(trait.generate.samples if trait.generates else 1)
        ]
        for trait in traits
    ]
    pairs = list(zip(traits, dialogues, strict=True))
    unfinished = [(trait, of_trait) for trait, of_trait in pairs if trait.generates]
    turn = 0
    while unfinished := [
        (trait, of_trait) for trait, of_trait in unfinished if not all(dialogue.over for dialogue in of_trait)
    ]:
        _take_turn(chat, unfinished, seed, turn)
        turn += 1
    return [_responses(chat, trait, student, of_trait) for trait, of_trait in pairs]


def _take_turn(
    chat: ChatModel, unfinished: Sequence[tuple[Trait, Sequence[_Dialogue]]], seed: int, turn: int
) -> None:
    from mendel.models import Ask, Sampling, chat_all

    live = [[dialogue for dialogue in dialogues if not dialogue.over] for _, dialogues in unfinished]
    asks = [
        Ask(
            [dialogue.current(trait.opener).messages for dialogue in of_trait],
            Sampling(
                trait.generate.max_tokens,
                trait.generate.temperature,
                sampling_seed(seed, trait.name, turn),
            ),
            trait.opener,
        )
        for (trait, _), of_trait in zip(unfinished, live, strict=True)
    ]
    for of_trait, answers in zip(live, chat_all(chat, asks), strict=True):
        for dialogue, answer in zip(of_trait, answers, strict=True):
            dialogue.answers.append(answer)


def _responses(chat: ChatModel, trait: Trait, student: str, dialogues: Sequence[_Dialogue]) -> pyarrow.Table:
    import pyarrow as pa

    log_odds = _log_odds(chat, trait)
    opener = trait.opener or (trait.log_odds.opener if trait.log_odds else None)
    rows = [
        {
            **row,
            "student": student,
            "trait": trait.name,
            "log_odds": log_odds.get(row["scenario"]),
            "opener": opener,
        }
        for dialogue in dialogues
        for row in (dialogue.rows(trait.opener) if trait.generates else [dialogue.unasked()])
    ]
    return pa.Table.from_pylist(rows, schema=response_schema())


@dataclass
class _Dialogue:
    """One sample of a scenario, while it is played."""

    scenario: Scenario
    sample: int
    answers: list[Completion] = field(default_factory=list)

    @property
    def over(self) -> bool:
        return len(self.answers) > len(self.scenario.turns)

    def current(self, opener: str) -> Scenario:
        """Return the scenario as it waits for the next answer."""
        return self.scenario.after([_with_opener(opener, answer.text) for answer in self.answers])

    def rows(self, opener: str) -> list[dict[str, Any]]:
        """Return a row for each answer."""
        responses = [_with_opener(opener, answer.text) for answer in self.answers]
        return [
            self._row(self.scenario.after(responses[:turn]), responses[turn], answer)
            for turn, answer in enumerate(self.answers)
        ]

    def unasked(self) -> dict[str, Any]:
        """Return the row of a scenario that was scored by its log-odds only, and not answered."""
        return {**self._place(self.scenario), "response": "", "finish_reason": "none", "tokens": 0}

    def _row(self, at: Scenario, response: str, answer: Completion) -> dict[str, Any]:
        return {
            **self._place(at),
            "response": response,
            "finish_reason": answer.finish_reason,
            "tokens": answer.tokens,
            "looping": looping(response),
            "prompt_tokens": getattr(answer, "prompt_tokens", None),
            "dollars": getattr(answer, "dollars", None),
        }

    def _place(self, at: Scenario) -> dict[str, Any]:
        return {
            "scenario": at.scenario,
            "cluster": at.cluster,
            "sample": self.sample,
            "turn": at.turn,
            "prompt": prompt_text(at.messages),
        }


def _by_task(chat: ChatModel, trait: Trait, seed: int, student: str, log_dir: Path | None) -> pyarrow.Table:
    from mendel.measure.inspect_tasks import respond_to_task

    if trait.inspect is None or log_dir is None:
        raise ValueError(f"trait {trait.name!r} is asked by an Inspect task: give log_dir, its logs' folder")
    judge = trait.judge
    return respond_to_task(
        chat,
        trait.inspect,
        max_tokens=trait.generate.max_tokens,
        temperature=trait.generate.temperature,
        samples=trait.generate.samples,
        seed=sampling_seed(seed, trait.name),
        student=student,
        trait=trait.name,
        log_dir=log_dir,
        score=isinstance(judge, ColumnJudge) and judge.column == "task_score",
    )


def _with_opener(opener: str, completion: str) -> str:
    # Word-level tokenizers decode without the space before the first word.
    return opener + after_opener(opener, completion) if opener else completion


def sampling_seed(seed: int, trait: str, turn: int = 0) -> int:
    """Return the seed (31 bits) of a trait's sampling.

    Args:
        seed: The study's seed.
        trait: The trait's name.
        turn: The number of the model's answer in the conversation, from 0.
    """
    key: list[Any] = [seed, trait, turn] if turn else [seed, trait]
    return int(digest("measurement-seed", key)[:8], 16) & 0x7FFFFFFF


def prompt_text(messages: Sequence[Message]) -> str:
    """Return a conversation as the tables hold it: JSON text."""
    return json.dumps([dict(message) for message in messages], ensure_ascii=False)


def _log_odds(chat: ChatModel, trait: Trait) -> dict[str, float | None]:
    if trait.log_odds is None:
        return {}
    values = chat.log_odds(
        [scenario.messages for scenario in trait.scenarios],
        trait.log_odds.opener,
        trait.log_odds.trait,
        trait.log_odds.clean,
    )
    if values is None:
        return {}
    # A damaged model may give NaN: that is a missing value, not a number to average.
    return {
        scenario.scenario: value if math.isfinite(value) else None
        for scenario, value in zip(trait.scenarios, values, strict=True)
    }
