"""Try a trait on one model with a few scenarios."""

from __future__ import annotations

from pathlib import Path

from mendel.commands.audit import Audit, audit
from mendel.engine.executors import Executor
from mendel.engine.progress import Progress
from mendel.study.schema import BudgetConfig, EndpointConfig, JudgeModelConfig
from mendel.workflow.batches import Batch


def trait_check(
    trait: str,
    model: str,
    *,
    judge: JudgeModelConfig | str | None = None,
    samples: int = 3,
    endpoint: EndpointConfig | None = None,
    store: str | Path | None = None,
    executor: Executor | None = None,
    budget: BudgetConfig | None = None,
    batch: Batch | None = None,
    progress: Progress | None = None,
) -> Audit:
    """Ask a model a few scenarios of one trait, and judge its responses.

    Args:
        trait: A trait's file, the name of a built-in trait, or `inspect:TASK`.
        model: The model to ask, such as `hf:FOLDER` or `openai:URL#MODEL`.
        judge: The model that judges. None: the trait's own judge.
        samples: How many scenarios are asked.
        endpoint: How endpoints are asked. None: `EndpointConfig()`.
        store: The store's folder; None: the default one.
        executor: Where a checkpoint is measured; None: one worker.
        budget: Limits of dollars, tokens and requests; None: none.
        batch: Batch files for endpoints; None: requests are sent.
        progress: Receives progress events; None: progress is not shown.

    Returns:
        The audit of that model. Its `measurements` hold one row a response, with the judge's score and
        reason.

    Raises:
        InputError: The trait, the model or the judge cannot be read.
        BudgetSpent: The budget ended the check; its `result` is the Audit as far as it came.
        Waiting: Requests to endpoints are in the batch file; `result` as above.
    """
    return audit(
        teacher=model,
        traits=(trait,),
        judge=judge,
        endpoint=endpoint,
        scenarios=samples,
        store=store,
        executor=executor,
        budget=budget,
        batch=batch,
        progress=progress,
    )
