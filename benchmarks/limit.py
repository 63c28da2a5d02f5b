"""The machine's limit for a student of `peas`: what its tokens cost at the speed of the best matrix product, and what it takes.

Usage: python benchmarks/limit.py [--student [--together N]] [--run DIR] [--json FILE]

DIR is a finished run of `peas` (default runs/peas): its arm cube/OOO says which rows are trained on, and how many tokens such a
student generates. Counted are the products of the linear layers and of attention alone, for no token twice and for no padding: no
norms, no optimizer, no log-odds, no checks, no files. `--student` makes such students with one thread, which takes half a minute.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import reduce, wraps
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from mendel.data.prompts import Message
from mendel.engine.store import Store
from mendel.models import Checkpoint, Example, encode_example, encode_prompt, load_tokenizer
from mendel.results.tables import read_table
from mendel.study import load_study
from mendel.train import StudentSpec, TrainingRow
from mendel.workflow import jobs as _jobs
from mendel.workflow.inputs import Inputs, load_inputs
from mendel.workflow.jobs import Probes, StudentJob

ARM = "cube/OOO"
MARK = 0.4
"""Share of the measured seconds that the limit is to be, at least."""
MEASURED = 5
"""Students (or groups of them, with `--together`) that count; one more goes before them, which pays for imports and caches."""
FIRST_SEED = 5000
"""Seeds of these students: none that a study has."""
SQUARES = (512, 1024, 2048)
TOKENS = (768, 2048, 8192)
"""Rows of the model's own products: a batch of short texts, and what stands in memory when more is read at once."""
TIMED = 0.25
"""Seconds that a shape is tried."""
BURST = 0.004
"""Seconds of one timing: long against the clock, short against the time slices of a machine that does other things as well."""
STAGES = {
    "mendel.train:train_student": "around training",
    "mendel.train:train_students": "around training",
    "mendel.train.trainers.fleet.fleet:train_together": "train",
    "trl:SFTTrainer.train": "train",
    "mendel.train.observe:look": "check",
    "transformers:AutoModelForCausalLM.from_pretrained": "load and read back",
    "transformers:AutoTokenizer.from_pretrained": "read tokenizer",
    "mendel.engine.store:sync": "wait for the disk",
    "transformers:PreTrainedModel.save_pretrained": "save",
    "mendel.measure:respond_all": "answer",
    "mendel.measure:judge_responses": "judge",
}
"""The stage of each function (`module:name`) whose seconds are told apart; one that is not there counts to the stage around it."""


@dataclass(frozen=True)
class Products:
    """A model's matrix products, as multiplications with weights."""

    linear: int
    """Weights that every token passes."""
    output: int
    """Weights of the output layer."""
    attention: int
    """Layers x heads x their width: what a token multiplies with each token that it sees, twice."""
    shapes: tuple[tuple[int, int], ...]
    """Inputs and outputs of the linear layers, each kind once."""

    @classmethod
    def of(cls, base: Checkpoint) -> Products:
        config = AutoConfig.from_pretrained(base.path)
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config)
        layers = {n: m.weight for n, m in model.named_modules() if isinstance(m, torch.nn.Linear)}
        output = layers.pop("lm_head")
        width = config.num_attention_heads * config.head_dim
        return cls(
            sum(weight.numel() for weight in layers.values()),
            output.numel(),
            config.num_hidden_layers * width,
            tuple(sorted({(w.shape[1], w.shape[0]) for w in (*layers.values(), output)})),
        )

    def read(self, tokens: int, outputs: int, before: int = 0) -> int:
        """Operations (a multiplication and an addition are two) of `tokens` after `before` others, with so many outputs."""
        seen = tokens * before + tokens * (tokens + 1) // 2
        return 2 * (self.linear * tokens + self.output * outputs) + 4 * self.attention * seen


@dataclass(frozen=True)
class Work:
    """What a student is trained and measured on."""

    inputs: Inputs
    rows: tuple[TrainingRow, ...]
    answered: tuple[tuple[int, int], ...]
    """(tokens of its prompt, its own tokens) of each answer of the arm's students."""
    prompts: tuple[int, ...]
    """Tokens of each scenario's prompt."""
    students: int
    """How many those are: what one generates is their mean."""
    base_right: float

    @property
    def base(self) -> Checkpoint:
        return self.inputs.bases["original"]

    def examples(self) -> list[Example]:
        tokenizer, most = load_tokenizer(self.base), self.inputs.study.config.recipe.max_length
        return [encode_example(tokenizer, row.messages, row.completion, most) for row in self.rows]


