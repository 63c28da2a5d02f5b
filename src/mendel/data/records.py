"""Rows of JSONL, Parquet and Hugging Face data sets, one at a time, each with its place."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from mendel.engine.errors import InputError, did_you_mean

BATCH_ROWS = 1024
"""Parquet rows that are held in memory at once."""


@dataclass(frozen=True)
class Record:
    """One row and its place: `path:line` (JSONL) or `path row N` (Parquet and data sets; from 1)."""

    row: dict[str, Any]
    where: str


def read_records(ref: str, root: Path) -> Iterator[Record]:
    """Return an iterator over the rows of a file or data set, which are read as they are needed.

    Args:
        ref: `file:PATH` (`.jsonl` or `.parquet`) or `dataset:NAME[:SPLIT]`. NAME is a folder (written by
            `save_to_disk`, or with Parquet or JSON files) or a name on the hub. SPLIT defaults to the only
            one, or `train`.
        root: Folder that paths start from.

    Raises:
        InputError: The reference, the file or a row cannot be read; the message names file and line.
    """
    scheme, _, rest = ref.partition(":")
    readers: dict[str, Callable[[str, Path], Iterator[Record]]] = {"file": _file, "dataset": _dataset}
    if scheme not in readers or not rest:
        looks_like_path = scheme == ref or not rest
        raise InputError(
            "no scheme in the reference" if looks_like_path else f"unknown scheme {scheme!r}",
            value=ref,
            allowed="file:PATH, dataset:NAME",
            fix=f"Write file:{ref.rstrip(':')}." if looks_like_path else did_you_mean(scheme, readers),
        )
    rows = readers[scheme](rest, root)
    first = next(rows, None)
    if first is None:
        raise InputError("no rows in it", where=_place(scheme, rest, root), fix="It needs one row at least.")
    return chain([first], rows)


def _place(scheme: str, rest: str, root: Path) -> str:
    return str(root / rest) if scheme == "file" else f"{scheme}:{rest}"


def _file(name: str, root: Path) -> Iterator[Record]:
    path = root / name
    if path.is_dir():
        raise InputError("a folder, not a file", where=str(path), fix=_instead_of_folder(path, name))
    if not path.exists():
        raise InputError("no such file", where=str(path), fix=_instead_of_missing(path))
    if path.suffix == ".jsonl":
        return _jsonl(path)
    if path.suffix == ".parquet":
        return _parquet(path)
    raise InputError(
        "unknown kind of file",
        where=str(path),
        value=path.suffix,
        allowed=".jsonl, .parquet",
        fix="Write one JSON object a line, and name the file .jsonl.",
    )


def _instead_of_folder(path: Path, name: str) -> str:
    if any((path / marker).exists() for marker in ("dataset_info.json", "dataset_dict.json")):
        return f"It was saved by Hugging Face datasets: write dataset:{name}."
    inside = sorted(p.name for p in path.iterdir() if p.suffix in (".jsonl", ".parquet"))
    return f"Name a file in it, such as file:{name.rstrip('/')}/{inside[0]}." if inside else "Name a file."


def _instead_of_missing(path: Path) -> str:
    if not path.parent.is_dir():
        return f"There is no folder {path.parent} either; paths start at the study's folder."
    siblings = [p.name for p in path.parent.iterdir() if p.suffix in (".jsonl", ".parquet")]
    return (
        did_you_mean(path.name, siblings) if siblings else "Check the path; it starts at the study's folder."
    )


def _jsonl(path: Path) -> Iterator[Record]:
    try:
        # Bytes, so that a bad encoding is reported with its line.
        with path.open("rb") as stream:
            for number, line in enumerate(stream, 1):
                where = f"{path}:{number}"
                if number == 1:
                    line = line.removeprefix(b"\xef\xbb\xbf")  # a byte order mark
                if line.strip():
                    yield Record(_object(line, where), where)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", where=str(path)) from None


def _object(line: bytes, where: str) -> dict[str, Any]:
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"no valid UTF-8 at byte {error.start + 1} of the line (0x{line[error.start]:02x})",
            where=where,
            fix="Save the file as UTF-8.",
        ) from None
    try:
        row = json.loads(text)
        if "\\ud" in text.lower():
            # Half of a surrogate pair can be decoded, but not by tokenizers, Parquet files and digests.
            json.dumps(row, ensure_ascii=False).encode("utf-8")
    except json.JSONDecodeError as error:
        raise InputError(
            f"no valid JSON: {error.msg}, at column {error.colno}",
            where=where,
            fix="Write one whole JSON object a line.",
        ) from None
    except UnicodeEncodeError:
        raise InputError(
            "the text holds half of a surrogate pair (\\ud…)", where=where, fix="Remove it."
        ) from None
    except RecursionError:
        raise InputError("the JSON is nested too deeply", where=where, fix="Write a flat object.") from None
    if not isinstance(row, dict):
        kinds = {list: "an array", str: "a string", bool: "a truth value", type(None): "null"}
        raise InputError(
            f"{kinds.get(type(row), 'a number')}, not an object",
            where=where,
            fix="Write one JSON object a line.",
        )
    return row


def _parquet(path: Path) -> Iterator[Record]:
    import pyarrow
    import pyarrow.parquet

    try:
        number = 0
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=BATCH_ROWS):
                for row in batch.to_pylist():
                    number += 1
                    yield Record(row, f"{path} row {number}")
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(f"no readable Parquet file: {_first_line(error)}", where=str(path)) from None


def _dataset(rest: str, root: Path) -> Iterator[Record]:
    name, _, split = rest.partition(":")
    folder = root / name
    rows = _local_dataset(folder, split) if folder.is_dir() else _hub_dataset(name, split, root)
    return _numbered(rows, f"dataset:{rest}")


def _local_dataset(folder: Path, split: str) -> Any:
    import datasets

    where = f"dataset:{folder}"
    try:
        if (folder / "dataset_dict.json").exists() or (folder / "state.json").exists():
            loaded: Any = datasets.load_from_disk(str(folder))
        else:
            # Streaming reads the folder's files themselves, with no copy in a cache that could be stale.
            loaded = datasets.load_dataset(str(folder), streaming=True)
    except Exception as error:  # the builders raise the errors of all their readers
        raise InputError(
            f"the folder holds no data set that can be read: {_first_line(error)}",
            where=where,
            fix="It needs Parquet or JSONL files, or what save_to_disk wrote.",
        ) from None
    if isinstance(loaded, dict):
        return _choose_split(loaded, split, where)
    if split:
        raise InputError("the data set has no splits", where=where, value=split, fix="Leave the split out.")
    return loaded


def _choose_split(splits: dict[str, Any], split: str, where: str) -> Any:
    names = [str(name) for name in splits]
    if not split:
        split = names[0] if len(names) == 1 else "train"
    if split not in names:
        raise InputError(
            f"no split {split!r}", where=where, allowed=", ".join(names), fix=did_you_mean(split, names)
        )
    return splits[split]


def _hub_dataset(name: str, split: str, root: Path) -> Any:
    import datasets

    try:
        return datasets.load_dataset(name, split=split or "train")
    except Exception as error:  # hub, network and builders raise dozens of kinds
        reason = _first_line(error)
        unreachable = isinstance(error, ConnectionError) or "Offline" in f"{type(error).__name__} {reason}"
        raise InputError(
            f"the hub cannot be reached, and there is no folder {root / name}: {reason}"
            if unreachable
            else f"the data set cannot be read: {reason}",
            where=f"dataset:{name}",
            fix="Fetch it where there is a network, with save_to_disk(FOLDER), and write dataset:FOLDER; "
            "or write file:PATH.jsonl."
            if unreachable
            else "Check the name and split, or write dataset:FOLDER or file:PATH.jsonl.",
        ) from None


def _numbered(rows: Any, where: str) -> Iterator[Record]:
    number = 0
    try:
        for row in rows:
            number += 1
            yield Record(dict(row), f"{where} row {number}")
    except Exception as error:  # a streamed builder parses during the iteration
        raise InputError(f"unreadable after row {number}: {_first_line(error)}", where=where) from None


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
