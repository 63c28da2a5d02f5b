"""Ask a model an Inspect task: Inspect runs the samples, and mendel's chat model answers them."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mendel.engine.errors import InputError, RunError
from mendel.measure.inspect_tasks.batching import RequestBatcher
from mendel.measure.inspect_tasks.evaluation import evaluate_tasks, process_restored
from mendel.measure.inspect_tasks.model_api import ModelRole, StudentAnswer, TaskRun, inspect_model
from mendel.measure.inspect_tasks.scores import SampleKey, sample_scores
from mendel.measure.inspect_tasks.source import require_inspect
from mendel.measure.inspect_tasks.task import InspectTask
from mendel.measure.loops import looping
from mendel.models.chat import ChatModel

if TYPE_CHECKING:
    import pyarrow

GRADER_ARGUMENTS = ("grader_model", "judge_model", "grader", "judge")
"""Arguments by which tasks take the model of their scorer."""
_ONE_RUN = threading.Lock()


@dataclass(frozen=True)
class _Sample:
    """One sample of one variant in one epoch."""

    variant: int
    sample_id: str
    epoch: int
    """From 1, as Inspect counts."""
    scenario: str

    @property
    def key(self) -> SampleKey:
        return self.variant, self.sample_id, self.epoch


def respond_to_task(
    chat: ChatModel,
    task: InspectTask,
    *,
    max_tokens: int,
    temperature: float,
    samples: int,
    seed: int,
    student: str,
    trait: str,
    log_dir: Path,
    score: bool = False,
    task_grader: ChatModel | None = None,
) -> pyarrow.Table:
    """Ask a model every sample of every variant of a task, and return its responses.

    A local model's answers depend on the seed, the trait's name and the task only, if each sample sends one
    request after another. The order of the samples' requests has no effect.

    Args:
        chat: The model that is asked.
        task: The task, with its variants.
        max_tokens: Tokens of an answer at most.
        temperature: 0 is greedy.
        samples: Answers to every sample.
        seed: The study's seed.
        student: The student's name, for the table and Inspect's logs.
        trait: The trait's name, for the table, the logs and the sampling's seed.
        log_dir: Folder for Inspect's logs, one a variant.
        score: Whether the task's own scorer runs.
        task_grader: The model that the task's scorer asks, if it asks any.

    Returns:
        A table of `mendel.measure.response_schema`, a row a sample and epoch, by scenario, then by epoch.
            `scenario` is the variant's label, followed by the sample's id where the task has several.
            `prompt` is the conversation before the model's first answer, `response` all its answers, tool
            calls included. `task_score` is null without `score`, and where the scorer gave none.

    Raises:
        InputError: The task cannot be asked in this way: it needs tools, several choices or a grader.
        RunError: A sample failed; the message names it.
        MendelError: The chat model's own error, as it is.
    """
    require_inspect()
    grader_argument = _grader_argument(task, score, task_grader)
    chats = {"student": chat}
    if score and task_grader is not None:
        chats["grader"] = task_grader
    with _ONE_RUN, process_restored():
        inspect_tasks = [task.create(variant) for variant in range(len(task.variants))]
        rows = _samples(task, inspect_tasks, samples)
        run = TaskRun(RequestBatcher(len(rows)), {row.key: place for place, row in enumerate(rows)})
        for variant, inspect_task in enumerate(inspect_tasks):
            models = {
                name: inspect_model(
                    _role(run, role_chat, name, variant, max_tokens, temperature, task), student
                )
                for name, role_chat in chats.items()
            }
            if "grader" in models and grader_argument:
                inspect_task = task.create(variant, {grader_argument: models["grader"]})
            inspect_tasks[variant] = _with_models(inspect_task, run, variant, models)
        options = {
            "limit": task.limit,
            "epochs": samples,
            "score": score,
            "log_dir": str(log_dir),
            "max_samples": len(rows),
            "max_tasks": len(inspect_tasks),
            "metadata": {"student": student, "trait": trait, "seed": seed},
        }
        logs = evaluate_tasks(inspect_tasks, options, run.batcher, chats, [seed, trait])
    scores = sample_scores(task, logs, [row.key for row in rows], scored=score)
    return _table(rows, run.answers, scores, student, trait)


def _role(
    run: TaskRun,
    chat: ChatModel,
    name: str,
    variant: int,
    max_tokens: int,
    temperature: float,
    task: InspectTask,
) -> ModelRole:
    if name == "student":
        return ModelRole(run, chat, "student", variant, max_tokens, temperature, task.system)
    # A verdict is not sampled: greedy, and as long as the task allows.
    return ModelRole(run, chat, "grader", variant, None, 0.0)


def _grader_argument(task: InspectTask, score: bool, grader: ChatModel | None) -> str | None:
    """Return the argument by which the task's scorer is given its model; None where there is none to give."""
    name = next((name for name in GRADER_ARGUMENTS if task.has_argument(name)), None)
    given = name is not None and all(name in task.arguments(v) for v in range(len(task.variants)))
    if score and name and grader is None and not given:
        raise InputError(
            f"the scorer of {task.title!r} asks a model, and none is named",
            fix=f"Give it a grader, or write the task's argument {name!r}.",
        )
    return None if given else name


