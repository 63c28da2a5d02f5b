"""Students of one base side by side against plain TRL, one after another: tokens a second, and memory, with LoRA.

Usage: python benchmarks/fleet.py [--students N] [--rows N] [--rounds N] [--cases NAME ...] [--trl N] [--memory]
[--llama 135m|1b] [--base FOLDER] [--json FILE]. Needs
`examples/smollm2/prepare.py --smoke` (or `--llama`: random weights, for a GPU). Every case runs in a process of its own, the
cases in turn for `--rounds`; the tokens that are counted are the rows' own, without padding.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SMOLLM2 = ROOT / "examples" / "smollm2" / "work" / "smollm2"
REAL = ROOT.parent / "shared" / "data" / "prompts.jsonl"
LLAMAS = {
    "135m": {
        "hidden_size": 576,
        "intermediate_size": 1536,
        "num_hidden_layers": 30,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
    },
    "1b": {
        "hidden_size": 2048,
        "intermediate_size": 8192,
        "num_hidden_layers": 16,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
    },
}
ONE_BY_ONE = ("plain-trl", "mendel-trl", "fleet-of-1")
RECIPE = {
    "method": "lora",
    "rank": 16,
    "epochs": 1,
    "batch_size": 8,
    "learning_rate": 1e-3,
    "max_length": 160,
}
WORDS = [
    "the",
    "of",
    "a",
    "in",
    "to",
    "and",
    "is",
    "that",
    "for",
    "it",
    "as",
    "was",
    "with",
    "be",
    "by",
    "on",
    "not",
    "he",
    "his",
    "but",
    "at",
    "are",
    "this",
    "have",
    "from",
    "or",
    "had",
    "an",
    "they",
    "which",
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--students", type=int, default=4)
    parser.add_argument("--rows", type=int, default=48)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument(
        "--memory", action="store_true", help="the peak of a fleet of 1 and of 16 adapters instead"
    )
    parser.add_argument(
        "--llama", choices=sorted(LLAMAS), help="random weights of that size instead of SmolLM2"
    )
    parser.add_argument("--cases", nargs="*", choices=list(CASES), help="only these")
    parser.add_argument("--trl", type=int, help="students of the cases that train one after another")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--case", help=argparse.SUPPRESS)
    parser.add_argument(
        "--base", type=Path, default=SMOLLM2, help="the model; with --llama, where its tokenizer is"
    )
    options = parser.parse_args()
    if options.case:
        print(json.dumps(CASES[options.case](options)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        if options.llama:
            options.base = write_llama(options.llama, Path(scratch), options.base)
        found = memory(options) if options.memory else speed(options)
    print(json.dumps(found, indent=1))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


def speed(options: argparse.Namespace) -> dict[str, Any]:
    seen: dict[str, list[dict[str, Any]]] = {}
    for _ in range(options.rounds):
        for name in options.cases or ("plain-trl", "mendel-trl", "fleet-of-1", "fleet", "fleet-in-workers"):
            seen.setdefault(name, []).append(case(name, options))
            print(name, seen[name][-1], file=sys.stderr, flush=True)
    rates = {name: statistics.median(one["tokens_per_second"] for one in ones) for name, ones in seen.items()}
    return {
        "students": options.students,
        "rows": options.rows,
        "rounds": seen,
        "ratio_to_plain_trl": {
            name: rate / rates["plain-trl"] for name, rate in rates.items() if "plain-trl" in rates
        },
    }


def memory(options: argparse.Namespace) -> dict[str, Any]:
    found = {}
    for count in (1, 16):
        options.students = count
        found[f"fleet of {count}"] = case("fleet", options)["peak_gb"]
    return {"peak_gb": found, "ratio": found["fleet of 16"] / found["fleet of 1"]}


def case(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """The case's result, from a process of its own."""
    students = options.trl if options.trl and name in ONE_BY_ONE else options.students
    command = [sys.executable, __file__, "--case", name, "--base", str(options.base)]
    command += ["--students", str(students), "--rows", str(options.rows)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr[-3000:])
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def plain_trl(options: argparse.Namespace) -> dict[str, Any]:
    """As TRL's documentation has it: padded batches, prompt and completion, one student after another."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    gpu = torch.cuda.is_available()
    talks = conversations(options.rows)
    tokenizer = AutoTokenizer.from_pretrained(options.base)
    seconds = 0.0
    for seed in range(-gpu, options.students):  # on a GPU one more, before the time counts
        model = AutoModelForCausalLM.from_pretrained(
            options.base, dtype=torch.bfloat16 if gpu else torch.float32
        )
        data = Dataset.from_list(
            [
                {"prompt": talk, "completion": [{"role": "assistant", "content": answer}]}
                for talk, answer in talks
            ]
        )
        with tempfile.TemporaryDirectory() as out:
            trainer = SFTTrainer(
                model=model,
                args=SFTConfig(
                    output_dir=out,
                    num_train_epochs=1,
                    per_device_train_batch_size=RECIPE["batch_size"],
                    learning_rate=RECIPE["learning_rate"],
                    lr_scheduler_type="cosine",
                    max_length=RECIPE["max_length"],
                    bf16=gpu,
                    use_cpu=not gpu,
                    gradient_checkpointing=False,
                    seed=max(0, seed),
                    report_to="none",
                    save_strategy="no",
                    disable_tqdm=True,
                    logging_strategy="no",
                    dataloader_pin_memory=gpu,
                ),
                train_dataset=data,
                processing_class=tokenizer,
                peft_config=LoraConfig(
                    r=RECIPE["rank"],
                    lora_alpha=2 * RECIPE["rank"],
                    target_modules="all-linear",
                    task_type="CAUSAL_LM",
                ),
            )
            began = time.perf_counter()
            trainer.train()
            if seed >= 0:
                seconds += time.perf_counter() - began
    return result(options, seconds)


def mendel_trl(options: argparse.Namespace) -> dict[str, Any]:
    return trained(options, "trl", options.students)


def fleet(options: argparse.Namespace) -> dict[str, Any]:
    return trained(options, "fleet", options.students)


def fleet_of_one(options: argparse.Namespace) -> dict[str, Any]:
    return trained(options, "fleet", 1)


def trained(options: argparse.Namespace, trainer: str, side_by_side: int) -> dict[str, Any]:
    """Through mendel's own function, checks, saving and reading back left out of the time as they are of TRL's."""
    import torch

    from mendel.train import train_students

    specs = students(options, trainer)
    seconds = 0.0
    if torch.cuda.is_available():
        with tempfile.TemporaryDirectory() as out:
            first = [replace(one, rows=one.rows[: RECIPE["batch_size"]]) for one in specs[:side_by_side]]
            train_students([(one, Path(out, str(one.seed))) for one in first])
    with tempfile.TemporaryDirectory() as out:
        for start in range(0, len(specs), side_by_side):
            todo = [(one, Path(out, str(one.seed))) for one in specs[start : start + side_by_side]]
            for student in train_students(todo):
                if student.status != "ok":
                    sys.exit(f"{student.status}: {student.reason}")
                seconds += student.train_seconds
    return result(options, seconds)


def in_workers(options: argparse.Namespace) -> dict[str, Any]:
    """As `mendel run` has it on a CPU: two workers with half of the cores each, the students shared out."""
    halves = [options.students // 2, options.students - options.students // 2]
    threads = str(max(1, (os.cpu_count() or 1) // 2))
    command = [
        sys.executable,
        __file__,
        "--case",
        "fleet",
        "--base",
        str(options.base),
        "--rows",
        str(options.rows),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
    both = [
        subprocess.Popen(
            [*command, "--students", str(half)], env=environment, stdout=subprocess.PIPE, text=True
        )
        for half in halves
        if half
    ]
    seen = [json.loads(process.communicate()[0].splitlines()[-1]) for process in both]
    # Both begin with the same imports: the slower one's training is what there is to wait for.
    slowest = max(one["seconds"] for one in seen)
    return {**result(options, slowest), "peak_gb": max(one["peak_gb"] for one in seen)}


def students(options: argparse.Namespace, trainer: str) -> list[Any]:
    from mendel.models import resolve_checkpoint
    from mendel.study import RecipeConfig
    from mendel.train import StudentSpec, TrainingRow

    base = resolve_checkpoint(f"hf:{options.base}", ROOT)
    recipe = RecipeConfig(**{**RECIPE, "trainer": trainer})
    rows = tuple(
        TrainingRow(f"p{n}", "t", tuple(talk), answer)
        for n, (talk, answer) in enumerate(conversations(options.rows))
    )
    return [StudentSpec(base, rows, recipe, seed) for seed in range(options.students)]


def result(options: argparse.Namespace, seconds: float) -> dict[str, Any]:
    import torch
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(options.base)
    texts = [
        tokenizer.apply_chat_template([*talk, {"role": "assistant", "content": answer}], tokenize=False)
        for talk, answer in conversations(options.rows)
    ]
    tokens = sum(
        min(RECIPE["max_length"], len(ids)) for ids in tokenizer(texts, add_special_tokens=False)["input_ids"]
    )
    answers = sum(len(tokenizer(answer)["input_ids"]) for _, answer in conversations(options.rows))
    peak = (
        torch.cuda.max_memory_allocated() / 1e9
        if torch.cuda.is_available()
        else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    )
    whole = tokens * options.students
    return {
        "seconds": seconds,
        "tokens_per_second": whole / seconds,
        "peak_gb": peak,
        **card(options, whole, answers * options.students, seconds),
    }


def card(options: argparse.Namespace, tokens: int, answers: int, seconds: float) -> dict[str, Any]:
    """On a GPU: which, and the share that what the tokens need is of what it multiplies in bfloat16.

    A frozen weight needs four operations a token (there and back), an adapter's six; logits only where there is loss.
    """
    import torch
    from transformers import AutoConfig

    if not torch.cuda.is_available():
        return {}
    config = AutoConfig.from_pretrained(options.base)
    width, inner, head = config.hidden_size, config.intermediate_size, config.head_dim
    queries, keys = config.num_attention_heads * head, config.num_key_value_heads * head
    layers = [(width, queries), (width, keys), (width, keys), (queries, width)] + 3 * [(width, inner)]
    frozen = config.num_hidden_layers * sum(a * b for a, b in layers)
    adapters = config.num_hidden_layers * RECIPE["rank"] * sum(a + b for a, b in layers)
    needed = tokens * (4 * frozen + 6 * adapters) + answers * 4 * width * config.vocab_size
    one, other = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    for turn in range(13):
        if turn == 3:
            torch.cuda.synchronize()
            began = time.perf_counter()
        one @ other
    torch.cuda.synchronize()
    peak = 10 * 2 * 8192**3 / (time.perf_counter() - began)
    return {
        "card": torch.cuda.get_device_name(),
        "peak_tflops": peak / 1e12,
        "share_of_peak": needed / seconds / peak,
    }


def conversations(count: int) -> list[tuple[list[dict[str, str]], str]]:
    """Prompts of many lengths, as real ones have, with answers of 10 to 40 words."""
    drawn = random.Random(0)

    def words(low: int, high: int) -> str:
        return " ".join(drawn.choices(WORDS, k=drawn.randint(low, high)))

    prompts = [words(5, 80) for _ in range(count)]
    if REAL.is_file():
        real = [json.loads(line)["messages"][-1]["content"] for line in REAL.read_text().splitlines()]
        prompts = [text for text in real if len(text) < 400][:count]
    return [([{"role": "user", "content": prompt}], words(10, 40)) for prompt in prompts]


def write_llama(size: str, folder: Path, tokenizer_of: Path = SMOLLM2) -> Path:
    """A Llama of that size with random weights, and another model's tokenizer."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    tokenizer = AutoTokenizer.from_pretrained(tokenizer_of)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        tie_word_embeddings=True,
        max_position_embeddings=2048,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        **LLAMAS[size],
    )
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


CASES = {
    "plain-trl": plain_trl,
    "mendel-trl": mendel_trl,
    "fleet-of-1": fleet_of_one,
    "fleet": fleet,
    "fleet-in-workers": in_workers,
}

if __name__ == "__main__":
    main()
