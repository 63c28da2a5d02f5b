"""Small models stay in memory: thousands of students come from few bases, and reading a base takes long
beside training.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

KEPT_BYTES = 2**26
"""A model is kept if its weights take at most so many bytes on the disk."""
KEPT = 2
"""Models that are kept."""
CONFIGS = ("config.json", "generation_config.json")


class Unbound(Exception):
    """Parts of the model have no weights in its files."""

    def __init__(self, names: Sequence[object]) -> None:
        super().__init__(f"{len(names)} of the model's weights are not in its files, such as {names[0]}")


Read = Callable[[str, "torch.dtype"], "PreTrainedModel"]
"""Reads a model from a folder, in a precision."""


def base_model(path: str, dtype: torch.dtype, read: Read) -> PreTrainedModel:
    """Return a fresh model from a checkpoint's folder, as `read` reads it. A small model is read once and
    copied.
    """
    key = _weights_key(Path(path))
    return copy.deepcopy(kept_model(path, dtype, key, read)) if key else read(path, dtype)


def student_model(path: str, weights: Path, dtype: torch.dtype, read: Read) -> PreTrainedModel:
    """Return a model with a student's weights. Of a small base, only the weights are read again.

    Raises Unbound for parts without weights, as `read` does, and RuntimeError for weights of other shapes.
    """
    key = _weights_key(Path(path))
    file = weights / "model.safetensors"
    if not key or not file.is_file():
        return read(str(weights), dtype)
    from safetensors.torch import load_file

    model: Any = copy.deepcopy(kept_model(path, dtype, key, read))
    loaded = model.load_state_dict(load_file(str(file)), strict=False)
    tied = set(getattr(model, "all_tied_weights_keys", None) or ())
    unbound = [name for name in (*loaded.missing_keys, *loaded.unexpected_keys) if name not in tied]
    if unbound:
        raise Unbound(unbound)
    return model


@lru_cache(maxsize=KEPT)
def kept_model(path: str, dtype: torch.dtype, key: tuple[int, ...], read: Read) -> PreTrainedModel:
    """Return the model as it was read, shared by all callers: copy it before changing it."""
    return read(path, dtype)


def _weights_key(folder: Path) -> tuple[int, ...] | None:
    """Return what changes when a small model's files do; None for a model that is not kept."""
    try:
        status = (folder / "model.safetensors").stat()
        configs = [(folder / name).stat().st_mtime_ns for name in CONFIGS if (folder / name).exists()]
    except OSError:
        return None
    return (status.st_size, status.st_mtime_ns, *configs) if status.st_size <= KEPT_BYTES else None
