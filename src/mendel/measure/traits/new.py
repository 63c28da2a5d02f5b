"""Write a trait file to start from: commented, complete, and ready to run."""

from __future__ import annotations

import re
from pathlib import Path

from mendel.engine.errors import InputError
from mendel.engine.store import write_atomic

TEMPLATE = Path(__file__).with_name("new_trait.yaml")


def trait_new(name: str, folder: str | Path = ".") -> Path:
    """Write NAME.yaml into a folder and return its path.

    Args:
        name: The trait's name.
        folder: The folder, which must exist.

    Raises:
        InputError: There is such a file, or `name` is not the name of a trait.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name) or name.endswith((".yaml", ".yml")):
        raise InputError(
            "this is no name for a trait",
            value=name,
            allowed="letters, digits and . _ -",
            fix="Write 'mendel trait new my_trait': the file becomes my_trait.yaml.",
        )
    path = Path(folder) / f"{name}.yaml"
    if path.exists():
        raise InputError(
            "there is a file already", where=str(path), fix="Choose another name, or remove the file."
        )
    write_atomic(path, TEMPLATE.read_text(encoding="utf-8").replace("NAME", name))
    return path
