"""vLLM's engine: in this process, one at a time, asleep between requests, and held to what it is asked for."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from mendel.engine.errors import InputError, MendelError, RunError
from mendel.models.local.loading import device

RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""What vLLM takes for the highest rank of its adapters."""
SLOTS, SLOTS_OF_RANK = 16, 16
"""Adapters that it holds on the GPU at once, as many as are trained side by side; fewer of a higher rank than the second."""
SETTINGS = {
    # A process of its own would outlive a worker that is killed, and hold the GPU.
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    # Standard output is for what was asked for.
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",
}
LEAST_GAP = 3.0
"""By so much an adapter's log-probabilities must differ from its base's more than the base's from its own, asked again."""

_running: dict[tuple[str, int], Any] = {}
"""The engine by its checkpoint's folder and highest rank: one at most."""


def import_vllm() -> Any:
    """The package, with the settings that it reads once; raises ImportError where it is not installed."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    import vllm

    return vllm


def rank_for(rank: int) -> int:
    """The lowest that vLLM takes for adapters of that rank (0: none); raises InputError for a higher one than it takes."""
    if rank > RANKS[-1]:
        raise InputError("vLLM serves no adapters of that rank", value=rank, allowed=f"at most {RANKS[-1]}")
    return min(taken for taken in RANKS if rank <= taken) if rank else 0


@contextmanager
def awake(path: str, rank: int, ref: str) -> Iterator[Any]:
    """The engine of a checkpoint's folder, for adapters of that rank at most, able to answer; then it sleeps.

    Raises RunError for what vLLM raises, of `ref`; after an error it is started anew.
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
            fix="Write hf: in place of vllm: if it goes on.",
        ) from error


def _started(path: str, rank: int) -> Any:
    for (of, most), engine in _running.items():
        if of == path and rank <= most:
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
    """The engine ends, with what vLLM has set up for it in this process."""
    if not _running:
        return
    _running.clear()
    from vllm.distributed import cleanup_dist_env_and_memory

    cleanup_dist_env_and_memory()


def _free_memory() -> None:
    """It wants most of the GPU: what this process keeps there without need goes."""
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
    """The adapters by which an engine reads their `prompts` as it does by none.

    One that cannot bind an adapter, or lost it in its sleep, may serve the base without a word. `log_probs` gives those of
    texts by adapters (None: the base). Asked again in another order, the base shows how far rounding alone goes.
    """
    if not prompts:
        return []
    texts = [(name, text) for name, of_one in prompts.items() for text in of_one]
    ids, names = [text for _, text in texts], [name for name, _ in texts]
    mine = log_probs(ids, names)
    base = log_probs(ids, [None] * len(ids))
    again = log_probs(ids[::-1], [None] * len(ids))[::-1]
    gaps = dict.fromkeys(prompts, 0.0)
    for name, a, b, c in zip(names, mine, base, again, strict=True):
        gaps[name] += _distance(a, b) - LEAST_GAP * _distance(b, c)
    return [name for name, gap in gaps.items() if gap <= 0]


def _distance(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(abs(a - b) for a, b in zip(one, other, strict=True))
