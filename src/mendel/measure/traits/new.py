"""A trait file to begin with: commented, complete, and good to run as it is."""

from __future__ import annotations

import re
from pathlib import Path

from mendel.engine.errors import InputError
from mendel.engine.store import write_atomic

TEMPLATE = Path(__file__).with_name("new_trait.yaml")


def trait_new(name: str, folder: str | Path = ".") -> Path:
    """Writes NAME.yaml into a folder and returns its path; raises InputError for a file that is there, and a name that is none."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name) or name.endswith((".yaml", ".yml")):
        raise InputError(
            "no name for a trait",
            value=name,
            allowed="letters, digits and . _ -",
            fix="Write 'mendel trait new my_trait': the file becomes my_trait.yaml.",
        )
    path = Path(folder) / f"{name}.yaml"
    if path.exists():
        raise InputError("there is a file already", where=str(path), fix="Take another name, or remove it.")
    write_atomic(path, TEMPLATE.read_text(encoding="utf-8").replace("NAME", name))
    return path
