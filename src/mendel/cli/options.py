"""The options that several commands share, as one object for each command, in panels of the help."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

import mendel

if TYPE_CHECKING:
    from mendel import Batch, BudgetConfig, EndpointConfig, JudgeModelConfig

PANELS = STUDY, TRAINING, JUDGE, ENDPOINTS, BUDGET, OUTPUT = (
    "Study",
    "Training",
    "Judge",
    "Endpoints",
    "Budget",
    "Output",
)
"""The panels of a command's help, in their order."""

RunArgument = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a finished run.")]
StudyArgument = Annotated[str, typer.Argument(help="Study file, or the name of a built-in study.")]
StudyOption = Annotated[
    Path | None,
    typer.Option(rich_help_panel=STUDY, help="Study file of the run, if the file was moved since."),
]
TraitOption = Annotated[
    str, typer.Option("--trait", rich_help_panel=STUDY, help="Name or file of the trait.")
]
JudgeOption = Annotated[
    str | None,
    typer.Option(
        rich_help_panel=JUDGE,
        metavar="SPEC",
        help="Model that judges by the rubric of each trait. Default: each trait's own judge.",
    ),
]


@dataclasses.dataclass(frozen=True, kw_only=True)
class OutputOptions:
    """How a command prints its result."""

    as_json: Annotated[
        bool,
        typer.Option("--json", rich_help_panel=OUTPUT, help="Print one JSON object on standard output."),
    ] = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class WorkOptions(OutputOptions):
    """Options of a command that reads and writes the store."""

    store: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=OUTPUT,
            help="Folder of finished work, shared by all runs. Default: MENDEL_STORE, else ~/.cache/mendel.",
        ),
    ] = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class SpendingOptions(WorkOptions):
    """Options of a command that may ask endpoints: what they may cost, and batches."""

    dollars: Annotated[
        float | None,
        typer.Option(min=0, rich_help_panel=BUDGET, help="Spending limit for endpoints, in US dollars."),
    ] = None
    requests: Annotated[
        int | None,
        typer.Option(min=1, rich_help_panel=BUDGET, help="Limit on the number of requests to endpoints."),
    ] = None
    tokens: Annotated[
        int | None,
        typer.Option(min=1, rich_help_panel=BUDGET, help="Limit on the number of tokens of endpoints."),
    ] = None
    batch_out: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=BUDGET,
            help="Write the requests to this file, for a provider's batch API, instead of sending them.",
        ),
    ] = None
    batch_in: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=BUDGET, help="Read the responses of a provider's batch API from this file first."
        ),
    ] = None

    @property
    def budget(self) -> BudgetConfig | None:
        """What endpoints may cost; None where no limit is given, which leaves the study's own budget."""
        if self.dollars is None and self.requests is None and self.tokens is None:
            return None
        return mendel.BudgetConfig(dollars=self.dollars, requests=self.requests, tokens=self.tokens)

    @property
    def batch(self) -> Batch | None:
        """The batch files; None where no file is given."""
        if self.batch_in is None and self.batch_out is None:
            return None
        return mendel.Batch(read=self.batch_in, write=self.batch_out)


@dataclasses.dataclass(frozen=True, kw_only=True)
class EndpointOptions(SpendingOptions):
    """Options of a command that names endpoints itself, and not by a study."""

    key: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            rich_help_panel=ENDPOINTS,
            help="Name of the environment variable that holds the API key.",
        ),
    ] = "OPENAI_API_KEY"
    concurrency: Annotated[
        int,
        typer.Option(min=1, rich_help_panel=ENDPOINTS, help="Number of requests to an endpoint at a time."),
    ] = 8

    @property
    def endpoint(self) -> EndpointConfig:
        """How endpoints are asked.

        Raises:
            InputError: `--key` is a key and not the name of a variable. The message does not repeat the key.
        """
        try:
            return mendel.EndpointConfig(key=self.key, concurrency=self.concurrency)
        except ValueError:
            raise mendel.InputError(
                "not the name of an environment variable",
                where="--key",
                allowed="capital letters, digits and underscores",
                fix="Write the NAME of the variable that holds the key, not the key: --key OPENAI_API_KEY.",
            ) from None

    def judge(self, model: str | None) -> JudgeModelConfig | None:
        """Return the model that judges, asked as these options say, or None where no model is given."""
        return mendel.JudgeModelConfig(model=model, endpoint=self.endpoint) if model else None


def with_options(function: Callable[..., None]) -> Callable[..., None]:
    """Return the function as Typer needs it: each options object is replaced by the options in it."""
    hints = get_type_hints(function, include_extras=True)
    parameters: list[inspect.Parameter] = []
    objects: dict[str, tuple[type, list[str]]] = {}
    for parameter in inspect.signature(function).parameters.values():
        kind = hints[parameter.name]
        if isinstance(kind, type) and dataclasses.is_dataclass(kind):
            options = _options_of(kind)
            objects[parameter.name] = kind, [option.name for option in options]
            parameters += options
        else:
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=kind))
    parameters.sort(key=_panel)

    def command(**values: Any) -> None:
        for name, (kind, options) in objects.items():
            values[name] = kind(**{option: values.pop(option) for option in options})
        function(**values)

    command.__name__, command.__doc__ = function.__name__, function.__doc__
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command


def _options_of(kind: type) -> list[inspect.Parameter]:
    hints = get_type_hints(kind, include_extras=True)
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=hints[field.name],
        )
        for field in dataclasses.fields(kind)
    ]


def _panel(parameter: inspect.Parameter) -> int:
    """Return the place of an option's panel among the panels; arguments stand before all options."""
    (about,) = parameter.annotation.__metadata__
    return PANELS.index(about.rich_help_panel) if about.rich_help_panel else -1
