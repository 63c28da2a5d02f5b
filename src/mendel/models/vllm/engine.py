"""vLLM's engine: in this process, one at a time, asleep between requests, and checked to serve what was asked
for.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from mendel.engine.errors import InputError, MendelError, RunError
from mendel.models.local.loading import device

RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""The highest ranks of adapters that vLLM can be set up for."""
SLOTS, SLOTS_OF_RANK = 16, 16
"""Adapters that the engine holds on the GPU at once, as many as are trained side by side; fewer for ranks
above the second number."""
SETTINGS = {
    # A separate process would outlive a worker that is killed, and hold the GPU.
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    # Standard output is for results only.
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",
}
LEAST_GAP = 3.0
"""An adapter counts as served if its log-probabilities differ from the base's by this many times as much as
the base's differ between two requests."""

_running: dict[tuple[str, int], Any] = {}
"""The engine by its checkpoint's folder and highest rank: one at most."""


def import_vllm() -> Any:
    """Return the package vllm, after setting the environment variables that it reads once. Raises ImportError
    if it is not installed.
    """
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    import vllm

    return vllm


def rank_for(rank: int) -> int:
    """Return the lowest rank that vLLM can be set up for and that holds `rank`; 0 for 0. Raises InputError if
    there is none.
    """
    if rank > RANKS[-1]:
        raise InputError("vLLM serves no adapters of that rank", value=rank, allowed=f"at most {RANKS[-1]}")
    return min(taken for taken in RANKS if rank <= taken) if rank else 0


@contextmanager
def awake(path: str, rank: int, ref: str) -> Iterator[Any]:
    """Context manager: give the engine of a checkpoint's folder, awake, for adapters of at most that rank;
    afterwards it sleeps.

    Raises RunError, at `ref`, for errors of vLLM's; after an error the engine is started anew.
    """
    try:
        engine = _started(path, rank)
        _free_memory()
        engine.wake_up()
        yield engine
        engine.sleep(level=1)
    except MendelError:
        stop()
        raise
    except Exception as error:
        stop()
        line = (str(error).strip().splitlines() or [""])[0].rstrip(".")
        raise RunError(
            f"vLLM: {type(error).__name__}: {line}",
            where=ref,
            fix="Write hf: in place of vllm: if it happens again.",
        ) from error


def _started(path: str, rank: int) -> Any:
    """Return the running engine if it fits, else a new one."""
    for (folder, highest), engine in _running.items():
        if folder == path and rank <= highest:
            return engine
    stop()
    _free_memory()
    slots = max(1, min(SLOTS, SLOTS * SLOTS_OF_RANK // max(1, rank)))
    lora = {"enable_lora": True, "max_loras": slots, "max_lora_rank": rank} if rank else {}
    # generation_config 'vllm': what the checkpoint's generation config says of sampling does not apply.
    engine = import_vllm().LLM(model=path, generation_config="vllm", enable_sleep_mode=True, **lora)
    _running[path, rank] = engine
    return engine


def stop() -> None:
    """End the engine, with what vLLM has set up for it in this process."""
    if not _running:
        return
    _running.clear()
    from vllm.distributed import cleanup_dist_env_and_memory

    cleanup_dist_env_and_memory()


def _free_memory() -> None:
    """Free the GPU memory that this process can do without: vLLM wants most of it."""
    import torch

    from mendel.models.local.chat import release

    release()
    gc.collect()
    if device() == "cuda":
        torch.cuda.empty_cache()


def unserved(
    log_probs: Callable[[Sequence[Sequence[int]], Sequence[str | None]], list[list[float]]],
    prompts: Mapping[str, Sequence[Sequence[int]]],
) -> list[str]:
    """Return the adapters whose `prompts` the engine reads as it does without an adapter.

    An engine that cannot bind an adapter, or that lost it while asleep, may serve the base without an error.
    `log_probs` gives the log-probabilities of texts by adapters (None: the base). The base is asked twice, in
    two orders: that shows how far rounding goes.
    """
    if not prompts:
        return []
    texts = [(name, text) for name, adapter_texts in prompts.items() for text in adapter_texts]
    ids, names = [text for _, text in texts], [name for name, _ in texts]
    by_adapters = log_probs(ids, names)
    by_base = log_probs(ids, [None] * len(ids))
    by_base_again = log_probs(ids[::-1], [None] * len(ids))[::-1]
    gaps = dict.fromkeys(prompts, 0.0)
    for name, a, b, c in zip(names, by_adapters, by_base, by_base_again, strict=True):
        gaps[name] += _distance(a, b) - LEAST_GAP * _distance(b, c)
    return [name for name, gap in gaps.items() if gap <= 0]


def _distance(first: Sequence[float], second: Sequence[float]) -> float:
    return sum(abs(a - b) for a, b in zip(first, second, strict=True))
