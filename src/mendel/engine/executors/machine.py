"""What this machine offers: cores, a GPU, and how many workers suit it. Imports no torch."""

from __future__ import annotations

import os
from pathlib import Path


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_workers() -> int:
    """Two on a CPU with the cores for it; one where there is a GPU, since one student fills it."""
    return 1 if has_gpu() else min(2, cores())


def has_gpu() -> bool:
    """Whether workers will find a GPU; known without importing torch."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    return Path("/dev/nvidia0").exists() and not hidden
