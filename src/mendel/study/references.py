"""References in a study: `hf:`, `vllm:`, `openai:`, `file:` and `dataset:`, described and parsed in one
place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Use = Literal["checkpoint", "endpoint", "rows"]
"""What a reference finds: weights, a server that answers, or rows of data."""


@dataclass(frozen=True)
class Scheme:
    """A kind of reference: the word before the colon."""

    name: str
    use: Use
    forms: tuple[str, ...]
    """What can be written, for messages and documents."""
    says: str
    """What the reference names, in one sentence."""


SCHEMES = {
    scheme.name: scheme
    for scheme in (
        Scheme(
            "hf",
            "checkpoint",
            ("hf:FOLDER", "hf:HUB_NAME"),
            "A checkpoint: a folder relative to the study file, or a model on the Hugging Face hub.",
        ),
        Scheme(
            "vllm",
            "checkpoint",
            ("vllm:FOLDER", "vllm:HUB_NAME"),
            "A checkpoint as for hf:, which vLLM runs on a GPU.",
        ),
        Scheme(
            "openai",
            "endpoint",
            ("openai:URL#MODEL", "openai:MODEL"),
            "A model behind an OpenAI-compatible server; without a URL, OpenAI's own.",
        ),
        Scheme(
            "file",
            "rows",
            ("file:PATH",),
            "A JSONL or Parquet file, relative to the study file: prompts, scenarios or finished rollouts.",
        ),
        Scheme(
            "dataset",
            "rows",
            ("dataset:NAME", "dataset:NAME:SPLIT"),
            "A Hugging Face data set: a folder, or a name on the hub. The split is 'train' by default.",
        ),
    )
}
"""All kinds of references by their scheme. Plug-ins add schemes of teachers to these."""


@dataclass(frozen=True)
class Reference:
    """A reference, split at its first colon."""

    scheme: str
    """The word before the colon; '' for a text without a colon."""
    rest: str
    """What follows the colon."""

    @property
    def names_model(self) -> bool:
        """Whether the reference names a model that can be asked: a checkpoint or an endpoint."""
        return self.scheme in MODELS and bool(self.rest)


def parse_reference(ref: str) -> Reference:
    """Split a reference at its first colon.

    Args:
        ref: The reference as the user wrote it, such as `hf:./base`.

    Returns:
        The scheme and the rest. A text without a colon has the scheme '' and stands whole in `rest`.
    """
    scheme, colon, rest = ref.partition(":")
    return Reference(scheme, rest) if colon else Reference("", ref)


def forms(*schemes: str) -> str:
    """Return what can be written for these schemes, separated by commas, for messages."""
    return ", ".join(form for scheme in schemes for form in SCHEMES[scheme].forms)


def _used_for(*uses: Use) -> Iterator[str]:
    return (scheme.name for scheme in SCHEMES.values() if scheme.use in uses)


CHECKPOINTS = tuple(_used_for("checkpoint"))
"""Schemes of checkpoints."""
MODELS = tuple(_used_for("checkpoint", "endpoint"))
"""Schemes of models that can be asked."""
ROWS = tuple(_used_for("rows"))
"""Schemes of files and data sets."""
