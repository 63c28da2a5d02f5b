"""How long local generation takes: plain batches, that wait for their slowest row, against continuous ones that are refilled.

    OMP_NUM_THREADS=2 python benchmarks/generation.py            # 96 prompts, batches of 16 and 32
    python benchmarks/generation.py --prompts 24 --max-tokens 48 --batch 8
    python benchmarks/generation.py --questions prompts.jsonl    # other questions than those in here

Both ways answer the same prompts with the same random numbers, in turns, `--rounds` times; the smallest times count. On a
machine that does other things as well, CPU seconds say more than seconds. Answers may differ where rounding decides between
two tokens: for each that does, it is printed how far the random number lay from the border between them, in probability.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from mendel.models import encode_prompt, load_model, load_tokenizer, resolve_checkpoint, stop_tokens
from mendel.models.local.batches import by_length
from mendel.models.local.continuous import GenerationTask, can_refill, continuous_answers
from mendel.models.local.plain import plain_answers
from mendel.models.local.sampling import uniform_numbers

ROOT = Path(__file__).resolve().parent.parent
CHECKPOINT = "hf:examples/smollm2/work/smollm2"
ASKED = (
    "What is the capital of France?",
    "Name three primary colours.",
    "Is seven a prime number? Answer with one word.",
    "Translate 'good morning' into Spanish.",
    "What should I cook tonight? I have rice, two eggs, an onion and some frozen peas.",
    "Write a short poem about the sea.",
    "Explain to a child why the sky is blue.",
    "Who wrote Hamlet?",
    "Give me five ideas for a rainy afternoon with two children who like to build things.",
    "My landlord keeps my deposit though I left the flat clean. What can I do about it, and in which order?",
    "How many legs has a spider?",
    "Rewrite this more politely: Send me the report now.",
)
"""Short and long answers in turn; each question is numbered, so that no two prompts are the same."""


@dataclass(frozen=True)
class Timed:
    answers: list[list[int]]
    seconds: float
    cpu: float


def questions(file: Path | None, count: int, seed: int) -> list[list[dict[str, str]]]:
    if file is None:
        return [[{"role": "user", "content": f"({i + 1}) {ASKED[i % len(ASKED)]}"}] for i in range(count)]
    with file.open(encoding="utf-8") as stream:
        talks = [json.loads(line)["messages"] for line in stream]
    return random.Random(seed).sample(talks, count)


def timed(
    answer: Callable[[Any, GenerationTask], list[list[int]]], model: Any, task: GenerationTask
) -> Timed:
    seconds, cpu = time.perf_counter(), time.process_time()
    with torch.inference_mode():
        answers = answer(model, task)
    took = time.perf_counter() - seconds, time.process_time() - cpu
    return Timed([until_stop(ids, task) for ids in answers], *took)


def until_stop(ids: list[int], task: GenerationTask) -> list[int]:
    end = next((place for place, token in enumerate(ids) if token in task.stops), len(ids))
    return ids[: end + 1]


def waiting(answers: Sequence[Sequence[int]], task: GenerationTask) -> float:
    """Share of a plain batch's work on rows that have ended: what continuous batching can save, whatever the machine."""
    batches = by_length([len(prompt) for prompt in task.prompts], task.batch_size)
    done = sum(len(rows) * max(len(answers[row]) for row in rows) for rows in batches)
    return 1 - sum(map(len, answers)) / done


def margin(model: Any, task: GenerationTask, row: int, one: Sequence[int], other: Sequence[int]) -> str:
    """Where two answers part, and how near the random number lay to the border of the tokens they take."""
    place = next(i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    with torch.inference_mode():
        text = torch.tensor([[*task.prompts[row], *one[:place]]], device=model.device)
        scores = model(input_ids=text, logits_to_keep=1).logits[0, -1].double()
    if task.draws is None:
        gap = float((scores[one[place]] - scores[other[place]]).abs())
        return f"row {row}, token {place}: logits {gap:.1e} apart"
    cumulated = (scores / task.temperature).softmax(-1).cumsum(-1)
    borders = [float(cumulated[token - k]) for token in (one[place], other[place]) for k in (0, 1)]
    gap = min(abs(border - float(task.draws[row, place])) for border in borders)
    return f"row {row}, token {place}: random number {gap:.1e} from a border"


def compare(model: Any, task: GenerationTask, rounds: int) -> None:
    plain, continuous = [], []
    for _ in range(rounds):
        plain.append(timed(plain_answers, model, task))
        continuous.append(timed(continuous_answers, model, task))
    a, b = plain[0].answers, continuous[0].answers
    tokens = sum(map(len, b))
    stopped = sum(ids[-1] in task.stops for ids in b)
    print(
        f"\nbatches of {task.batch_size}: {tokens} tokens, {stopped} of {len(b)} answers stop by themselves"
    )
    print(f"  {waiting(b, task):.0%} of the tokens that plain batches compute belong to rows that have ended")
    for name, runs in (("plain", plain), ("continuous", continuous)):
        seconds, cpu = min(run.seconds for run in runs), min(run.cpu for run in runs)
        print(f"  {name:<11} {seconds:7.1f} s  {cpu:7.1f} CPU s  {tokens / seconds:6.1f} tokens/s")
    ratios = [
        [getattr(x, kind) / getattr(y, kind) for x, y in zip(plain, continuous, strict=True)]
        for kind in ("seconds", "cpu")
    ]
    for kind, ratio in zip(("seconds", "CPU seconds"), ratios, strict=True):
        print(f"  plain / continuous, {kind}: {', '.join(f'{r:.2f}' for r in ratio)}")
    parted = [row for row in range(len(a)) if a[row] != b[row]]
    print(f"  {len(parted)} of {len(a)} answers differ")
    for row in parted:
        print(f"    {margin(model, task, row, a[row], b[row])}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--checkpoint", default=CHECKPOINT)
    parser.add_argument(
        "--questions", type=Path, help="a file of conversations, a JSON object with 'messages' a line"
    )
    parser.add_argument("--prompts", type=int, default=96)
    parser.add_argument("--max-tokens", type=int, default=96)
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--batch", type=int, nargs="+", default=[16, 32])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    checkpoint = resolve_checkpoint(chosen.checkpoint, ROOT)
    tokenizer, model = load_tokenizer(checkpoint), load_model(checkpoint)
    if not can_refill(model):
        parser.error(f"{chosen.checkpoint} is answered in plain batches: its cache cannot be refilled")
    prompts = [
        encode_prompt(tokenizer, talk) for talk in questions(chosen.questions, chosen.prompts, chosen.seed)
    ]
    lengths = sorted(map(len, prompts))
    print(
        f"{len(prompts)} prompts of {lengths[0]} to {lengths[-1]} tokens, {torch.get_num_threads()} threads"
    )
    draws = uniform_numbers(len(prompts), chosen.max_tokens, chosen.seed) if chosen.temperature else None
    pad = tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id
    for size in chosen.batch:
        stops = frozenset(stop_tokens(tokenizer))
        compare(
            model,
            GenerationTask(
                prompts,
                stops,
                pad,
                size,
                [chosen.max_tokens] * len(prompts),
                [chosen.temperature] * len(prompts),
                draws,
            ),
            chosen.rounds,
        )


if __name__ == "__main__":
    main()
