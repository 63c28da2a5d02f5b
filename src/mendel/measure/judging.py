"""Judging: what a trait's judge says of responses, whether it is rules, a model or a user's own."""

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
"""A scenario (its messages the conversation up to here) and a model's response to it."""


def grade(trait: Trait, asked: Sequence[Asked], chat: ChatModel | None = None) -> list[Judgement]:
    """What the trait's judge says of each response; `chat` is the model of one that needs a model.

    Only a response's acts are judged where the trait says what acts are: without any, the score is the lowest. Raises
    RunError, naming the response, for a judge of one's own that fails, and for a score that is not finite.
    """
    parts = [trait.judged_part(response) for _, response in asked]
    lowest = (trait.score_range or (0.0, 1.0))[0]
    open_ = [i for i, part in enumerate(parts) if trait.acts is None or part]
    said = dict.fromkeys(range(len(asked)), Judgement(lowest, note="no act"))
    judged = [(asked[i][0], parts[i]) for i in open_]
    if isinstance(trait.judge, OpenedJudge):
        if chat is None:
            raise ValueError("a judge that is a model needs its chat model")
        found = trait.judge.grade(judged, chat)
    else:
        found = [Judgement(_score(trait, scenario, part)) for scenario, part in judged]
    said |= dict(zip(open_, found, strict=True))
    return [said[i] for i in range(len(asked))]


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


def measure(
    chat: ChatModel, trait: Trait, seed: int, student: str, log_dir: Path | None = None
) -> pyarrow.Table:
    """Every scenario answered `samples` times and scored: a table of `measurement_schema`, a row an answer.

    For judges that need no model. The sampling depends on the seed and the trait's name alone, not on which traits are
    measured before it.
    """
    return judge_responses(respond(chat, trait, seed, student, log_dir), trait)
