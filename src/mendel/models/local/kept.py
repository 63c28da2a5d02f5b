"""Small models stay in memory: thousands of students come from few bases, and to read one takes as long as to train it a bit."""

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
"""Weights on the disk of a model that is kept; two models are."""
KEPT = 2
CONFIGS = ("config.json", "generation_config.json")


class Unbound(Exception):
    """Parts of the model have no weights in its files."""

    def __init__(self, names: Sequence[object]) -> None:
        super().__init__(f"{len(names)} of the model's weights are not in its files, such as {names[0]}")


Read = Callable[[str, "torch.dtype"], "PreTrainedModel"]


def base_model(path: str, dtype: torch.dtype, read: Read) -> PreTrainedModel:
    """A model of one's own from a checkpoint's folder, as `read` reads it; a small one is read once."""
    key = _weights_key(Path(path))
    return copy.deepcopy(_kept(path, dtype, key, read)) if key else read(path, dtype)


def student_model(path: str, weights: Path, dtype: torch.dtype, read: Read) -> PreTrainedModel:
    """The same with a student's weights in the base's place: of a small one, nothing but the weights is read again.

    Raises Unbound for parts without weights, as `read` does, and RuntimeError for weights of other shapes.
    """
    key = _weights_key(Path(path))
    file = weights / "model.safetensors"
    if not key or not file.is_file():
        return read(str(weights), dtype)
    from safetensors.torch import load_file

    model: Any = copy.deepcopy(_kept(path, dtype, key, read))
    found = model.load_state_dict(load_file(str(file)), strict=False)
    tied = set(getattr(model, "all_tied_weights_keys", None) or ())
    strays = [name for name in (*found.missing_keys, *found.unexpected_keys) if name not in tied]
    if strays:
        raise Unbound(strays)
    return model


@lru_cache(maxsize=KEPT)
def _kept(path: str, dtype: torch.dtype, key: tuple[int, ...], read: Read) -> PreTrainedModel:
    return read(path, dtype)


def _weights_key(folder: Path) -> tuple[int, ...] | None:
    """What changes when a small model's weights do; None for one that is not kept."""
    try:
        status = (folder / "model.safetensors").stat()
        configs = [(folder / name).stat().st_mtime_ns for name in CONFIGS if (folder / name).exists()]
    except OSError:
        return None
    return (status.st_size, status.st_mtime_ns, *configs) if status.st_size <= KEPT_BYTES else None
