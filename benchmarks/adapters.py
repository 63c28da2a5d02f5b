"""How long a fleet's adapters take to answer: side by side in one batch, and one after another.

Usage: python benchmarks/adapters.py [--adapters N] [--questions N] [--max-tokens N] [--llama 135m|1b] [--base FOLDER]
[--rounds N] [--json FILE]. Needs `examples/smollm2/prepare.py --smoke` (or `--llama`: random weights, for a GPU).
Adapters of rank 16 on all linear layers, random as well; every one is asked the same questions. One after another, each is
attached to a base of its own (on a CPU, merged into it), as `mendel run` does with a student alone. Attaching is in both times, reading the
base from the disk in neither.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from fleet import LLAMAS, ROOT, SMOLLM2, conversations, write_llama
from peft import LoraConfig, get_peft_model

from mendel.models import (
    Checkpoint,
    LocalChat,
    Sampling,
    load_model,
    load_tokenizer,
    resolve_checkpoint,
    side_by_side,
)
from mendel.models.chat import ChatModel
from mendel.models.local.loading import attach_adapter


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--adapters", type=int, default=16)
    parser.add_argument("--questions", type=int, default=64)
    parser.add_argument("--max-tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--llama", choices=sorted(LLAMAS))
    parser.add_argument("--base", type=Path, default=SMOLLM2)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if options.llama:
            options.base = write_llama(options.llama, folder / "base", options.base)
        base = resolve_checkpoint(f"hf:{options.base}", ROOT)
        adapters = {f"a{n}": write_adapter(base, n, folder / f"a{n}") for n in range(options.adapters)}
        found = compared(base, adapters, options)
    print(json.dumps(found, indent=1))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


def write_adapter(base: Checkpoint, seed: int, folder: Path) -> Path:
    torch.manual_seed(seed)
    config = LoraConfig(
        r=16,
        lora_alpha=32,
        target_modules="all-linear",
        init_lora_weights=False,
        task_type="CAUSAL_LM",
    )
    get_peft_model(load_model(base), config).save_pretrained(str(folder))
    return folder


def compared(base: Checkpoint, adapters: Mapping[str, Path], options: argparse.Namespace) -> dict[str, Any]:
    tokenizer = load_tokenizer(base)
    asked = [talk for talk, _ in conversations(options.questions)]
    sampling = Sampling(options.max_tokens, 1.0, 0)

    def answer(_: str, chat: ChatModel) -> int:
        return sum(one.tokens for one in chat.chat(asked, sampling))

    def together(of: Mapping[str, Path]) -> tuple[int, float]:
        model = load_model(base)
        began = now()
        tokens = sum(side_by_side(model, tokenizer, of, answer).values())
        return tokens, now() - began

    def in_turn(of: Mapping[str, Path]) -> tuple[int, float]:
        tokens, seconds = 0, 0.0
        for name, folder in of.items():
            model = load_model(base)
            began = now()
            attached: Any = attach_adapter(model, folder)
            if not torch.cuda.is_available():
                attached = attached.merge_and_unload()
            tokens += answer(name, LocalChat(attached.eval(), tokenizer))
            seconds += now() - began
        return tokens, seconds

    ways = {"one after another": in_turn, "side by side": together}
    if torch.cuda.is_available():
        for way in ways.values():
            way(dict(list(adapters.items())[:2]))
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(options.rounds):
        for name, way in ways.items():
            tokens, seconds = way(adapters)
            rates[name].append(tokens / seconds)
            print(f"{name}: {tokens} tokens, {seconds:.2f} s", flush=True)
    ratios = [b / a for a, b in zip(*rates.values(), strict=True)]
    return {"tokens_per_second": rates, "ratios": ratios, "ratio": statistics.median(ratios)}


def now() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


if __name__ == "__main__":
    main()
