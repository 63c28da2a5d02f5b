"""Judging: score responses by a trait's judge, whether it is rules, a model or a plug-in."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mendel.data.prompts import parse_messages
from mendel.engine.errors import MendelError, RunError
from mendel.measure.judges import ColumnJudge, Judgement, OpenedJudge
from mendel.measure.respond import respond
from mendel.measure.scenarios import Scenario
from mendel.measure.schema import measurement_schema
from mendel.measure.traits import Trait

if TYPE_CHECKING:
    import pyarrow

    from mendel.models import ChatModel

Asked = tuple[Scenario, str]
"""A scenario (its messages are the conversation so far) and a model's response to it."""


def grade(trait: Trait, asked: Sequence[Asked], chat: ChatModel | None = None) -> list[Judgement]:
    """Return the trait's judge's judgement of each response.

    Where the trait defines acts, only a response's acts are judged, and a response without acts scores
    lowest.

    Args:
        trait: The trait, with its judge.
        asked: Scenarios with the responses to them.
        chat: The model of a judge that is a model.

    Raises:
        RunError: A plug-in's judge failed, or a score is not finite; the message names the scenario.
        ValueError: The judge is a model, and `chat` is missing.
    """
    parts = [trait.judged_part(response) for _, response in asked]
    lowest = (trait.score_range or (0.0, 1.0))[0]
    places = [i for i, part in enumerate(parts) if trait.acts is None or part]
    by_place = dict.fromkeys(range(len(asked)), Judgement(lowest, note="no act"))
    judged = [(asked[i][0], parts[i]) for i in places]
    if isinstance(trait.judge, OpenedJudge):
        if chat is None:
            raise ValueError("a judge that is a model needs its chat model")
        judgements = trait.judge.grade(judged, chat)
    else:
        judgements = [Judgement(_score(trait, scenario, part)) for scenario, part in judged]
    by_place |= dict(zip(places, judgements, strict=True))
    return [by_place[i] for i in range(len(asked))]


def _score(trait: Trait, scenario: Scenario, response: str) -> float | None:
    try:
        score = trait.judge.score(scenario, response)
    except MendelError:
        raise
    except Exception as error:  # a judge may be a user's own code
        what = f"the judge failed: {type(error).__name__}: {error}"
        raise RunError(what, where=_judged(trait, scenario)) from error
    if score is not None and not math.isfinite(score):
        raise RunError(
            "the judge's score is not finite; None says that it cannot tell",
            where=_judged(trait, scenario),
            value=score,
        )
    return score


def _judged(trait: Trait, scenario: Scenario) -> str:
    return f"judge {trait.judge.id}, scenario {scenario.scenario!r}"


def judge_responses(
    responses: pyarrow.Table, trait: Trait, judgements: Sequence[Judgement] | None = None
) -> pyarrow.Table:
    """Return the responses with scores: a table of `measurement_schema`.

    Args:
        responses: A table of `respond`, or measurements that are scored anew.
        trait: The trait that they respond to.
        judgements: The judge's judgement of each row; None: the judge is called here, which a judge that is
            a model cannot be.

    Raises:
        RunError: A row is of another trait or of a scenario that the trait does not have; also as `grade`.
    """
    import pyarrow as pa

    rows = responses.to_pylist()
    asked = asked_of(responses, trait)
    if isinstance(trait.judge, ColumnJudge):
        values = [row[trait.judge.column] for row in rows]
        judgements = [Judgement(trait.judge.score_of(value)) for value in values]
    elif judgements is None:
        judgements = grade(trait, asked)
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
    """Return each row as a scenario, at the turn that was answered, and the response.

    Args:
        responses: A table of responses or measurements.
        trait: The trait that they respond to.
        scenarios_known: Whether each conversation must be one of the trait's scenarios; else it is taken as
            it is.

    Raises:
        RunError: A row is of another trait, or of a scenario that the trait does not have.
    """
    scenarios = {scenario.scenario: scenario for scenario in trait.scenarios}
    asked: list[Asked] = []
    for row in responses.select(["trait", "scenario", "cluster", "prompt", "response"]).to_pylist():
        messages = parse_messages(json.loads(row["prompt"]), f"scenario {row['scenario']!r}")
        scenario = scenarios.get(row["scenario"])
        unknown = scenario is None or not scenario.holds(messages)
        strange = scenarios_known and trait.inspect is None and unknown
        if row["trait"] != trait.name or strange:
            raise RunError(
                f"a response to scenario {row['scenario']!r} of trait {row['trait']!r} is none to trait "
                f"{trait.name!r}",
                fix="The scenarios changed since: measure again.",
            )
        right = scenario.right if scenario else None
        asked.append((Scenario(row["scenario"], row["cluster"], messages, right), row["response"]))
    return asked


def measure(
    chat: ChatModel, trait: Trait, seed: int, student: str, log_dir: Path | None = None
) -> pyarrow.Table:
    """Return a model's responses to all scenarios with their scores, a row an answer.

    The sampling depends on the seed and the trait's name only, not on the traits that were measured before.

    Args:
        chat: The model.
        trait: The trait, whose judge is not a model.
        seed: The study's seed.
        student: The student's name, for the table.
        log_dir: Folder for Inspect's logs; needed by an Inspect task only.

    Returns:
        A table of `measurement_schema`.

    Raises:
        RunError: As `judge_responses`.
        ValueError: The judge is a model, or `log_dir` is missing for an Inspect task.
    """
    return judge_responses(respond(chat, trait, seed, student, log_dir), trait)
