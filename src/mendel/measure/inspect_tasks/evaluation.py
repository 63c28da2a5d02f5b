"""Inspect's run of tasks: Inspect has a thread of its own, and this thread answers its samples' requests."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from mendel.engine.digest import digest
from mendel.engine.errors import RunError
from mendel.measure.inspect_tasks.batching import RequestBatcher, WaitingConversation, as_run_error
from mendel.models.chat import ChatModel, Sampling

BATCH_CHARACTERS = 80_000
"""Characters of prompts and answers in one batch of generation, about 20,000 tokens.

With SmolLM2, a row of 3,000 tokens takes 0.4 GB.
"""
MAX_ROWS = 64
"""Rows of a batch at most."""


def evaluate_tasks(
    tasks: Sequence[Any],
    options: Mapping[str, Any],
    batcher: RequestBatcher,
    chats: Mapping[str, ChatModel],
    seeds: Sequence[object],
) -> list[Any]:
    """Run Inspect's tasks and return its logs, one a task.

    Args:
        tasks: Inspect's tasks, with their models.
        options: Further arguments of Inspect's `eval`.
        batcher: Collects the samples' requests.
        chats: The chat models by role. They answer in this thread, where they were loaded.
        seeds: Parts of the sampling's seed.

    Raises:
        MendelError: A chat model's own error, as it is.
        RunError: Inspect could not run the tasks.
    """
    from inspect_ai import eval as inspect_eval

    logs: list[Any] = []
    errors: list[BaseException] = []

    def run_inspect() -> None:
        try:
            logs.extend(
                inspect_eval(
                    list(tasks),
                    display="none",
                    log_level="error",
                    log_format="eval",
                    log_realtime=False,
                    ctl_server=False,
                    # Each sample runs to its end: one that Inspect cancels would be waited for.
                    fail_on_error=False,
                    score_display=False,
                    **options,
                )
            )
        except BaseException as error:
            errors.append(error)
        finally:
            batcher.finish()

    thread = threading.Thread(target=run_inspect, name="mendel-inspect", daemon=True)
    thread.start()
    try:
        _answer_batches(batcher, chats, seeds)
    except BaseException:
        batcher.give_up(RunError("interrupted"))
        thread.join(timeout=10)
        raise
    thread.join()
    if batcher.error is not None:
        raise batcher.error
    if errors:
        raise as_run_error(errors[0], "Inspect could not run the task") from errors[0]
    return logs


def _answer_batches(batcher: RequestBatcher, chats: Mapping[str, ChatModel], seeds: Sequence[object]) -> None:
    """Answer batch after batch until Inspect is finished.

    An error of a chat model goes to the requests of its batch.
    """
    rounds = dict.fromkeys(("student", "grader"), 0)
    while batch := batcher.next_batch():
        role = batch[0].model
        sampling = Sampling(
            max_tokens=batch[0].max_tokens,
            temperature=batch[0].temperature,
            seed=int(digest("inspect-sampling", [*seeds, role, rounds[role]])[:8], 16) & 0x7FFFFFFF,
            batch_size=_batch_size(batch),
        )
        rounds[role] += 1
        try:
            answers = chats[role].chat([request.conversation for request in batch], sampling)
        except BaseException as error:
            interrupted = not isinstance(error, Exception)
            cause = RunError("interrupted") if interrupted else error
            failure = batcher.give_up(as_run_error(cause, f"the {role} failed"))
            for request in batch:
                request.answer.set_exception(failure)
            if interrupted:
                raise
            continue
        for request, answer in zip(batch, answers, strict=True):
            request.answer.set_result(answer)


def _batch_size(batch: Sequence[WaitingConversation]) -> int:
    longest = max(sum(len(str(m["content"])) for m in request.conversation) for request in batch)
    # A token is about four characters.
    return max(1, min(MAX_ROWS, BATCH_CHARACTERS // (longest + 4 * batch[0].max_tokens)))


@contextmanager
def process_restored() -> Iterator[None]:
    """Context manager: undo Inspect's changes of the process (environment, log handlers, exception hook)."""
    root = logging.getLogger()
    environment, hook = dict(os.environ), sys.excepthook
    handlers, level = list(root.handlers), root.level
    # Requests await futures of this thread, which only asyncio can do.
    os.environ["INSPECT_ASYNC_BACKEND"] = "asyncio"
    try:
        yield
    finally:
        for name in set(os.environ) - set(environment):
            del os.environ[name]
        os.environ.update(environment)
        sys.excepthook = hook
        root.handlers[:], root.level = handlers, level
