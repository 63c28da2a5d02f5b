"""Try a trait on one model with a few scenarios."""

from __future__ import annotations

from pathlib import Path

from mendel.commands.audit import Audit, audit
from mendel.engine.progress import Progress
from mendel.study.schema import BudgetConfig, EndpointConfig, JudgeModelConfig


def trait_check(
    trait: str,
    model: str,
    *,
    judge: JudgeModelConfig | str | None = None,
    samples: int = 3,
    endpoint: EndpointConfig | None = None,
    budget: BudgetConfig | None = None,
    store: str | Path | None = None,
    progress: Progress | None = None,
    batch_in: str | Path | None = None,
    batch_out: str | Path | None = None,
) -> Audit:
    """Ask a model a few scenarios of one trait, and judge its responses.

    Args:
        trait: A trait's file, the name of a built-in trait, or `inspect:TASK`.
        model: The model to ask, such as `hf:FOLDER` or `openai:URL#MODEL`.
        judge: The model that judges. None: the trait's own judge.
        samples: How many scenarios are asked.
        endpoint: How endpoints are asked. None: `EndpointConfig()`.
        budget: What endpoints may cost. None: no limit.
        store: The folder of finished work. None: `MENDEL_STORE`, or `~/.cache/mendel`.
        progress: Where progress is shown. None: nowhere.
        batch_in: A file with a provider's answers to an earlier batch.
        batch_out: A file for the requests to endpoints, which are then not sent.

    Returns:
        The audit of that model. Its `measurements` hold one row a response, with the judge's score and
        reason.

    Raises:
        InputError: The trait, the model or the judge cannot be read.
        Waiting: The requests are written to `batch_out`, and their answers are awaited.
    """
    return audit(
        teacher=model,
        traits=(trait,),
        judge=judge,
        endpoint=endpoint,
        scenarios=samples,
        budget=budget,
        store=store,
        progress=progress,
        batch_in=batch_in,
        batch_out=batch_out,
    )
