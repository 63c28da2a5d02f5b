"""Requests a second through `mendel.models.endpoints`, against an endpoint in a process of its own that answers in 50 ms.

Usage: python benchmarks/endpoints.py [--json FILE] [--rounds N]. Marks: 8 in flight, at least 90 % of the ideal 8 / 0.05 s =
160/s; 64 in flight, at least 250/s. The first requests, which open the connections, are not timed; every answer is bought,
reserved in a budget and committed to the cache.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from mendel.engine.budget import Budget
from mendel.models.chat import Sampling
from mendel.models.endpoints import Endpoints
from mendel.study.schema import EndpointConfig

STUB = Path(__file__).parents[1] / "tests" / "models" / "endpoints" / "chaos.py"
DELAY = 0.05
CASES = {8: 480, 64: 1280}
"""Requests of a round by how many are in flight."""
MARKS = {8: 0.9 * 8 / DELAY, 64: 250.0}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    figures: dict[str, object] = {"cores": len(os.sched_getaffinity(0)), "load": os.getloadavg()[0]}
    with stub() as url:
        for flight, mark in MARKS.items():
            rates, cpu = measured(url, flight, arguments.rounds)
            median, ideal = statistics.median(rates), flight / DELAY
            figures[f"in_flight_{flight}"] = {
                "per_second": round(median, 1),
                "range": [round(min(rates), 1), round(max(rates), 1)],
                "ideal_per_second": ideal,
                "ratio_to_ideal": round(median / ideal, 3),
                "mark_per_second": mark,
                "cpu_ms_per_request": round(cpu * 1e3, 2),
            }
            held = "kept" if median >= mark else "MISSED"
            print(
                f"{flight} in flight: {median:.0f}/s of {ideal:.0f}/s ({median / ideal:.0%}); mark {mark:.0f}/s {held}; "
                f"{cpu * 1e3:.2f} ms of a core a request"
            )
    print(json.dumps(figures, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")


def measured(url: str, flight: int, rounds: int) -> tuple[list[float], float]:
    """Requests a second of each round, and processor seconds a request."""
    config = EndpointConfig(concurrency=flight)
    rates, cpu, requests = [], 0.0, CASES[flight]
    with tempfile.TemporaryDirectory() as store:
        budget = Budget(dollars=1e6, tokens=10**12, requests=10**9)
        with Endpoints(Path(store), budget) as endpoints:
            model = endpoints.chat_model(f"openai:{url}#pea", config)
            model.chat(prompts(flight), Sampling(max_tokens=64, temperature=1.0, seed=999))
            for seed in range(rounds):
                began, cpu_began = time.perf_counter(), time.process_time()
                model.chat(prompts(requests), Sampling(max_tokens=64, temperature=1.0, seed=seed))
                rates.append(requests / (time.perf_counter() - began))
                cpu += time.process_time() - cpu_began
    return rates, cpu / (rounds * requests)


def prompts(n: int) -> list[list[dict[str, str]]]:
    text = "Which year is it, and how do you know? " * 8
    return [[{"role": "user", "content": f"{row}. {text}"}] for row in range(n)]


@contextlib.contextmanager
def stub() -> Iterator[str]:
    """The address of an endpoint that runs for a while."""
    command = [sys.executable, str(STUB), "--delay", str(DELAY)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