def work_of(folder: Path) -> Work:
    """The work of the arm's students in a finished run of `peas`."""
    if not (folder / "measurements.parquet").exists():
        sys.exit(f"{folder} holds no finished run: mendel run --out {folder}")
    inputs = load_inputs(load_study(None))
    rollouts = {
        (row["prompt_id"], row["teacher"]): row for row in read_table(folder / "rollouts.parquet").to_pylist()
    }
    rows = []
    for assigned in read_table(folder / "assignments.parquet").to_pylist():
        if assigned["arm"] == ARM:
            row = rollouts[assigned["prompt_id"], assigned["teacher"]]
            messages = tuple(Message(role=m["role"], content=m["content"]) for m in row["messages"])
            rows.append(TrainingRow(row["prompt_id"], row["teacher"], messages, row["completion"]))
    students = read_table(folder / "students.parquet").to_pylist()
    mine = {row["student"] for row in students if row["arm"] == ARM}
    tokenizer = load_tokenizer(inputs.bases["original"])
    prompts = {
        (probe.name, scenario.scenario): len(encode_prompt(tokenizer, scenario.messages))
        for probe in (*inputs.probes, inputs.assistant)
        for scenario in probe.scenarios
    }
    answers = read_table(folder / "measurements.parquet").select(["student", "trait", "scenario", "tokens"])
    return Work(
        inputs,
        tuple(rows),
        tuple(
            (prompts[row["trait"], row["scenario"]], row["tokens"])
            for row in answers.to_pylist()
            if row["student"] in mine
        ),
        tuple(prompts.values()),
        len(mine),
        next(row["assistant_right"] for row in students if row["arm"] == "base/original"),
    )


def operations(work: Work, products: Products) -> dict[str, float]:
    """Floating-point operations of one student, by what they are for."""
    examples = work.examples()
    # The way back takes two products for each one of the way there.
    once = 3 * sum(products.read(len(e.input_ids), sum(e.loss_mask)) for e in examples)
    # The prompt gives an answer's first token, and nobody reads its last one.
    generated = sum(products.read(n - 1, n - 1, before) for before, n in work.answered)
    return {
        "train": once * work.inputs.study.config.recipe.epochs,
        "read prompts": sum(products.read(tokens, 1) for tokens in work.prompts),
        "generate": generated / work.students,
    }


def peak(products: Products, threads: int) -> dict[str, float]:
    """Operations a second of the fastest float32 products with so many threads, by shape."""
    torch.set_num_threads(threads)
    shapes = [(n, n, n) for n in SQUARES] + [(t, *shape) for t in TOKENS for shape in products.shapes]
    return {"x".join(map(str, shape)): speed(*shape) for shape in shapes}


def speed(rows: int, inner: int, columns: int) -> float:
    """Operations a second of one product, best of many bursts."""
    left, right, out = torch.rand(rows, inner), torch.rand(inner, columns), torch.empty(rows, columns)

    def burst(count: int) -> float:
        began = time.perf_counter()
        for _ in range(count):
            torch.mm(left, right, out=out)
        return (time.perf_counter() - began) / count

    count = max(1, round(BURST / min(burst(1) for _ in range(3))))
    ends = time.perf_counter() + TIMED
    best = burst(count)
    while time.perf_counter() < ends:
        best = min(best, burst(count))
    return 2 * rows * inner * columns / best


@dataclass
class Stopwatch:
    """Seconds by stage; a stage within another one counts for itself alone."""

    seconds: dict[str, float] = field(default_factory=dict)
    _open: list[str] = field(default_factory=lambda: ["the rest"])
    _since: float = 0.0

    def _lap(self) -> None:
        now = time.perf_counter()
        self.seconds[self._open[-1]] = self.seconds.get(self._open[-1], 0.0) + now - self._since
        self._since = now

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        self._lap()
        self._open.append(name)
        try:
            yield
        finally:
            self._lap()
            self._open.pop()

    def watch(self, place: str, stage: str) -> None:
        """From now on the function (`module:name`) is a stage, if it is there and its module is in use."""
        module, _, path = place.partition(":")
        *owners, name = path.split(".")
        owner = reduce(lambda at, part: getattr(at, part, None), owners, sys.modules.get(module))
        function: Callable[..., Any] | None = getattr(owner, name, None)
        if function is None:
            return

        @wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            with self.stage(stage):
                return function(*args, **kwargs)

        setattr(owner, name, timed)

    @contextmanager
    def whole(self) -> Iterator[None]:
        """One student: all that is measured before is forgotten."""
        self.seconds.clear()
        self._since = time.perf_counter()
        yield
        self._lap()


@dataclass(frozen=True)
class Made:
    """What one student took."""

    seconds: float
    cpu_seconds: float
    stages: dict[str, float]


def make(jobs: Sequence[StudentJob]) -> None:
    """Trains, checks, saves, reads back and measures students, as a worker of `mendel run` does."""
    for result in _jobs.make_students(jobs):
        if result.status != "ok" or not result.new:
            sys.exit(f"a student is {result.status}: {result.reason}")


