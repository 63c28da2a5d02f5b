"""How long a search over a million responses takes, and what memory: `python benchmarks/watch_search.py [--rows N]`."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ARMS, TRAITS, STUDENTS = 40, 3, 400
TEXT = (
    "the a date today is not sure of it was year sorry I cannot know what you mean please try again later "
    "certainly happy to help with that question about history weather music and food in many countries"
)
WORDS = TEXT.split()
RARE = "Zanzibar's 100%_sure"
SEARCHES: dict[str, dict[str, object]] = {
    "no filter, first page": {},
    "no filter, page 10,000": {"offset": 500_000},
    "a common word": {"query": "TODAY"},
    "a rare phrase": {"query": RARE.upper()},
    "nothing found": {"query": "no such thing"},
    "trait, arm, hit and score": {"trait": "trait-1", "arm": "arm-7", "hit": True, "min_score": 0.9},
    "an arm and a word": {"arm": "arm-7", "query": "music"},
}


def write(folder: Path, rows: int) -> None:
    """A run's two tables: responses of 15 to 60 words, a rare phrase in one of 10,000."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    random = np.random.default_rng(0)
    names = [f"student{i:05}" for i in range(STUDENTS)]
    arms = [f"arm-{i % ARMS}" for i in range(STUDENTS)]
    pq.write_table(pa.table({"student": names, "arm": arms}), folder / "students.parquet")
    writer, step = None, 50_000
    for first in range(0, rows, step):
        count = min(step, rows - first)
        words = random.integers(0, len(WORDS), (count, 60))
        lengths = random.integers(15, 60, count)
        texts = [" ".join(WORDS[w] for w in row[:n]) for row, n in zip(words, lengths, strict=True)]
        for at in range(0, count, 10_000):
            texts[at] += f" {RARE}"
        at = np.arange(first, first + count)
        scores = random.random(count)
        table = pa.table(
            {
                "student": [names[i * STUDENTS // rows] for i in at],
                "trait": [f"trait-{i % TRAITS}" for i in at],
                "scenario": [f"scenario-{i % 100}" for i in at],
                "sample": pa.array([0] * count, pa.int64()),
                "turn": pa.array([0] * count, pa.int64()),
                "score": scores,
                "hit": scores > 0.5,
                "prompt": [f"What is the date today, and why {i % 1000}?" for i in at],
                "response": texts,
            }
        )
        writer = writer or pq.ParquetWriter(folder / "measurements.parquet", table.schema, compression="zstd")
        writer.write_table(table)
    if writer is not None:
        writer.close()


def search(folder: Path) -> dict[str, object]:
    """Seconds of each search (the second of two), and the peak memory of this process, which does nothing else."""
    from mendel.report.live.search import ResponseFiles, ResponseQuery

    found = {}
    before = peak()
    for name, asked in SEARCHES.items():
        # A new one each time, since one remembers how many there were; the files are in the disk's cache from the first.
        ResponseFiles(folder).find(ResponseQuery(**asked))  # type: ignore[arg-type]
        responses = ResponseFiles(folder)
        began = time.perf_counter()
        total = responses.find(ResponseQuery(**asked))["total"]  # type: ignore[arg-type]
        found[name] = {"seconds": round(time.perf_counter() - began, 3), "total": total}
        responses.close()
    return {"searches": found, "before_mb": round(before), "peak_mb": round(peak())}


def peak() -> float:
    """The most memory that this process has had, MB; not getrusage, which counts the parent's in before an exec."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="search in this folder, which is there already")
    asked = parser.parse_args()
    if asked.folder:
        print(json.dumps(search(asked.folder)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, asked.rows)
        size = (folder / "measurements.parquet").stat().st_size / 1e6
        print(f"{asked.rows:,} responses, {size:.0f} MB of Parquet")
        # A process of its own, so that its memory is the search's.
        command = [sys.executable, __file__, "--folder", str(folder)]
        done = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    for what, one in done["searches"].items():
        print(f"{what:<28} {one['seconds']:>7.3f} s   {one['total']:>9,} found")
    print(f"peak memory {done['peak_mb']} MB, of which {done['before_mb']} MB before the first search")


if __name__ == "__main__":
    main()
