"""Measurements: a model answers a trait's scenarios, then a judge scores the answers; either step can be redone alone."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mendel.data.prompts import Message, parse_messages
from mendel.engine.digest import digest
from mendel.engine.errors import RunError
from mendel.engine.tables import schema
from mendel.measure.judges import ColumnJudge, Judgement
from mendel.measure.judging import Asked, grade
from mendel.measure.loops import looping
from mendel.measure.scenarios import Scenario
from mendel.measure.traits import Trait, after_opener

if TYPE_CHECKING:
    import pyarrow

    from mendel.models import ChatModel, Completion

JUDGED = ("score", "hit", "judge", "quote", "note")
"""Columns that a judge fills."""


def measurement_schema() -> pyarrow.Schema:
    """Columns of measurements, one row an answer: the run folder's, and `opener`, `task_score`.

    `sample` counts from 0, `turn` says which answer of the conversation it is (from 1), `score` is on the trait's
    scale and `hit` says whether it reaches the judge's `hit_at`: both are null where the judge could not tell (never
    for rules), and `note` says why. `judge` is the trait's `judge_id`, `quote` the passage that a model's score rests on,
    `prompt` the conversation as JSON text. `log_odds` (nats) is the scenario's, the same on all its samples, null where
    the trait has none or it is not finite; `opener` is the one that the responses were made to begin with, else the
    log-odds' forced one, null without either; `task_score` is that of an Inspect task's own scorer. `tokens` are those
    that the model generated, `prompt_tokens` and `dollars` what an endpoint counted and took (null for a local model).
    """
    import pyarrow as pa

    own = [pa.field("opener", pa.string()), pa.field("task_score", pa.float64())]
    return pa.schema([*schema("measurements"), *own])


def response_schema() -> pyarrow.Schema:
    """Columns of responses that nobody has scored yet: those of measurements but the ones that a judge fills."""
    import pyarrow as pa

    return pa.schema([column for column in measurement_schema() if column.name not in JUDGED])


def measure(
    chat: ChatModel, trait: Trait, seed: int, student: str, log_dir: Path | None = None
) -> pyarrow.Table:
    """Every scenario answered `samples` times and scored: a table of `measurement_schema`, a row an answer.

    For judges that need no model. The sampling depends on the seed and the trait's name alone, not on which traits are
    measured before it.
    """
    return judge_responses(respond(chat, trait, seed, student, log_dir), trait)


def respond(
    chat: ChatModel, trait: Trait, seed: int, student: str, log_dir: Path | None = None
) -> pyarrow.Table:
    """The model's responses and log-odds, not scored: a table of `response_schema`, by scenario, sample and turn.

    A scenario with further turns is played turn by turn, each against the model's own answers so far. `log_dir` is where
    Inspect's logs go. Raises ValueError for an Inspect task without one.
    """

    if trait.inspect is not None:
        return _by_task(chat, trait, seed, student, log_dir)
    (responses,) = respond_all(chat, [trait], seed, student)
    return responses


def respond_all(chat: ChatModel, traits: Sequence[Trait], seed: int, student: str) -> list[pyarrow.Table]:
    """`respond` for several traits that are no Inspect tasks: what they ask at the same turn is one batch, where the model can."""
    plays = [
        [
            _Dialogue(scenario, sample)
            for scenario in trait.scenarios
            for sample in range(trait.generate.samples if trait.generates else 1)
        ]
        for trait in traits
    ]
    asking = [(trait, play) for trait, play in zip(traits, plays, strict=True) if trait.generates]
    turn = 0
    while asking := [(trait, play) for trait, play in asking if not all(dialogue.over for dialogue in play)]:
        _take_turn(chat, asking, seed, turn)
        turn += 1
    return [_responses(chat, trait, student, play) for trait, play in zip(traits, plays, strict=True)]


def _take_turn(
    chat: ChatModel, asking: Sequence[tuple[Trait, Sequence[_Dialogue]]], seed: int, turn: int
) -> None:
    from mendel.models import Ask, Sampling, chat_all

    live = [[dialogue for dialogue in play if not dialogue.over] for _, play in asking]
    asks = [
        Ask(
            [dialogue.now(trait.opener).messages for dialogue in of_trait],
            Sampling(
                trait.generate.max_tokens,
                trait.generate.temperature,
                sampling_seed(seed, trait.name, turn),
            ),
            trait.opener,
        )
        for (trait, _), of_trait in zip(asking, live, strict=True)
    ]
    for of_trait, answers in zip(live, chat_all(chat, asks), strict=True):
        for dialogue, answer in zip(of_trait, answers, strict=True):
            dialogue.answers.append(answer)


def _responses(chat: ChatModel, trait: Trait, student: str, dialogues: Sequence[_Dialogue]) -> pyarrow.Table:
    import pyarrow as pa

    log_odds = _log_odds(chat, trait)
    forced = trait.opener or (trait.log_odds.opener if trait.log_odds else None)
    rows = [
        {
            **row,
            "student": student,
            "trait": trait.name,
            "log_odds": log_odds.get(row["scenario"]),
            "opener": forced,
        }
        for dialogue in dialogues
        for row in (dialogue.rows(trait.opener) if trait.generates else [dialogue.unasked()])
    ]
    return pa.Table.from_pylist(rows, schema=response_schema())


@dataclass
class _Dialogue:
    """A scenario as it is played, once."""

    scenario: Scenario
    sample: int
    answers: list[Completion] = field(default_factory=list)

    @property
    def over(self) -> bool:
        return len(self.answers) > len(self.scenario.turns)

    def now(self, opener: str) -> Scenario:
        """The scenario as it waits for the next answer."""
        return self.scenario.after([_whole(opener, answer.text) for answer in self.answers])

    def rows(self, opener: str) -> list[dict[str, Any]]:
        """A row an answer."""
        said = [_whole(opener, answer.text) for answer in self.answers]
        return [
            self._row(self.scenario.after(said[:turn]), said[turn], answer)
            for turn, answer in enumerate(self.answers)
        ]

    def unasked(self) -> dict[str, Any]:
        """The row of a scenario that was only scored, not answered."""
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
        raise ValueError("an Inspect task needs a folder for its logs")
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


def _whole(opener: str, completion: str) -> str:
    # Tokenizers of whole words decode without the space before the first one.
    return opener + after_opener(opener, completion) if opener else completion


def sampling_seed(seed: int, trait: str, turn: int = 0) -> int:
    """The seed (31 bits) of a trait's sampling under a study's seed, at the model's `turn`-th answer (from 0)."""
    key: list[Any] = [seed, trait, turn] if turn else [seed, trait]
    return int(digest("measurement-seed", key)[:8], 16) & 0x7FFFFFFF


