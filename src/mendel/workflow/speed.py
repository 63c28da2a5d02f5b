"""Measure how fast students train and generate on this machine; the result is kept in the store."""

from __future__ import annotations

import importlib
import platform
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mendel.data.prompts import Prompt
from mendel.engine.digest import digest
from mendel.engine.errors import RunError
from mendel.engine.executors import cores
from mendel.study import RecipeConfig
from mendel.workflow.session import Session

if TYPE_CHECKING:
    from mendel.models import Checkpoint

SAMPLE = 16
"""Number of prompts that the small student is trained on, and answers."""
ANSWER_TOKENS = 16
"""Length of the answers that the small student is trained on, and generates, in tokens."""


@dataclass(frozen=True)
class Speed:
    """The speed of one worker on this machine."""

    device: str
    train_tokens_per_second: float
    generate_tokens_per_second: float
    student_overhead_seconds: float
    """Wall time of a student without its training steps: loading, set-up, checks, saving."""
    startup_seconds: float
    """Time of a worker's imports, which happen once."""
    student_bytes: int
    """Size of a student on the disk."""
    prompt_tokens: float
    """Mean tokens of a prompt under the chat template."""


@dataclass(frozen=True)
class SpeedJob:
    """A small student to time."""

    checkpoint: Checkpoint
    recipe: RecipeConfig
    prompts: tuple[Prompt, ...]


def speed_of(
    session: Session, checkpoint: Checkpoint, recipe: RecipeConfig, prompts: Sequence[Prompt]
) -> Speed:
    """Return the speed of a base and a recipe; measure it if it is not in the store for this machine."""
    store, executor = session.store, session.executor
    job = SpeedJob(checkpoint, recipe, tuple(prompts[:: max(1, len(prompts) // SAMPLE)][:SAMPLE]))
    machine = {"host": platform.node(), "cores": cores(), "threads": executor.threads}
    content = [[p.prompt_id, p.length] for p in job.prompts]
    key = digest(
        "speed",
        {"base": checkpoint.digest, "recipe": recipe.model_dump(mode="json"), "on": machine, "with": content},
    )
    speed = store.read_json("speeds", key)
    if speed is None:
        (_, measured), *_ = executor.map(time_student, [job])
        speed = asdict(measured)
        store.write_json("speeds", key, speed)
    return Speed(**speed)


def time_student(job: SpeedJob) -> Speed:
    """Train a small student and generate with it; raise RunError if it does not train."""
    began = time.perf_counter()
    from mendel.models import Sampling, device, encode_prompt, generate, load_tokenizer
    from mendel.train import StudentSpec, TrainingRow, load_student, train_student

    # Import now what is otherwise imported at first use: it takes longer than a small student.
    for module in ("torch", "transformers.models.auto.modeling_auto"):
        importlib.import_module(module)
    if job.recipe.trainer == "trl":
        importlib.import_module("trl.trainer.sft_trainer")
    imported = time.perf_counter()
    answer = "one two three four " * (ANSWER_TOKENS // 4)
    rows = tuple(TrainingRow(p.prompt_id, "speed", p.messages, answer.strip()) for p in job.prompts)
    spec = StudentSpec(job.checkpoint, rows, job.recipe, seed=0)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        trained = train_student(spec, folder)
        if trained.status == "failed":
            raise RunError(f"a small student does not train here: {trained.reason}")
        ended = time.perf_counter()
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        model = load_student(spec, folder)
    tokenizer = load_tokenizer(job.checkpoint)
    started = time.perf_counter()
    sampling = Sampling(max_tokens=ANSWER_TOKENS, temperature=1.0, seed=0)
    answers = generate(model, tokenizer, [list(p.messages) for p in job.prompts], sampling)
    generated = sum(max(1, completion.tokens) for completion in answers)
    seconds = max(time.perf_counter() - started, 1e-6)
    lengths = [len(encode_prompt(tokenizer, p.messages)) for p in job.prompts]
    return Speed(
        device=device(),
        train_tokens_per_second=trained.tokens * job.recipe.epochs / max(trained.train_seconds, 1e-6),
        generate_tokens_per_second=generated / seconds,
        student_overhead_seconds=max(0.0, ended - imported - trained.train_seconds),
        startup_seconds=imported - began,
        student_bytes=size,
        prompt_tokens=sum(lengths) / len(lengths),
    )
