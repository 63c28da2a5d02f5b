"""The rules of the layout: where modules stand, what they are called, and what they may import.

All rules are read from the source text. Nothing of the package is imported.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "mendel"
ROOMS = {
    "cli", "commands", "workflow", "report", "organisms", "diagnose", "design", "train", "measure", "data", "models",
    "results", "study", "engine",
}  # fmt: skip
PLUGINS = {
    "engine/executors", "data/teachers", "data/selectors", "measure/judges", "measure/traits", "train/trainers",
    "design/arms", "diagnose/hypotheses", "diagnose/remedies", "organisms/transformations",
}  # fmt: skip
"""The folders of plug-ins. A folder that is not there yet is not looked at."""
SHARED_CLASS_NAMES: dict[str, str] = {}
"""Class names that two classes may share, each with the reason."""
LONGEST_MODULE = 400
WIDEST_LINE = 110
PRIVATE_IMPORTS_OF_TESTS = 20

MODULES = sorted(PACKAGE.rglob("*.py"))
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> Iterator[tuple[str, str | None]]:
    """Yield (module, name) for every import: name is None for `import module`."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0]


def is_private(module: str, name: str | None) -> bool:
    parts = [part for part in [*module.split("."), name or ""] if not part.startswith("__")]
    return any(part.startswith("_") for part in parts)


