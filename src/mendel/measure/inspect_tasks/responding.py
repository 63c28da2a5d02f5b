"""A model's responses to an Inspect task: Inspect runs the samples, mendel's chat model answers them, here in this thread."""

from __future__ import annotations

import json
import logging
import math
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mendel.engine.digest import digest
from mendel.engine.errors import InputError, RunError
from mendel.measure.inspect_tasks.adapter import Part, Said, TaskRun, model_of
from mendel.measure.inspect_tasks.source import require_inspect
from mendel.measure.inspect_tasks.task import InspectTask
from mendel.measure.inspect_tasks.together import Together, WaitingConversation, as_run_error
from mendel.measure.loops import looping
from mendel.models.chat import ChatModel, Sampling

if TYPE_CHECKING:
    import pyarrow

BATCH_CHARACTERS = 80_000
"""Prompt and answer together of the rows that are generated at once, 20,000 tokens or so: with SmolLM2, 0.4 GB a row of 3,000."""
MAX_ROWS = 64
"""Rows of a batch at most."""
GRADER_ARGUMENTS = ("grader_model", "judge_model", "grader", "judge")
"""What tasks call the argument that names their scorer's model."""
_ONE_RUN = threading.Lock()


@dataclass(frozen=True)
class _Sample:
    """One sample of one variant in one epoch."""

    variant: int
    sample_id: str
    epoch: int
    """From 1, as Inspect counts."""
    scenario: str


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
    """Every sample of every variant answered `samples` times: a row each, by scenario, then by sample.

    Columns are those of `mendel.measure.response_schema`; `task_score` is what the task's own scorer gave, null unless
    `score`, and where it did not tell. A scenario is the variant's label, with the sample's id where the
    task has several; `prompt` is what the model saw before it first spoke, `response` all that it said, tool calls
    written out. Inspect's logs (one a variant) are written to `log_dir`. `task_grader` answers for the scorer.

    Answers of a local model depend on the seed, the trait's name and the task alone, not on who asks first, for tasks
    that ask one thing after another. Raises InputError for a task that cannot be done so, the MendelError of a chat
    model as it is, and RunError, naming the sample, for a sample that failed.
    """
    require_inspect()
    argument = _grader_argument(task, score, task_grader)
    chats: dict[str, ChatModel] = {"student": chat}
    if score and task_grader is not None:
        chats["grader"] = task_grader
    with _ONE_RUN, _undisturbed():
        made = [task.create(variant) for variant in range(len(task.variants))]
        asked = _samples(task, made, samples)
        places = {(s.variant, s.sample_id, s.epoch): place for place, s in enumerate(asked)}
        run = TaskRun(Together(len(asked)), places)
        for variant in range(len(made)):
            cast = {
                role: model_of(
                    _part(run, chats[role], role, variant, max_tokens, temperature, task.system), student
                )
                for role in chats
            }
            if "grader" in cast and argument:
                made[variant] = task.create(variant, {argument: cast["grader"]})
            made[variant] = _adapted(made[variant], run, variant, cast)
        options = {
            "limit": task.limit,
            "epochs": samples,
            "score": score,
            "log_dir": str(log_dir),
            "max_samples": len(asked),
            "max_tasks": len(made),
            "metadata": {"student": student, "trait": trait, "seed": seed},
        }
        logs = _evaluated(made, options, run.together, chats, [seed, trait])
    scores = _outcomes(task, logs, asked, score)
    return _table(asked, run.said, scores, student, trait)


def _part(
    run: TaskRun,
    chat: ChatModel,
    role: str,
    variant: int,
    max_tokens: int,
    temperature: float,
    system: str | None,
) -> Part:
    if role == "student":
        return Part(run, chat, "student", variant, max_tokens, temperature, system)
    # A verdict is not drawn: greedy, and as long as the task wants it.
    return Part(run, chat, "grader", variant, None, 0.0)


def _grader_argument(task: InspectTask, score: bool, grader: ChatModel | None) -> str | None:
    """The argument through which the task's scorer is given its model; raises InputError where it needs one and has none."""
    name = next((name for name in GRADER_ARGUMENTS if task.has_argument(name)), None)
    given = name is not None and all(name in task.arguments(v) for v in range(len(task.variants)))
    if score and name and grader is None and not given:
        raise InputError(
            f"the scorer of {task.title!r} asks a model, and none is named",
            fix=f"Give it a grader, or write the task's argument {name!r}.",
        )
    return None if given else name


