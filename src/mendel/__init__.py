"""Post-training diffing: which part of a fine-tuning pipeline carries an unwanted trait.

    import mendel

    run = mendel.run("study.yaml")          # trains, measures, diagnoses; resumes what was done
    run.traits["blackmail"].carrier

The public names stand in `__init__.pyi`. A name's module is imported when the name is first used, so that
`import mendel` is quick.
"""

import ast
import importlib
from pathlib import Path

_IMPORTS = ast.parse(Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8")).body
_HOME = {
    alias.asname or alias.name: (line.module or "", alias.name)
    for line in _IMPORTS
    if isinstance(line, ast.ImportFrom)
    for alias in line.names
}
"""The module of each public name, and what the name is called there."""

__all__ = sorted(_HOME)


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'mendel' has no attribute {name!r}")
    module, attribute = _HOME[name]
    return getattr(importlib.import_module(module), attribute)


def __dir__() -> list[str]:
    return list(__all__)
