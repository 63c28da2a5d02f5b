"""From the options of a command to how endpoints are asked and what they may cost."""

from __future__ import annotations

from pydantic import ValidationError

from mendel.engine.errors import InputError
from mendel.study.schema import BudgetConfig, EndpointConfig, JudgeModelConfig


def endpoint_of(key: str, concurrency: int) -> EndpointConfig:
    """How endpoints are asked; raises InputError, without echoing it, for a key in place of a variable's name."""
    try:
        return EndpointConfig(key=key, concurrency=concurrency)
    except ValidationError:
        raise InputError(
            "not the name of an environment variable",
            where="--key",
            allowed="capital letters, digits and underscores",
            fix="Write the NAME of the variable that holds the key, not the key itself: --key OPENAI_API_KEY.",
        ) from None


def judge_of(judge: str | None, endpoint: EndpointConfig) -> JudgeModelConfig | None:
    """The model that judges, if one is named."""
    return JudgeModelConfig(model=judge, endpoint=endpoint) if judge else None


def budget_of(dollars: float | None, requests: int | None, tokens: int | None) -> BudgetConfig | None:
    """What endpoints may cost; None (the study's own budget) where no limit is named."""
    if dollars is None and requests is None and tokens is None:
        return None
    return BudgetConfig(dollars=dollars, requests=requests, tokens=tokens)
