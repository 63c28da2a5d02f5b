"""The files of a checkpoint's folder: which of them are its content, and whether they can be a model. No
torch.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from mendel.engine.digest import file_digest
from mendel.engine.errors import InputError

TOKENIZER = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model")
"""Files that hold a tokenizer."""
CONTENT = (
    "config.json",
    "generation_config.json",
    "model*.safetensors",
    "model.safetensors.index.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "merges.txt",
    "chat_template*",
    "additional_chat_templates/*.jinja",
    *TOKENIZER,
)
"""The files that a model's answers depend on. Readmes, other formats and optimizer states are not part of its
content."""
INDEX = "model.safetensors.index.json"
NOT_SAFETENSORS = ("*.bin", "*.pt", "*.pth", "*.gguf", "*.h5", "*.msgpack")


def content_files(folder: Path) -> list[Path]:
    """Return the files that are the checkpoint's content, sorted by name."""
    return sorted({file for pattern in CONTENT for file in folder.glob(pattern) if file.is_file()})


def check_folder(folder: Path, where: str) -> None:
    """Check that the folder holds a chat model's checkpoint. Raises InputError, at `where`, that says what is
    missing.
    """
    config = _json(folder / "config.json", where, "no config.json in it: this is no checkpoint", folder)
    if not isinstance(config, dict) or "model_type" not in config:
        raise InputError("config.json names no 'model_type': this is no checkpoint", where=_at(where, folder))
    for file in weight_files(folder, where):
        _check_safetensors(file, where)
    if not any((folder / name).is_file() for name in TOKENIZER):
        raise InputError(
            "no tokenizer in it",
            where=_at(where, folder),
            fix="Save it with tokenizer.save_pretrained(FOLDER).",
        )
    if not template_text(folder):
        raise InputError(
            "no chat template in it",
            where=_at(where, folder),
            fix="Add chat_template.jinja: it says how a conversation becomes text.",
        )


def template_text(folder: Path) -> str:
    """Return the text of the chat template, wherever the tokenizer keeps it; '' if there is none."""
    template_file = folder / "chat_template.jinja"
    if template_file.is_file():
        return template_file.read_text(encoding="utf-8")
    for name in ("tokenizer_config.json", "chat_template.json"):
        file = folder / name
        if not file.is_file():
            continue
        try:
            template = json.loads(file.read_text(encoding="utf-8")).get("chat_template")
        except (ValueError, AttributeError):
            continue
        if isinstance(template, list):
            named = {t.get("name"): t.get("template") for t in template if isinstance(t, dict)}
            template = named.get("default")
        if isinstance(template, str) and template:
            return template
    return ""


def known_digest(file: Path) -> str:
    """Return the digest of a file. It is computed once in a process while the file's size and time of change
    stay the same.
    """
    status = file.stat()
    return _cached_digest(str(file), status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=4096)
def _cached_digest(file: str, size: int, changed: int) -> str:
    return file_digest(Path(file))


def weight_files(folder: Path, where: str) -> list[Path]:
    """Return the weight files. Raises InputError if some are missing, or if the folder has no safetensors."""
    index = folder / INDEX
    if index.is_file():
        shards = sorted(set(_json(index, where, "", folder).get("weight_map", {}).values()))
        missing = [name for name in shards if not (folder / name).is_file()]
        if missing or not shards:
            raise InputError(
                f"{len(missing)} of {len(shards)} weight files are missing, "
                f"such as {next(iter(missing), '?')}",
                where=_at(where, folder),
                fix="Download or copy the checkpoint again.",
            )
        return [folder / name for name in shards]
    if (folder / "model.safetensors").is_file():
        return [folder / "model.safetensors"]
    other_formats = sorted(f.name for pattern in NOT_SAFETENSORS for f in folder.glob(pattern))
    if other_formats:
        raise InputError(
            f"no safetensors weights in it, only {other_formats[0]} (mendel unpickles nothing)",
            where=_at(where, folder),
            fix="Load it once with transformers and write it with save_pretrained(FOLDER).",
        )
    if (folder / "adapter_config.json").is_file():
        raise InputError(
            "an adapter without its base",
            where=_at(where, folder),
            fix="Merge it into its base (peft: merge_and_unload) and save that.",
        )
    raise InputError("no weights in it (model.safetensors)", where=_at(where, folder))


def _check_safetensors(file: Path, where: str) -> None:
    """Check that a weight file is complete, by its header only: a file that was cut in copying, or a Git LFS
    pointer, is refused.
    """
    size = file.stat().st_size
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        try:
            header = json.loads(stream.read(length)) if 8 + length <= size else None
        except ValueError:
            header = None
    ends = [entry["data_offsets"][1] for name, entry in (header or {}).items() if name != "__metadata__"]
    if not ends or 8 + length + max(ends) != size:
        raise InputError(
            f"the weights are damaged or incomplete ({size} bytes)",
            where=_at(where, file),
            fix="Download or copy the checkpoint again.",
        )


def _json(file: Path, where: str, missing: str, folder: Path) -> Any:
    if not file.is_file():
        raise InputError(
            missing, where=_at(where, folder), fix="Name the folder that holds the model's files."
        )
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"no JSON: {error}", where=_at(where, file)) from None


def _at(where: str, path: Path) -> str:
    return f"{where}: {path}"
