"""When memory runs out in training: how that is recognized, and what may then be tried in smaller parts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mendel.engine.errors import RunError
from mendel.models.local.loading import first_line

PARTS = 16
"""A forward pass is cut into at most so many parts."""
PHRASES = ("out of memory", "not enough memory", "can't allocate memory", "alloc_failed")
"""What torch, CUDA and cuBLAS write when memory runs out (lower case)."""


class PassTooLarge(RuntimeError):
    """A forward or backward pass ran out of memory; a smaller pass may fit."""


def out_of_memory(error: BaseException) -> bool:
    """Return whether the error says that the GPU or the machine ran out of memory."""
    import torch

    text = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError) or any(phrase in text for phrase in PHRASES)


@contextmanager
def marked_as_pass() -> Iterator[None]:
    """Context manager: raise PassTooLarge for an error that says that memory ran out, other errors as they
    are.
    """
    try:
        yield
    except Exception as error:
        if not out_of_memory(error):
            raise
        # Without the cause: its traceback would keep the pass's tensors in memory.
        raise PassTooLarge(first_line(error)) from None


def memory_error(error: BaseException) -> RunError:
    """Return the error to raise when one student alone does not fit into memory."""
    return RunError(
        f"not enough memory to train a student: {first_line(error)}",
        fix="Use fewer workers ('workers: 1') or a smaller recipe.max_length.",
    )