def prompt_text(messages: Sequence[Message]) -> str:
    """A conversation as it stands in the tables."""
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
    # A wrecked model gives NaN: that is a missing value, not a number to average.
    return {
        scenario.scenario: value if math.isfinite(value) else None
        for scenario, value in zip(trait.scenarios, values, strict=True)
    }


def judge_responses(
    responses: pyarrow.Table, trait: Trait, said: Sequence[Judgement] | None = None
) -> pyarrow.Table:
    """Scores responses (of `respond`, or measurements to be scored anew): a table of `measurement_schema`.

    `said` is what the judge says of each row (None: it is asked here, which a judge that is a model cannot be). Raises
    RunError for responses to another trait or to scenarios that this one does not hold, and as `grade` does.
    """
    import pyarrow as pa

    rows = responses.to_pylist()
    asked = asked_of(responses, trait)
    if isinstance(trait.judge, ColumnJudge):
        values = [row[trait.judge.column] for row in rows]
        said = [Judgement(trait.judge.score_of(value)) for value in values]
    judgements = grade(trait, asked) if said is None else said
    judge_id, hit_at = trait.judge_id, trait.judge.hit_at
    judged = [
        {
            **row,
            "score": judgement.score,
            "hit": None if judgement.score is None else judgement.score >= hit_at,
            "judge": judge_id,
            "quote": judgement.quote,
            "note": judgement.note or None,
        }
        for row, judgement in zip(rows, judgements, strict=True)
    ]
    return pa.Table.from_pylist(judged, schema=measurement_schema())


def asked_of(responses: pyarrow.Table, trait: Trait, *, scenarios_known: bool = True) -> list[Asked]:
    """Each row as a scenario at the turn that was answered, and the response.

    Raises RunError for rows of another trait and, where the trait's `scenarios_known`, for conversations that are none of
    them; where they are not, every conversation is taken as it stands.
    """
    scenarios = {scenario.scenario: scenario for scenario in trait.scenarios}
    asked: list[Asked] = []
    for row in responses.select(["trait", "scenario", "cluster", "prompt", "response"]).to_pylist():
        messages = parse_messages(json.loads(row["prompt"]), f"scenario {row['scenario']!r}")
        known = scenarios.get(row["scenario"])
        strange = scenarios_known and trait.inspect is None and (known is None or not known.holds(messages))
        if row["trait"] != trait.name or strange:
            raise RunError(
                f"a response to scenario {row['scenario']!r} of trait {row['trait']!r} is none to trait {trait.name!r}",
                fix="The scenarios changed since: measure again.",
            )
        right = known.right if known else None
        asked.append((Scenario(row["scenario"], row["cluster"], messages, right), row["response"]))
    return asked
