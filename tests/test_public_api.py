"""The public names and their signatures are those of `public_api.txt`: a change of them is made on purpose.

After such a change, write the file again with `python tests/test_public_api.py --write`, look at the difference, and
say in CHANGELOG.md what users must change.
"""

from __future__ import annotations

import difflib
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import is_typeddict

import mendel

FILE = Path(__file__).with_name("public_api.txt")


def signature(function: object) -> str:
    """Return the signature of a function, or of the constructor of a class, without the quotes of its annotations."""
    text = str(inspect.signature(function))  # type: ignore[arg-type]
    return re.sub(r"""(: |-> )(["'])(.*?)\2""", r"\1\3", text)


def attributes(kind: type) -> Iterator[str]:
    """Yield the public attributes that classes of mendel define: methods with their signatures, fields, properties."""
    owners = [part for part in kind.__mro__ if part.__module__.split(".")[0] == "mendel"]
    names = {name for part in owners for name in [*vars(part), *inspect.get_annotations(part)]}
    for name in sorted(name for name in names if not name.startswith(("_", "model_"))):
        value = inspect.getattr_static(kind, name, None)
        if isinstance(value, staticmethod | classmethod):
            value = value.__func__
        annotation = next((part.__annotations__[name] for part in owners if name in part.__annotations__), "")
        if inspect.isfunction(value):
            yield f"  .{name}{signature(value)}"
        elif isinstance(annotation, str) and annotation:
            yield f"  .{name}: {annotation}"
        else:
            yield f"  .{name}"


def public_api() -> str:
    """Return every public name, one a line, with its signature; below a class its public attributes."""
    lines: list[str] = []
    for name in sorted(mendel.__all__):
        value = getattr(mendel, name)
        # The fields of a configuration say more than the signature that Pydantic makes of them.
        plain = not callable(value) or hasattr(value, "model_fields") or is_typeddict(value)
        lines.append(name if plain else f"{name}{signature(value)}")
        if inspect.isclass(value):
            lines += attributes(value)
    return "\n".join(lines) + "\n"


def test_the_public_api_is_the_one_that_is_written_down() -> None:
    difference = difflib.unified_diff(
        FILE.read_text(encoding="utf-8").splitlines(),
        public_api().splitlines(),
        "written",
        "now",
        lineterm="",
        n=0,
    )
    text = "\n".join(difference)
    assert not text, f"{text}\nIf this is meant: python tests/test_public_api.py --write"


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit(__doc__)
    FILE.write_text(public_api(), encoding="utf-8")