def _samples(task: InspectTask, made: list[Any], epochs: int) -> list[_Sample]:
    """All samples, by variant, in the data set's order, by epoch."""
    several_variants = len(task.variants) > 1 or task.variants[0] != "{}"
    found = []
    for variant, inspect_task in enumerate(made):
        label = task.labels[variant]
        dataset = list(inspect_task.dataset)[: task.limit]
        for number, sample in enumerate(dataset, start=1):
            # Inspect numbers samples without ids from 1.
            name = str(number if sample.id is None else sample.id)
            parts = [
                *([label] if several_variants or len(dataset) == 1 else []),
                *([name] if len(dataset) > 1 else []),
            ]
            found += [_Sample(variant, name, epoch, "/".join(parts)) for epoch in range(1, epochs + 1)]
    return found


def _adapted(inspect_task: Any, run: TaskRun, variant: int, cast: dict[str, Any]) -> Any:
    """The task with the student as its model, and word to the others when a sample is over."""
    from inspect_ai import task_with

    own_cleanup = inspect_task.cleanup

    async def leave(state: Any) -> None:
        try:
            if own_cleanup is not None:
                await own_cleanup(state)
        finally:
            run.together.leave(run.places[variant, str(state.sample_id), state.epoch])

    graders = {role: model for role, model in cast.items() if role != "student"}
    roles = {**(inspect_task.model_roles or {}), **graders}
    # Samples wait for each other, so a limit in seconds would say how fast the machine is.
    return task_with(
        inspect_task,
        model=cast["student"],
        model_roles=roles or None,
        cleanup=leave,
        time_limit=None,
        working_limit=None,
    )


