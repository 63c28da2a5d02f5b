"""Write the generated parts of `docs/study.md`, `docs/results.md` and `docs/sentences.md`.

    python docs/_generate.py            # write them
    python docs/_generate.py --check    # exit 1 if a page is out of date

A page holds hand-written text and, between `<!-- generated: WHAT -->` and `<!-- end -->`, tables that this script makes
from the code: the keys of a study file from `mendel.study.schema`, what is in a run's folder from `mendel.results`, the
sentences of a verdict from `mendel.diagnose.sentences`, the words of the page from `mendel.report.views.words`.
What the code does not describe itself is described in `docs/_results.yaml`.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import json
import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

import mendel.results
from mendel.diagnose.sentences import SENTENCES
from mendel.measure.inspect_tasks import InspectConfig
from mendel.measure.judges import GradeConfig, JudgeConfig
from mendel.measure.traits.file import GenerateConfig, LogOddsConfig, TraitFile
from mendel.report.views.words import HEADLINES
from mendel.results import tables
from mendel.study import schema

DOCS = Path(__file__).parent
PAGES = ("study.md", "results.md", "sentences.md")
BLOCK = re.compile(r"(<!-- generated: (.+?) -->\n).*?(<!-- end -->)", re.DOTALL)
TRAIT_MODELS: tuple[type[BaseModel], ...] = (
    TraitFile,
    InspectConfig,
    JudgeConfig,
    GradeConfig,
    LogOddsConfig,
    GenerateConfig,
)
SHOWN_DEFAULT = 40
"""Characters of a default that a table shows; a longer one is another section's defaults."""


def page(name: str) -> str:
    """Return the text of a page with its generated parts made anew."""
    text = (DOCS / name).read_text(encoding="utf-8")
    return BLOCK.sub(lambda block: f"{block[1]}\n{generated(block[2])}\n\n{block[3]}", text)


def generated(what: str) -> str:
    """Return the generated part that a marker asks for, such as `keys StudyConfig` or `columns students`."""
    kind, _, name = what.partition(" ")
    return GENERATORS[kind](name)


# The keys of a study file and of a trait file.


def keys(name: str) -> str:
    """Return the table of a pydantic model's keys: name, type, default, meaning."""
    model = _model(name)
    content = model.model_json_schema()
    texts = descriptions(model)
    required = set(content.get("required", ()))
    rows = []
    for key, field in content.get("properties", {}).items():
        default = "required" if key in required else _default(field.get("default"))
        # Several lines of a docstring are one cell.
        rows.append((f"`{key}`", _type(field), default, " ".join(texts.get(key, "").split())))
    return _table(("key", "value", "default", "meaning"), rows)


def descriptions(model: type[BaseModel]) -> dict[str, str]:
    """Return what each field means, by name: its description, or the docstring below it in the source.

    A field without either takes the first sentence of the docstring of the model that is its value.
    """
    texts: dict[str, str] = {}
    tree = ast.parse(textwrap.dedent(inspect.getsource(model)))
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    for field, following in pairwise(body):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(following, ast.Expr)
            and isinstance(following.value, ast.Constant)
        ):
            texts[field.target.id] = str(following.value.value)
    for key, info in model.model_fields.items():
        if info.description:
            texts[key] = info.description
        elif key not in texts:
            values = [m for m in _models(info.annotation) if m.__doc__]
            texts[key] = (values[0].__doc__ or "").partition(". ")[0].rstrip(".") + "." if values else ""
    return texts


def _model(name: str) -> type[BaseModel]:
    named = {model.__name__: model for model in TRAIT_MODELS}
    found: type[BaseModel] = named[name] if name in named else getattr(schema, name)
    return found


def _models(annotation: Any) -> list[type[BaseModel]]:
    """Return the pydantic models within a type, outermost first."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in getattr(annotation, "__args__", ()) for model in _models(part)]


def _type(field: Mapping[str, Any]) -> str:
    """Return a JSON schema's type in words: `number, above 0`, `` `lora` or `full` ``, a link to a section."""
    if "$ref" in field:
        name = str(field["$ref"]).rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in field:
        return " or ".join(
            dict.fromkeys(_type(part) for part in field["anyOf"] if part.get("type") != "null")
        )
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if "const" in field:
        return f"`{field['const']}`"
    kind = field.get("type")
    if kind == "array" and "prefixItems" in field:
        return f"[{', '.join(_type(item) for item in field['prefixItems'])}]"
    if kind == "array":
        return f"list of: {_type(field['items'])}" if field.get("items") else "list"
    if kind == "object":
        value = field.get("additionalProperties")
        return f"name: {_type(value)}" if isinstance(value, dict) else "any keys"
    words = {"string": "text", "number": "number", "integer": "whole number", "boolean": "true or false"}
    return words.get(str(kind), "any value") + _bounds(field)


