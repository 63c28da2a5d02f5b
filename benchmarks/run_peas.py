"""What a user waits for: `mendel run` on `peas` from an empty store, the same command again, `--help`, `import`.

Usage: python benchmarks/run_peas.py [--json FILE]. Prints a table; peak memory is the sum over all processes (PSS).
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    mendel = [str(Path(sys.executable).with_name("mendel"))]
    with tempfile.TemporaryDirectory() as scratch:
        run = [*mendel, "run", "--out", f"{scratch}/run", "--store", f"{scratch}/store"]
        seconds, memory = timed(run)
        again = [timed(run)[0] for _ in range(3)]
        verdicts = json.loads(Path(scratch, "run", "verdicts.json").read_text())
    figures = {
        "cores": len(psutil.Process().cpu_affinity()),
        "students": verdicts["students_trained"],
        "carriers": {name: trait["carrier"] for name, trait in verdicts["traits"].items()},
        "run_seconds": seconds,
        "run_peak_gb": memory / 1e9,
        "again_seconds": statistics.median(again),
        "help_seconds": median([*mendel, "--help"]),
        "import_seconds": median([sys.executable, "-c", "import mendel"])
        - median([sys.executable, "-c", "pass"]),
    }
    print(json.dumps(figures, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")


def timed(command: list[str]) -> tuple[float, int]:
    """Wall seconds, and the peak of the memory of a process and all its children, in bytes."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak = 0
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.2):
            peak = max(peak, tree_memory(process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    code = process.wait()
    done.set()
    watcher.join()
    if code:
        sys.exit(f"{' '.join(command)} ended with {code}")
    return time.perf_counter() - began, peak


def tree_memory(pid: int) -> int:
    """PSS counts a page that processes share once, so that their sum is what they take."""
    total = 0
    try:
        root = psutil.Process(pid)
        for process in [root, *root.children(recursive=True)]:
            total += process.memory_full_info().pss
    except psutil.NoSuchProcess:
        pass
    return total


def median(command: list[str]) -> float:
    return statistics.median(timed(command)[0] for _ in range(5))


if __name__ == "__main__":
    main()
