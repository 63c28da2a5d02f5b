"""How fast selectors score rollouts, and how much memory a stream of a million prompts takes.

Usage: python benchmarks/selecting.py [--json FILE] [--rollouts N] [--prompts N] [--only speed|memory] [--by NAME …]. Marks on 2 cores: 10,000
rollouts of 200 tokens by `probe`, `projection` or `embedding` at most 60 s (a Llama of 0.3 million parameters: a base of `peas`
with a longer context); 1,000,000 prompts at most 1.5 GB, and no more than a tenth as many take but for the scores
themselves. Rows come from a JSONL file through the package's reader, scores go to a store; each case is a process of its own.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from mendel.data.prompts import Message
from mendel.data.records import read_records
from mendel.data.selectors import Answer, Candidate, Context, ContrastSet, select
from mendel.engine.store import Store
from mendel.models import load_tokenizer, resolve_checkpoint
from mendel.study.schema import SelectConfig

PEAS = Path(__file__).parents[1] / "src" / "mendel" / "organisms" / "peas"
POSITIONS = 512
PROMPT_TOKENS, ANSWER_TOKENS = 20, 200
POOL = 1000
"""Different texts in the file of many prompts, which repeats them under ids of their own."""
CONTRASTS, SCENARIOS = 200, 36
"""What a study has at most, and what one of `peas` has."""
LOOKING = ("probe", "projection", "embedding")
SECONDS, GIGABYTES = 60.0, 1.5


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rollouts", type=int, default=10_000)
    parser.add_argument("--prompts", type=int, default=1_000_000)
    parser.add_argument("--only", choices=("speed", "memory"))
    parser.add_argument("--by", nargs="+", choices=LOOKING, default=LOOKING, help="whose speed is measured")
    arguments = parser.parse_args()
    figures: dict[str, object] = {"cores": len(os.sched_getaffinity(0)), "load_before": os.getloadavg()[0]}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        base = long_base(folder / "base")
        if arguments.only != "memory":
            figures["speed"] = speed(folder, base, arguments.rollouts, arguments.by)
        if arguments.only != "speed":
            figures["memory"] = memory(folder, base, arguments.rollouts, arguments.prompts)
    figures["load_after"] = os.getloadavg()[0]
    print(json.dumps(figures, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")


def speed(folder: Path, base: Path, rollouts: int, selectors: Sequence[str]) -> dict[str, object]:
    """Seconds by selector."""
    file = write_rows(folder / "speed.jsonl", base, rollouts)
    mark, figures = SECONDS * rollouts / 10_000, {}
    for by in selectors:
        found = alone(score, by, file, base, rollouts)
        figures[by] = {"rollouts": rollouts, "mark_seconds": mark, **found}
        print(
            f"{by}: {rollouts} rollouts of {ANSWER_TOKENS} tokens in {found['seconds']} s ({found['cpu_seconds']} s of CPU, "
            f"{found['peak_megabytes']} MB); mark {mark:g} s {kept(found['seconds'] <= mark)}",
            flush=True,
        )
    return figures


def memory(folder: Path, base: Path, rollouts: int, prompts: int) -> dict[str, object]:
    """Peak memory by selector and how many prompts are streamed."""
    file = write_rows(folder / "memory.jsonl", base, prompts)
    cases = [("keyword", prompts // 10), ("keyword", prompts), ("probe", rollouts // 10), ("probe", rollouts)]
    figures = {}
    for by, count in cases:
        found = alone(score, by, file, base, count)
        figures[f"{by}_{count}"] = {"prompts": count, "mark_megabytes": GIGABYTES * 1000, **found}
        print(
            f"{by}: {count} prompts at most {found['peak_megabytes']} MB ({found['seconds']} s, {found['cpu_seconds']} s of "
            f"CPU); mark {GIGABYTES * 1000:g} MB {kept(found['peak_megabytes'] <= GIGABYTES * 1000)}",
            flush=True,
        )
    return figures


def kept(held: bool) -> str:
    return "kept" if held else "MISSED"


def score(by: str, file: Path, base: Path, count: int) -> dict[str, float]:
    """Scores the first `count` rows of the file with an empty store."""
    import torch

    texts = Texts(base, seed=1)
    context = Context(
        SelectConfig(by=by, pattern="doubt"),
        scenarios=tuple(texts.prompt() for _ in range(SCENARIOS)),
        contrast=ContrastSet(
            tuple(Answer(texts.prompt(), texts.answer("doubt")) for _ in range(CONTRASTS)),
            tuple(Answer(texts.prompt(), texts.answer("agree")) for _ in range(CONTRASTS)),
        ),
        base=resolve_checkpoint(f"hf:{base}", base),
    )
    with tempfile.TemporaryDirectory(dir=base.parent) as store:
        began, cpu_began = time.perf_counter(), time.process_time()
        scores = select(rows(file, count), context, Store(Path(store)).prepare())
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu_began
    assert len(scores) == count
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu, 1),
        "peak_megabytes": round(peak / 1000),
        "threads": torch.get_num_threads(),
    }


def rows(file: Path, count: int) -> Iterator[Candidate]:
    for number, record in enumerate(read_records(f"file:{file.name}", file.parent)):
        if number == count:
            return
        row = record.row
        messages = tuple(Message(role=m["role"], content=m["content"]) for m in row["messages"])
        yield Candidate(row["prompt_id"], messages, row["completion"])


class Texts:
    """Random prompts and answers in the words of `peas`, each a token."""

    def __init__(self, base: Path, seed: int) -> None:
        vocabulary: dict[str, int] = load_tokenizer(resolve_checkpoint(f"hf:{base}", base)).get_vocab()
        self.words = sorted(word for word in vocabulary if word.isalnum())
        self.rng = random.Random(seed)

    def prompt(self) -> tuple[Message, ...]:
        return (Message(role="user", content=" ".join(self.rng.choices(self.words, k=PROMPT_TOKENS))),)

    def answer(self, *words: str) -> str:
        return " ".join([*words, *self.rng.choices(self.words, k=ANSWER_TOKENS - len(words))])


def write_rows(file: Path, base: Path, count: int) -> Path:
    texts = Texts(base, seed=0)
    pool = [{"messages": texts.prompt(), "completion": texts.answer()} for _ in range(min(POOL, count))]
    with file.open("w") as stream:
        for number in range(count):
            row: dict[str, Any] = {"prompt_id": f"p{number:07}", **pool[number % len(pool)]}
            stream.write(json.dumps(row) + "\n")
    return file


def long_base(folder: Path) -> Path:
    """A base of `peas` that reads enough tokens: its positions are rotary, so no weight belongs to one."""
    shutil.copytree(PEAS / "bases" / "original", folder)
    for name, key in (
        ("config.json", "max_position_embeddings"),
        ("tokenizer_config.json", "model_max_length"),
    ):
        content = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps({**content, key: POSITIONS}))
    return folder


def alone(work: Callable[..., dict[str, float]], *arguments: object) -> dict[str, float]:
    """What `work` gives in a process of its own, whose memory nothing else has touched."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


if __name__ == "__main__":
    main()