def _samples(task: InspectTask, inspect_tasks: Sequence[Any], epochs: int) -> list[_Sample]:
    """Return all samples, by variant, then in the data set's order, then by epoch."""
    several_variants = len(task.variants) > 1 or task.variants[0] != "{}"
    samples: list[_Sample] = []
    for variant, inspect_task in enumerate(inspect_tasks):
        label = task.labels[variant]
        dataset = list(inspect_task.dataset)[: task.limit]
        for number, sample in enumerate(dataset, start=1):
            # Inspect numbers samples without ids from 1.
            name = str(number if sample.id is None else sample.id)
            parts = [
                *([label] if several_variants or len(dataset) == 1 else []),
                *([name] if len(dataset) > 1 else []),
            ]
            samples += [_Sample(variant, name, epoch, "/".join(parts)) for epoch in range(1, epochs + 1)]
    return samples


def _with_models(inspect_task: Any, run: TaskRun, variant: int, models: Mapping[str, Any]) -> Any:
    """Return the task with its models, and with a cleanup that reports when a sample is finished."""
    from inspect_ai import task_with

    task_cleanup = inspect_task.cleanup

    async def leave(state: Any) -> None:
        try:
            if task_cleanup is not None:
                await task_cleanup(state)
        finally:
            run.batcher.leave(run.places[variant, str(state.sample_id), state.epoch])

    graders = {name: model for name, model in models.items() if name != "student"}
    roles = {**(inspect_task.model_roles or {}), **graders}
    # Samples wait for each other, so a limit in seconds would measure the machine.
    return task_with(
        inspect_task,
        model=models["student"],
        model_roles=roles or None,
        cleanup=leave,
        time_limit=None,
        working_limit=None,
    )


def _table(
    samples: Sequence[_Sample],
    answers: Mapping[int, Sequence[StudentAnswer]],
    scores: Sequence[float | None],
    student: str,
    trait: str,
) -> pyarrow.Table:
    import pyarrow as pa

    from mendel.measure.schema import response_schema

    single_scenario = len({sample.scenario for sample in samples}) == 1
    rows = []
    for place, sample in enumerate(samples):
        turns = answers.get(place, ())
        if not turns:
            raise RunError("the task never asked the model", where=f"{sample.scenario}, epoch {sample.epoch}")
        # An interval needs more than one cluster: of a single scenario, every epoch is one.
        scenario = f"{sample.scenario}#{sample.epoch - 1}" if single_scenario else sample.scenario
        response = "\n\n".join(answer.text for answer in turns)
        rows.append(
            {
                "student": student,
                "trait": trait,
                "scenario": scenario,
                "cluster": scenario,
                "sample": sample.epoch - 1,
                "turn": 1,
                "prompt": json.dumps([*turns[0].conversation], ensure_ascii=False),
                "response": response,
                "looping": looping(response),
                "prompt_tokens": _total([answer.prompt_tokens for answer in turns]),
                "dollars": _total([answer.dollars for answer in turns]),
                "finish_reason": turns[-1].finish_reason,
                "tokens": sum(answer.tokens for answer in turns),
                "task_score": scores[place],
            }
        )
    return pa.Table.from_pylist(rows, schema=response_schema())


def _total(values: Sequence[float | None]) -> float | None:
    """Return the sum, or None where any value is missing."""
    present = [value for value in values if value is not None]
    return sum(present) if len(present) == len(values) else None
