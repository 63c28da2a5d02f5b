"""Measurements: a model answers a trait's scenarios, then a judge scores the answers; either step can be redone alone."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mendel.data.prompts import Message
from mendel.engine.digest import digest
from mendel.engine.errors import MendelError, RunError
from mendel.engine.tables import schema
from mendel.measure.scenarios import Scenario
from mendel.measure.traits import Trait, after_opener

if TYPE_CHECKING:
    import pyarrow
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def measurement_schema() -> pyarrow.Schema:
    """Columns of measurements, one row a sample: the run folder's, and `opener`.

    `sample` counts from 0, `turn` says which answer of the conversation it is (from 1), `score` is on the trait's
    scale and `hit` says whether it reaches the judge's `hit_at`: both are null where the judge could not tell (never
    for the regex judge). `judge` is the trait's `judge_id`, `prompt` the conversation as JSON text. `log_odds` (nats)
    is the scenario's, the same on all its samples, null where the trait has none or it is not finite; `opener` is the
    one that the responses were made to begin with, else the log-odds' forced one, null without either. `tokens` are
    those that the model generated.
    """
    import pyarrow as pa

    return schema("measurements").append(pa.field("opener", pa.string()))


def response_schema() -> pyarrow.Schema:
    """Columns of responses that nobody has scored yet: those of measurements but `score`, `hit` and `judge`."""
    import pyarrow as pa

    return pa.schema([field for field in measurement_schema() if field.name not in ("score", "hit", "judge")])


def measure(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, trait: Trait, seed: int, student: str
) -> pyarrow.Table:
    """Every scenario answered `samples` times and scored: a table of `measurement_schema`, a row a sample.

    The sampling depends on the seed and the trait's name alone, not on which traits are measured before it.
    """
    return judge_responses(respond(model, tokenizer, trait, seed, student), trait)


def respond(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, trait: Trait, seed: int, student: str
) -> pyarrow.Table:
    """The model's responses and log-odds, not scored: a table of `response_schema`, by scenario, then by sample."""
    import pyarrow as pa

    from mendel.models import Sampling, generate

    asked = [scenario for scenario in trait.scenarios for _ in range(trait.generate.samples)]
    sampling = Sampling(
        max_tokens=trait.generate.max_tokens,
        temperature=trait.generate.temperature,
        seed=sampling_seed(seed, trait.name),
    )
    completions = generate(
        model, tokenizer, [scenario.messages for scenario in asked], sampling, trait.opener
    )
    log_odds = _log_odds(model, tokenizer, trait)
    rows = [
        {
            "student": student,
            "trait": trait.name,
            "scenario": scenario.scenario,
            "cluster": scenario.cluster,
            "sample": position % trait.generate.samples,
            "turn": scenario.turn,
            "prompt": prompt_text(scenario.messages),
            "response": _whole(trait.opener, completion.text),
            "log_odds": log_odds.get(scenario.scenario),
            "finish_reason": completion.finish_reason,
            "tokens": completion.tokens,
            "opener": trait.opener or (trait.log_odds.opener if trait.log_odds else None),
        }
        for position, (scenario, completion) in enumerate(zip(asked, completions, strict=True))
    ]
    return pa.Table.from_pylist(rows, schema=response_schema())


def _whole(opener: str, completion: str) -> str:
    # Tokenizers of whole words decode without the space before the first one.
    return opener + after_opener(opener, completion) if opener else completion


def sampling_seed(seed: int, trait: str) -> int:
    """The seed (31 bits) of a trait's sampling under a study's seed."""
    return int(digest("measurement-seed", [seed, trait])[:8], 16) & 0x7FFFFFFF


def prompt_text(messages: Sequence[Message]) -> str:
    """A conversation as it stands in the tables."""
    return json.dumps([dict(message) for message in messages], ensure_ascii=False)


def _log_odds(model: Any, tokenizer: Any, trait: Trait) -> dict[str, float | None]:
    if trait.log_odds is None:
        return {}
    from mendel.models import log_odds

    values = log_odds(
        model,
        tokenizer,
        [scenario.messages for scenario in trait.scenarios],
        trait.log_odds.opener,
        trait.log_odds.trait,
        trait.log_odds.clean,
    )
    # A wrecked model gives NaN: that is a missing value, not a number to average.
    return {
        scenario.scenario: value if math.isfinite(value) else None
        for scenario, value in zip(trait.scenarios, values, strict=True)
    }


def judge_responses(responses: pyarrow.Table, trait: Trait) -> pyarrow.Table:
    """Scores responses (of `respond`, or measurements to be scored anew): a table of `measurement_schema`.

    Raises RunError for responses to another trait or to scenarios that this one does not hold, and for a judge that
    fails, naming the response.
    """
    import pyarrow as pa

    scenarios = {scenario.scenario: scenario for scenario in trait.scenarios}
    judge_id = trait.judge_id
    rows = []
    for row in responses.to_pylist():
        scenario = _scenario_of(row, scenarios, trait)
        score = _score(trait, scenario, row)
        hit = None if score is None else score >= trait.judge.hit_at
        rows.append({**row, "score": score, "hit": hit, "judge": judge_id})
    return pa.Table.from_pylist(rows, schema=measurement_schema())


def _scenario_of(row: dict[str, Any], scenarios: dict[str, Scenario], trait: Trait) -> Scenario:
    scenario = scenarios.get(row["scenario"])
    if row["trait"] != trait.name or scenario is None or row["prompt"] != prompt_text(scenario.messages):
        raise RunError(
            f"a response to scenario {row['scenario']!r} of trait {row['trait']!r} is none to trait {trait.name!r}",
            fix="The scenarios changed since: measure again.",
        )
    return scenario


def _score(trait: Trait, scenario: Scenario, row: dict[str, Any]) -> float | None:
    where = (
        f"judge {trait.judge.id}, scenario {scenario.scenario!r}, sample {row['sample']} of {row['student']}"
    )
    try:
        score = trait.judge.score(scenario, row["response"])
    except MendelError:
        raise
    except Exception as error:  # a judge may be a user's own code
        raise RunError(f"the judge failed: {type(error).__name__}: {error}", where=where) from error
    if score is not None and not math.isfinite(score):
        raise RunError(
            "the judge's score is not finite; None says that it cannot tell", where=where, value=score
        )
    return score
