"""Two checkpoints compared by their files: the same architecture, the same words, the same initialization."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from mendel.models.checkpoints import Checkpoint
from mendel.models.files import weight_files

if TYPE_CHECKING:
    import torch

MOST_MATRICES = 24
"""Greatest number of matrices that are compared, evenly over the names: a large model has hundreds."""
MOST_NUMBERS = 1 << 20
"""Greatest number of weights of one matrix that are read, its first rows."""


@dataclass(frozen=True)
class Likeness:
    """What two checkpoints share, read from their files."""

    same_weights: bool
    """Whether they are one checkpoint."""
    architecture: str
    """How their architectures differ, in words; '' if they do not."""
    words: str
    """How their tokenizers differ, in words; '' if they do not."""
    cosine: float | None
    """Median over the shared matrices of the cosine between their weights, each matrix with its mean taken
    off; about 0 for independent initializations. None without a shared matrix."""


def likeness(one: Checkpoint, other: Checkpoint) -> Likeness:
    """Compare two checkpoints by their files; no model is loaded.

    Training moves weights little compared with what initialization drew: checkpoints of one initialization
    point the same way, those of two do not.

    Args:
        one: A checkpoint.
        other: The other one.

    Returns:
        What they share.

    Raises:
        OSError: A file cannot be read any more.
    """
    shapes = _shapes(Path(one.path)), _shapes(Path(other.path))
    cosines = list(_cosines(one, other, *shapes))
    return Likeness(
        one.digest == other.digest,
        _architecture(Path(one.path), Path(other.path), *shapes),
        _words(Path(one.path), Path(other.path)),
        median(cosines) if cosines else None,
    )


def _header(file: Path) -> dict[str, Any]:
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        header: dict[str, Any] = json.loads(stream.read(length))
    return {name: entry for name, entry in header.items() if name != "__metadata__"}


def _shapes(folder: Path) -> dict[str, tuple[tuple[int, ...], Path]]:
    """Return shape and file of every tensor, by name."""
    return {
        name: (tuple(entry["shape"]), file)
        for file in weight_files(folder, str(folder))
        for name, entry in _header(file).items()
    }


def _architecture(
    one: Path,
    other: Path,
    shapes: Mapping[str, tuple[tuple[int, ...], Path]],
    others: Mapping[str, tuple[tuple[int, ...], Path]],
) -> str:
    kinds = [json.loads((folder / "config.json").read_text())["model_type"] for folder in (one, other)]
    if kinds[0] != kinds[1]:
        return f"one is a {kinds[0]}, the other a {kinds[1]}"
    differing = sorted(
        name
        for name in shapes.keys() | others.keys()
        if name not in shapes or name not in others or shapes[name][0] != others[name][0]
    )
    if not differing:
        return ""
    name = differing[0]
    sizes = [
        " x ".join(map(str, found[name][0])) if name in found else "missing" for found in (shapes, others)
    ]
    return f"{len(differing)} of their weights have other shapes, such as {name}: {sizes[0]} and {sizes[1]}"


def _words(one: Path, other: Path) -> str:
    vocabularies = [_vocabulary(folder) for folder in (one, other)]
    if vocabularies[0] == vocabularies[1]:
        return ""
    return "their tokenizers know other words"


def _vocabulary(folder: Path) -> Any:
    """Return the words of a tokenizer, or the bytes of its file where they cannot be listed."""
    for name in ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model"):
        file = folder / name
        if file.is_file():
            try:
                return json.loads(file.read_text(encoding="utf-8"))["model"]["vocab"]
            except (ValueError, KeyError, TypeError):
                return file.read_bytes()
    return None


def _cosines(
    one: Checkpoint,
    other: Checkpoint,
    shapes: Mapping[str, tuple[tuple[int, ...], Path]],
    others: Mapping[str, tuple[tuple[int, ...], Path]],
) -> Iterator[float]:
    import torch

    # Gains and biases begin alike in every initialization.
    shared = sorted(
        name
        for name, (shape, _) in shapes.items()
        if len(shape) == 2 and min(shape) > 1 and name in others and others[name][0] == shape
    )
    step = max(1, -(-len(shared) // MOST_MATRICES))
    for name in shared[::step]:
        a, b = _rows(shapes[name], name), _rows(others[name], name)
        a, b = a - a.mean(), b - b.mean()
        size = float(a.norm() * b.norm())
        if size > 0:
            yield float(torch.dot(a.flatten(), b.flatten())) / size


def _rows(place: tuple[tuple[int, ...], Path], name: str) -> torch.Tensor:
    from safetensors import safe_open

    shape, file = place
    with safe_open(str(file), framework="pt") as tensors:
        rows = max(1, MOST_NUMBERS // shape[1])
        part: torch.Tensor = tensors.get_slice(name)[:rows]
    return part.float()
