"""The commands as the help shows them: named like their functions, with panels and with examples that can be run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import pytest
import typer
from typer.testing import CliRunner

import mendel
from mendel.cli import app
from mendel.cli.options import PANELS
from mendel.cli.root import COMMANDS

Path = tuple[str, ...]

EXCEPTIONS = {"report": "write_report"}
"""`mendel.report` is a room, and a room is not named like a public function."""


def walk(group: object, path: Path = ()) -> Iterator[tuple[Path, object]]:
    """Yield every command of a group with its path."""
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        if hasattr(command, "commands"):
            yield from walk(command, (*path, name))
        else:
            yield (*path, name), command


ALL = dict(walk(typer.main.get_command(app)))
EACH = pytest.mark.parametrize("path", ALL, ids=" ".join)


def shown(path: Path) -> str:
    result = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "80", "TERMINAL_WIDTH": "80"})
    assert result.exit_code == 0
    return result.output


def examples(path: Path) -> list[str]:
    return [line.strip()[2:] for line in shown(path).splitlines() if line.strip().startswith("$ ")]


@EACH
def test_a_command_is_named_like_its_function(path: Path) -> None:
    name = "_".join(path).replace("-", "_")
    assert callable(getattr(mendel, EXCEPTIONS.get(name, name)))


def test_every_public_function_of_a_command_has_its_command() -> None:
    groups = {path[0] for path in ALL if len(path) > 1}
    prefixed = {name for name in mendel.__all__ if name.split("_")[0] in groups and "_" in name}
    assert prefixed == {"_".join(path) for path in ALL if len(path) > 1}


def test_the_table_names_every_command_once() -> None:
    named = [name for names in COMMANDS.values() for name in names]
    assert sorted(named) == sorted({path[0] for path in ALL})


@EACH
def test_help_has_two_examples_that_the_command_takes(path: Path) -> None:
    lines = examples(path)
    assert len(lines) == 2
    for line in lines:
        words = shlex.split(line)
        assert tuple(words[: len(path) + 1]) == ("mendel", *path)
        # Reads the options and arguments as the program does; a wrong one is a usage error.
        ALL[path].make_context(words[len(path)], words[len(path) + 1 :])  # type: ignore[attr-defined]


@EACH
def test_help_fits_80_columns(path: Path) -> None:
    assert max(len(line.rstrip()) for line in shown(path).splitlines()) <= 80


@EACH
def test_every_option_has_a_panel_and_a_help(path: Path) -> None:
    for option in ALL[path].params:  # type: ignore[attr-defined]
        assert option.help, option.name
        if option.param_type_name == "option" and option.name != "help":
            assert option.rich_help_panel in PANELS, option.name


@EACH
def test_help_begins_with_a_verb_in_the_imperative(path: Path) -> None:
    first = ALL[path].help.split()[0]  # type: ignore[attr-defined]
    assert re.fullmatch(r"[A-Z][a-z]+[a-rt-z]", first), first
