"""Checkpoints: found and checked without torch, named by their content."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from mendel.engine.digest import digest
from mendel.engine.errors import InputError, did_you_mean
from mendel.models.files import check_folder, content_files, known_digest, template_text
from mendel.study.references import CHECKPOINTS, forms

HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
HUB_FILES = ("*.json", "*.safetensors", "*.jinja", "*.model", "*.txt")
"""What is downloaded of a hub model."""


@dataclass(frozen=True)
class Checkpoint:
    """A model with its tokenizer and chat template, as a value. Two checkpoints with the same digest are the
    same.
    """

    ref: str
    """As the study names it: `hf:FOLDER` or `hf:HUB_NAME`, or `vllm:` in place of `hf:` if vLLM answers for
    it."""
    path: str
    """The folder (absolute). It is not part of the content: a moved checkpoint is the same one."""
    digest: str
    """SHA-256 over the names and bytes of config, weights, tokenizer and template; with vLLM, over that and
    the engine."""
    template: str = ""
    """Digest of the chat template's text when the checkpoint was resolved; '' if it was not read."""
    dated: bool = False
    """Whether the chat template writes today's date into every conversation (`strftime_now`)."""

    @property
    def served(self) -> bool:
        """Whether vLLM answers for it and for what is trained on it."""
        return self.ref.startswith("vllm:")


def resolve_checkpoint(ref: str, root: Path, where: str | None = None) -> Checkpoint:
    """Find a checkpoint, and check its files. Loads no torch.

    Args:
        ref: `hf:FOLDER` or `hf:HUB_NAME` (downloaded once, found offline later), or `vllm:` in place of
            `hf:`.
        root: The folder that relative folders start from.
        where: Where the reference stands, for messages.

    Returns:
        The checkpoint as a value.

    Raises:
        InputError: There is no such folder or hub name, or it lacks config, safetensors weights, tokenizer or
            chat template.
    """
    scheme, separator, name = ref.partition(":")
    if scheme not in CHECKPOINTS or not name:
        raise InputError(
            "no checkpoint",
            where=where,
            value=ref,
            allowed=forms(*CHECKPOINTS),
            fix=f"Write hf:{ref}." if ref and not separator else None,
        )
    folder = (root / Path(name).expanduser()).resolve()
    if folder.is_dir():
        check_folder(folder, where or ref)
    elif folder.exists():
        raise InputError("is a file, not a checkpoint's folder", where=where or ref, value=str(folder))
    else:
        folder = _from_hub(name, folder, where or ref)
        check_folder(folder, where or ref)
    files = {file.relative_to(folder).as_posix(): known_digest(file) for file in content_files(folder)}
    text = template_text(folder)
    content = digest("checkpoint", files)
    # vLLM draws other answers from the same weights, so such a checkpoint has a name of its own.
    name = digest("served-by-vllm", content) if scheme == "vllm" else content
    return Checkpoint(ref, str(folder), name, digest("template-text", text), "strftime_now" in text)


def _from_hub(name: str, folder: Path, where: str) -> Path:
    """Return the folder of a hub model, downloaded if it is not there yet."""
    missing = f"no folder {str(folder)!r}"
    near = [f.name for f in folder.parent.iterdir() if f.is_dir()] if folder.parent.is_dir() else []
    hint = did_you_mean(folder.name, near) if near else None
    if not HUB_NAME.fullmatch(name):
        raise InputError(
            missing,
            where=where,
            fix=hint or "Paths are relative to the study file, hub names are OWNER/NAME.",
        )
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=list(HUB_FILES), etag_timeout=5))
    except Exception as error:
        # The hub's client raises its own errors, httpx's errors, OSError or ValueError, depending on the
        # cause.
        raise InputError(
            f"{missing}, and the hub gives no model {name!r} ({type(error).__name__})",
            where=where,
            fix=hint or "Check the spelling; a hub model needs the network once.",
        ) from error
