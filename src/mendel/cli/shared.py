"""What all commands share: how they are registered, what they pass on, and how they print."""

from __future__ import annotations

import contextlib
import inspect
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import typer

import mendel
from mendel.cli.options import OutputOptions, SpendingOptions, WorkOptions, with_options

if TYPE_CHECKING:
    from rich.console import Console

Function = TypeVar("Function", bound=Callable[..., None])
Made = TypeVar("Made")


class Result(Protocol):
    """The result of a command, for programs and for people."""

    def to_json(self) -> dict[str, Any]:
        """Return the result as one JSON object."""

    def describe(self) -> str:
        """Return the result as plain text."""


def command(app: typer.Typer, *examples: str) -> Callable[[Function], Function]:
    """Return a decorator that adds a function to an app, as a command with examples in its help."""

    def add(function: Function) -> Function:
        app.command(function.__name__, epilog=epilog(*examples))(with_options(function))
        return function

    return add


def epilog(*examples: str) -> str:
    """Return command lines as the last lines of a help text."""
    return "\n".join(["[bold]Examples[/bold]", *(f"$ {example}" for example in examples)])


@contextlib.contextmanager
def working(function: Callable[..., Any], options: OutputOptions) -> Iterator[dict[str, Any]]:
    """Context manager: show progress, and yield the keywords that every public function takes.

    Ctrl-C ends the block with exit code 130 and a message.
    """
    with mendel.show_progress() as progress:
        try:
            yield keywords(function, options, progress)
        except KeyboardInterrupt:
            progress.close()
            typer.echo(
                "mendel: interrupted. Finished work is kept: run the same command to continue.", err=True
            )
            raise typer.Exit(130) from None


def as_far_as_it_came(
    function: Callable[..., Made], *arguments: Any, **words: Any
) -> tuple[Made, Exception | None]:
    """Return a function's result, and what stopped it early: a spent budget, or an awaited batch.

    Raises:
        Stopped: It was stopped with nothing to show.
    """
    try:
        return function(*arguments, **words), None
    except mendel.Stopped as stopped:
        if stopped.result is None:
            raise
        return stopped.result, stopped


def keywords(function: Callable[..., Any], options: OutputOptions, progress: object) -> dict[str, Any]:
    """Return the options as the keywords of a public function: store, budget, batch and progress.

    Raises:
        InputError: An option is given that the function does not take.
    """
    words: dict[str, Any] = {"progress": progress}
    if isinstance(options, WorkOptions):
        words["store"] = options.store
    if isinstance(options, SpendingOptions):
        words |= given(budget=options.budget, batch=options.batch)
    for word in words.keys() - inspect.signature(function).parameters.keys():
        raise mendel.InputError(
            f"this command takes no {word.replace('_', ' ')}", fix="Leave the option out."
        )
    return words


def given(**values: Any) -> dict[str, Any]:
    """Return the values that a user has given: those that are not None and not empty."""
    return {name: value for name, value in values.items() if value is not None and value != []}


def show(result: Result, options: OutputOptions) -> None:
    """Print a result, as JSON or as plain text."""
    if options.as_json:
        print_json(result.to_json())
    else:
        typer.echo(result.describe())


def print_json(value: Any) -> None:
    """Print one JSON object on standard output."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=1))


def write_json(path: Path, value: Any) -> None:
    """Write one JSON object to a file.

    Raises:
        InputError: The file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise mendel.InputError(
            f"the file cannot be written: {error.strerror}",
            where=str(path),
            fix="Name another file with --out.",
        ) from error


def console() -> Console:
    """Return the console of standard output, 100 columns wide where that is no terminal."""
    from rich.console import Console

    return Console() if sys.stdout.isatty() else Console(width=100)