def public_names() -> set[str]:
    stub = tree(PACKAGE / "__init__.pyi").body
    return {
        alias.asname or alias.name
        for node in stub
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def test_the_package_holds_rooms_only() -> None:
    entries = {path.name for path in PACKAGE.iterdir()} - {"__pycache__"}
    assert entries == ROOMS | {"__init__.py", "__init__.pyi", "_version.py", "py.typed"}


def test_no_private_name_crosses_rooms() -> None:
    crossing = [
        f"{name_of(path)}: from {module} import {name}"
        for path in MODULES
        for module, name in imports(path)
        if module.startswith("mendel.")
        and module.split(".")[1] in ROOMS - {room_of(path)}
        and is_private(module, name)
    ]
    assert not crossing, "\n".join(crossing)


@pytest.mark.parametrize("path", sorted((PACKAGE / "cli").rglob("*.py")), ids=name_of)
def test_the_command_line_imports_the_public_api_only(path: Path) -> None:
    public = public_names()
    for module, name in imports(path):
        top = module.split(".")[0]
        if top in {"typer", "rich"} | sys.stdlib_module_names or module.startswith("mendel.cli"):
            continue
        assert module == "mendel", f"import of {module}"
        assert name is None or name in public | {"cli"}, f"from mendel import {name}"
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "mendel":
            assert node.attr in public, f"mendel.{node.attr}"


def test_no_room_is_named_like_a_public_name() -> None:
    assert not ROOMS & public_names()


def runtime_imports(path: Path) -> Iterator[str]:
    """Yield the top modules that a module imports, without those for type annotations."""
    waiting: list[ast.AST] = [tree(path)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            waiting += node.orelse
            continue
        if isinstance(node, ast.ImportFrom):
            yield (node.module or "").split(".")[0]
        elif isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        waiting += ast.iter_child_nodes(node)


def test_models_are_run_in_models_train_and_organisms_only() -> None:
    heavy = {"torch", "transformers", "trl", "peft"}
    found = {room_of(path) for path in MODULES if heavy & set(runtime_imports(path))}
    assert found == {"models", "train", "organisms"}


def test_no_two_classes_share_a_name() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path in MODULES:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(f"{name_of(path)}:{node.lineno}")
    shared = {name: lines for name, lines in places.items() if len(lines) > 1}
    assert shared.keys() == SHARED_CLASS_NAMES.keys(), shared


def test_every_folder_of_plugins_has_a_registry() -> None:
    missing = [
        folder
        for folder in sorted(PLUGINS)
        if (PACKAGE / folder).is_dir() and not (PACKAGE / folder / "registry.py").is_file()
    ]
    assert not missing, missing
    registries = {str(path.parent.relative_to(PACKAGE)) for path in PACKAGE.rglob("registry.py")}
    assert registries - {"engine"} <= PLUGINS


@pytest.mark.parametrize("folder", sorted(PLUGINS))
def test_every_module_of_a_plugin_folder_is_loaded_with_it(folder: str) -> None:
    # A module that nothing imports registers nothing, and nobody is told.
    package = "mendel." + folder.replace("/", ".")
    modules = {f"{package}.{path.stem}": path for path in (PACKAGE / folder).glob("*.py")}
    open_ones, loaded = [PACKAGE / folder / "__init__.py"], {f"{package}.__init__"}
    while open_ones:
        for module, name in imports(open_ones.pop()):
            for found in {module, f"{module}.{name}"} & modules.keys() - loaded:
                loaded.add(found)
                open_ones.append(modules[found])
    assert not modules.keys() - loaded, f"import them in {folder}/__init__.py"


def test_no_module_is_too_long() -> None:
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert not {name: length for name, length in lengths.items() if length > LONGEST_MODULE}


def lines_of_data(path: Path) -> set[int]:
    """The lines of triple-quoted strings that are no docstrings: files and templates, whose width is their own."""
    source = path.read_text(encoding="utf-8").splitlines()
    prose = {id(node.value) for node in ast.walk(tree(path)) if isinstance(node, ast.Expr)}
    lines: set[int] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Constant | ast.JoinedStr) and id(node) not in prose:
            opening = source[node.lineno - 1].encode()[node.col_offset :].lstrip(b"bBfFrRuU")
            if opening.startswith((b'"""', b"'''")):
                lines |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return lines


def test_no_line_of_code_is_too_wide() -> None:
    wide = []
    for path in MODULES:
        data = lines_of_data(path)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if len(line) > WIDEST_LINE and number not in data:
                wide.append(f"{name_of(path)}:{number} ({len(line)})")
    assert not wide, f"{len(wide)} lines\n" + "\n".join(wide)


def prose(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines of a document outside tables and code, without pictures and the targets of links."""
    code = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith(("```", "~~~")):
            code = not code
        elif not code and not line.startswith("    ") and not line.lstrip().startswith("|"):
            yield number, re.sub(r"!\[[^\]]*\]\([^)]*\)|\]\([^)]*\)|<?https?://\S+", "]", line)


def test_no_line_of_a_document_is_too_wide() -> None:
    wide = [
        f"{name_of(path)}:{number} ({len(line)})"
        for path in DOCUMENTS
        for number, line in prose(path.read_text(encoding="utf-8"))
        if len(line) > WIDEST_LINE
    ]
    assert not wide, f"{len(wide)} lines\n" + "\n".join(wide)


def private_names(path: Path) -> set[str]:
    """The private names of the package that a test imports, or reads from a module that it imports."""
    private: set[str] = set()
    modules: dict[str, str] = {}
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "mendel":
            for alias in node.names:
                modules[alias.asname or alias.name] = f"{node.module}.{alias.name}"
                if is_private(node.module or "", alias.name):
                    private.add(f"{node.module}.{alias.name}")
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and is_private("", node.attr):
            module = modules.get(node.value.id, "")
            # A class's own private attribute is no name of a module.
            if module and module.rsplit(".", 1)[-1].lstrip("_")[0].islower():
                private.add(f"{module}.{node.attr}")
    return private


def test_tests_import_few_private_names() -> None:
    private: dict[str, list[str]] = defaultdict(list)
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for name in private_names(path):
            private[name].append(name_of(path))
    listing = "\n".join(f"{name}: {', '.join(files)}" for name, files in sorted(private.items()))
    assert len(private) <= PRIVATE_IMPORTS_OF_TESTS, f"{len(private)} names\n{listing}"
