"""The machine's cores and GPU, and the number of workers that suits it. Imports no torch."""

from __future__ import annotations

import os
from pathlib import Path


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_workers() -> int:
    """Return 1 with a GPU, which one student fills, and on a CPU 2, or 1 where there is a single core."""
    return 1 if has_gpu() else min(2, cores())


def has_gpu() -> bool:
    """Return whether workers find a GPU; known without importing torch."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    return Path("/dev/nvidia0").exists() and not hidden