def _evaluated(
    made: list[Any],
    options: dict[str, Any],
    together: Together,
    chats: dict[str, ChatModel],
    seeds: list[object],
) -> list[Any]:
    """Inspect's logs, a task each. Inspect has a thread, and this one answers: models stay where they were loaded."""
    from inspect_ai import eval as evaluate

    outcome: dict[str, Any] = {}

    def inspect() -> None:
        try:
            outcome["logs"] = evaluate(
                made,
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
        except BaseException as error:
            outcome["error"] = error
        finally:
            together.finish()

    thread = threading.Thread(target=inspect, name="mendel-inspect", daemon=True)
    thread.start()
    try:
        _answer(together, chats, seeds)
    except BaseException:
        together.give_up(RunError("interrupted"))
        thread.join(timeout=10)
        raise
    thread.join()
    if together.error is not None:
        raise together.error
    if "error" in outcome:
        raise as_run_error(outcome["error"], "Inspect could not run the task") from outcome["error"]
    logs: list[Any] = outcome["logs"]
    return logs


def _answer(together: Together, chats: dict[str, ChatModel], seeds: list[object]) -> None:
    """Answers batch after batch until Inspect is done. An error of a chat model goes to those who asked."""
    rounds = {"student": 0, "grader": 0}
    while batch := together.next_batch():
        model = batch[0].model
        sampling = Sampling(
            max_tokens=batch[0].max_tokens,
            temperature=batch[0].temperature,
            seed=int(digest("inspect-sampling", [*seeds, model, rounds[model]])[:8], 16) & 0x7FFFFFFF,
            batch_size=_batch_size(batch),
        )
        rounds[model] += 1
        try:
            answers = chats[model].chat([request.conversation for request in batch], sampling)
        except BaseException as error:
            own = error if isinstance(error, Exception) else RunError("interrupted")
            failed = together.give_up(as_run_error(own, f"the {model} failed"))
            for request in batch:
                request.answer.set_exception(failed)
            if own is not error:
                raise
            continue
        for request, answer in zip(batch, answers, strict=True):
            request.answer.set_result(answer)


def _batch_size(batch: list[WaitingConversation]) -> int:
    longest = max(sum(len(str(m["content"])) for m in request.conversation) for request in batch)
    # A token is about four characters.
    return max(1, min(MAX_ROWS, BATCH_CHARACTERS // (longest + 4 * batch[0].max_tokens)))


def _outcomes(task: InspectTask, logs: list[Any], asked: list[_Sample], score: bool) -> list[float | None]:
    """The task's scores of all samples; raises RunError, naming the sample, for one that failed."""
    scores: dict[tuple[int, str, int], float | None] = {}
    for variant, log in enumerate(logs):
        if log.error is not None:
            raise RunError(f"Inspect could not run the task: {log.error.message}", where=task.labels[variant])
        for sample in log.samples or []:
            where = f"{task.labels[variant]}, sample {sample.id!r}, epoch {sample.epoch}"
            if sample.error is not None:
                raise RunError(f"a sample of the task failed: {sample.error.message}", where=where)
            value = _score(sample.scores or {}, task.metric, where) if score else None
            scores[variant, str(sample.id), sample.epoch] = value
    missing = next((s for s in asked if (s.variant, s.sample_id, s.epoch) not in scores), None)
    if missing is not None:
        raise RunError("Inspect did not run a sample", where=f"{missing.scenario}, epoch {missing.epoch}")
    return [scores[s.variant, s.sample_id, s.epoch] for s in asked]


def _score(scores: dict[str, Any], metric: str | None, where: str) -> float | None:
    """The value that counts, as a number; None where the scorer left it open."""
    from inspect_ai.scorer import value_to_float

    values: dict[str, Any] = {}
    for name, given in scores.items():
        if isinstance(given.value, dict):
            values |= given.value
            values |= {f"{name}/{key}": value for key, value in given.value.items()}
        else:
            values[name] = given.value
    if metric is None and len(scores) == 1 and len(values) == 1:
        metric = next(iter(values))
    if metric not in values:
        raise InputError(
            "the task's scorer gives several values"
            if metric is None
            else f"the task's scorer gives no {metric!r}",
            where=where,
            allowed=", ".join(sorted(values)) or "none",
            fix="Say which one counts: inspect: {metric: …}.",
        )
    value = value_to_float()(values[metric]) if values[metric] is not None else math.nan
    return float(value) if math.isfinite(value) else None


def _table(
    asked: list[_Sample], said: dict[int, list[Said]], scores: list[float | None], student: str, trait: str
) -> pyarrow.Table:
    import pyarrow as pa

    from mendel.measure.schema import response_schema

    alone = len({sample.scenario for sample in asked}) == 1
    rows = []
    for place, sample in enumerate(asked):
        answers = said.get(place, [])
        if not answers:
            raise RunError("the task never asked the model", where=f"{sample.scenario}, epoch {sample.epoch}")
        # An interval needs more than one cluster: of a single scenario, every epoch stands for itself.
        scenario = f"{sample.scenario}#{sample.epoch - 1}" if alone else sample.scenario
        response = "\n\n".join(answer.text for answer in answers)
        rows.append(
            {
                "student": student,
                "trait": trait,
                "scenario": scenario,
                "cluster": scenario,
                "sample": sample.epoch - 1,
                "turn": 1,
                "prompt": json.dumps([*answers[0].conversation], ensure_ascii=False),
                "response": response,
                "looping": looping(response),
                "prompt_tokens": _total([answer.prompt_tokens for answer in answers]),
                "dollars": _total([answer.dollars for answer in answers]),
                "finish_reason": answers[-1].finish_reason,
                "tokens": sum(answer.tokens for answer in answers),
                "task_score": scores[place],
            }
        )
    return pa.Table.from_pylist(rows, schema=response_schema())


def _total(values: Sequence[float | None]) -> float | None:
    """The sum, or None where any of them is not known."""
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Puts back what Inspect changes of the process: environment (a .env file), log handlers, exception hook."""
    root = logging.getLogger()
    environment, hook = dict(os.environ), sys.excepthook
    handlers, level = list(root.handlers), root.level
    os.environ["INSPECT_ASYNC_BACKEND"] = "asyncio"  # futures of this thread are awaited there
    try:
        yield
    finally:
        for name in set(os.environ) - set(environment):
            del os.environ[name]
        os.environ.update(environment)
        sys.excepthook = hook
        root.handlers[:], root.level = handlers, level