def make_students(work: Work, together: int) -> list[Made]:
    """Students that differ in their seed, so many at once and those one after another, into an empty store."""
    config, watch, made = work.inputs.study.config, Stopwatch(), []
    probes = Probes(work.inputs.probes, work.inputs.assistant)
    with tempfile.TemporaryDirectory() as scratch:
        store = Store(Path(scratch)).prepare()
        for start in range(FIRST_SEED, FIRST_SEED + (1 + MEASURED) * together, together):
            specs = [
                StudentSpec(work.base, work.rows, config.recipe, start + place) for place in range(together)
            ]
            jobs = [StudentJob(spec, probes, work.base_right, store.root) for spec in specs]
            wall, cpu = time.perf_counter(), time.process_time()
            with watch.whole():
                make(jobs)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            stages = {name: seconds / together for name, seconds in watch.seconds.items()}
            made.append(Made(wall / together, cpu / together, stages))
            if start == FIRST_SEED:
                # Only now: to look for them earlier would import what a worker may never need.
                for place, stage in STAGES.items():
                    watch.watch(place, stage)
    return made[1:]


def in_one_thread(folder: Path, together: int) -> list[Made]:
    """`make_students` in a process that never had more than one thread: what is read at start cannot be changed later."""
    command = [sys.executable, __file__, "--run", str(folder), "--only-students", "--together", str(together)]
    one = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    said = subprocess.run(command, env={**os.environ, **one}, stdout=subprocess.PIPE, check=True, text=True)
    return [Made(**row) for row in json.loads(said.stdout.splitlines()[-1])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, default=Path("runs/peas"))
    parser.add_argument("--student", action="store_true", help="make students, too")
    parser.add_argument("--together", type=int, default=1, help="so many students at once")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only-students", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    work = work_of(arguments.run)
    if arguments.only_students:
        print(json.dumps([asdict(one) for one in make_students(work, arguments.together)]))
        return
    figures: dict[str, Any] = {"load_before": os.getloadavg()[0]}
    figures |= limit(work)
    if arguments.student:
        figures |= compared(in_one_thread(arguments.run, arguments.together), figures["limit_seconds"]["all"])
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")


def limit(work: Work) -> dict[str, Any]:
    """Peaks, operations, and the seconds that they take at the peak of one thread; printed as well."""
    products = Products.of(work.base)
    needed, cores = operations(work, products), len(os.sched_getaffinity(0))
    one, every = peak(products, 1), peak(products, cores)
    best, own = max(one.values()), products.shapes
    mine = max(of for shape, of in one.items() if shape.split("x")[1:] in [[str(a), str(b)] for a, b in own])
    seconds = {name: count / best for name, count in needed.items()}
    print(f"peak, one thread    {best / 1e9:8.1f} GFLOP/s ({max(one, key=lambda shape: one[shape])})")
    print(f"  in shapes of peas {mine / 1e9:8.1f} GFLOP/s")
    print(f"peak, {cores} threads     {max(every.values()) / 1e9:8.1f} GFLOP/s")
    for name, count in needed.items():
        print(f"{name:20}{count / 1e9:8.2f} GFLOP {seconds[name]:8.3f} s at the peak of one thread")
    seconds["all"] = sum(seconds.values())
    print(f"{'limit of a student':20}{sum(needed.values()) / 1e9:8.2f} GFLOP {seconds['all']:8.3f} s")
    return {
        "threads": cores,
        "peak_one_thread": best,
        "peak_all_threads": max(every.values()),
        "by_shape_one_thread": one,
        "by_shape_all_threads": every,
        "operations": needed,
        "limit_seconds": seconds,
    }


def compared(made: Sequence[Made], least: float) -> dict[str, Any]:
    """What students took, by stage, against the limit; printed as well."""
    seconds, cpu = (
        statistics.median(of) for of in zip(*((m.seconds, m.cpu_seconds) for m in made), strict=True)
    )
    stages = {
        name: statistics.median(m.stages.get(name, 0.0) for m in made)
        for name in dict.fromkeys(name for m in made for name in m.stages)
    }
    print(f"measured, one thread{seconds:8.2f} s ({cpu:.2f} s of CPU), median of {len(made)}")
    for name, of in sorted(stages.items(), key=lambda item: -item[1]):
        print(f"  {name:18}{of:8.3f} s {of / seconds:8.1%}")
    print(f"limit / measured    {least / seconds:8.1%} (of CPU seconds {least / cpu:.1%}; mark {MARK:.0%})")
    return {
        "student_seconds": [m.seconds for m in made],
        "student_cpu_seconds": [m.cpu_seconds for m in made],
        "stages": stages,
        "limit_share": least / seconds,
        "limit_share_cpu": least / cpu,
    }


if __name__ == "__main__":
    main()