def _bounds(field: Mapping[str, Any]) -> str:
    low, high = field.get("minimum"), field.get("maximum")
    if low is not None and high is not None:
        return f", {low:g} to {high:,}".replace(".0", "")
    parts = [
        f"{word} {field[key]:g}"
        for key, word in (
            ("minimum", "at least"),
            ("exclusiveMinimum", "above"),
            ("maximum", "at most"),
            ("exclusiveMaximum", "below"),
        )
        if key in field
    ]
    return f", {', '.join(parts)}" if parts else ""


def _default(value: Any) -> str:
    if value is None or value in ([], {}):
        return "none"
    text = json.dumps(value)
    return f"`{text}`" if len(text) <= SHOWN_DEFAULT else "see there"


# The tables and files of a run's folder.

Row = tuple[str, str, str]
"""Column or key, type, meaning."""


def columns(name: str) -> str:
    """Return the table of a run's table: column, type, meaning. Raise ValueError for a column without a description."""
    rows = _described(f"{name}.parquet") or _from_yaml("columns", name)
    _same(f"table {name}", (column for column, *_ in tables.SCHEMAS[name]), (column for column, *_ in rows))
    return _table(("column", "type", "meaning"), _code(rows))


def entries(name: str) -> str:
    """Return the table of a file's keys; `trait` is what stands below `traits.NAME` in verdicts.json."""
    inside = re.compile(r"traits\.[A-Z]+\.")
    if name in ("verdicts", "trait"):
        rows = [row for row in _described("verdicts.json") if bool(inside.match(row[0])) == (name == "trait")]
        rows = [(inside.sub("", key), kind, meaning) for key, kind, meaning in rows]
    else:
        rows = _described(f"{name}.json")
    return _table(("key", "value", "meaning"), _code(rows or _from_yaml("keys", name)))


def _described(file: str) -> list[Row]:
    """Return what the code itself says of a file's keys or columns; empty where it says nothing.

    `mendel.results.describe()` gives values with `file`, `key`, `type` and `meaning`.
    """
    describe = getattr(mendel.results, "describe", None)
    return [(d.key, d.type, d.meaning) for d in describe() if d.file == file] if describe else []


def _from_yaml(kind: str, name: str) -> list[Row]:
    content = yaml.safe_load((DOCS / "_results.yaml").read_text(encoding="utf-8"))
    texts: dict[str, str] = content[kind][name]
    if kind == "keys":
        parts = {key: text.partition("; ") for key, text in texts.items()}
        return [(key, type_, meaning) for key, (type_, _, meaning) in parts.items()]
    types = {column: type_ for column, type_, *_ in tables.SCHEMAS[name]}
    return [(column, types.get(column, ""), text) for column, text in texts.items()]


# The sentences of a verdict.


def sentences(kind: str) -> str:
    """Return the table of the sentences whose keys begin with one of these words: key, sentence, condition."""
    kinds = tuple(f"{word}-" for word in kind.split())
    rows = [
        (f"`{key}`", _places(sentence.text), sentence.when)
        for key, sentence in SENTENCES.items()
        if f"{key}-".startswith(kinds)
    ]
    return _table(("key", "sentence", "it may appear where"), rows)


def unlisted(text: str) -> list[str]:
    """Return the keys of sentences that no table of a page lists."""
    kinds = tuple(
        f"{word}-"
        for what in re.findall("<!-- generated: sentences (.+?) -->", text)
        for word in what.split()
    )
    return [key for key in SENTENCES if not f"{key}-".startswith(kinds)]


def _places(text: str) -> str:
    """Return a sentence with its values' names in italics."""
    return re.sub(r"\{(\w+)\}", r"*\1*", text)


def headlines(_: str) -> str:
    """Return the table of the page's headlines."""
    return _table(("headline", "it stands there where"), HEADLINES.values())


def _code(rows: Iterable[Row]) -> list[Row]:
    return [(f"`{key}`", kind, meaning) for key, kind, meaning in rows]


def _same(what: str, code: Iterable[str], described: Iterable[str]) -> None:
    there, texts = set(code), set(described)
    if there != texts:
        raise ValueError(
            f"{what}: without description {sorted(there - texts)}, described but not there {sorted(texts - there)}"
        )


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


GENERATORS: Mapping[str, Callable[[str], str]] = {
    "keys": keys,
    "columns": columns,
    "entries": entries,
    "sentences": sentences,
    "headlines": headlines,
}


def main() -> int:
    """Write the pages, or with `--check` return 1 if one of them is out of date."""
    parser = argparse.ArgumentParser(
        description="Write the generated parts of docs/study.md, docs/results.md and docs/sentences.md."
    )
    parser.add_argument(
        "--check", action="store_true", help="change nothing; exit 1 if a page is out of date"
    )
    check = parser.parse_args().check
    stale = [name for name in PAGES if (DOCS / name).read_text(encoding="utf-8") != page(name)]
    for name in stale:
        if not check:
            (DOCS / name).write_text(page(name), encoding="utf-8")
        print(f"docs/{name} {'is out of date: run python docs/_generate.py' if check else 'written'}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
