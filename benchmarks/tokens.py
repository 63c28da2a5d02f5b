"""What a worker's encoded rows take: time and memory of many prompts and answers of common length.

Usage: python benchmarks/tokens.py [--rows N] [--base FOLDER]. Needs `examples/smollm2/prepare.py --smoke` (its tokenizer). The
memory is the process's own, after minus before; the texts themselves stand in both.
"""

from __future__ import annotations

import argparse
import os
import random
import time
from pathlib import Path

from fleet import ROOT, SMOLLM2

from mendel.models import encode_examples, load_tokenizer, resolve_checkpoint

PROMPT, ANSWER = 150, 250
"""Words of each."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--base", type=Path, default=SMOLLM2)
    options = parser.parse_args()
    tokenizer = load_tokenizer(resolve_checkpoint(f"hf:{options.base}", ROOT))
    drawn, words = random.Random(0), (ROOT / "README.md").read_text(encoding="utf-8").split()

    def text(count: int) -> str:
        return " ".join(drawn.choices(words, k=count))

    pairs = [([{"role": "user", "content": text(PROMPT)}], text(ANSWER)) for _ in range(options.rows)]
    before, began = memory(), time.perf_counter()
    examples = encode_examples(tokenizer, pairs, max_length=2048)
    seconds, held = time.perf_counter() - began, memory() - before
    tokens = sum(len(example.input_ids) for example in examples)
    print(f"{tokens:,} tokens: {seconds:.1f} s, {held / 2**20:,.0f} MB, {held / tokens:.0f} bytes a token")


def memory() -> int:
    """Bytes that the process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
