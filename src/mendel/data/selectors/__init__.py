"""Selectors score prompts, so that a filter can flag a share of them. Each is a registered function.

Texts: `keyword`, `judge`, `length`, `random` (plain.py). The base model's activations: `embedding`, `probe`,
`projection`, `projection_difference` (activations.py). Its losses and gradients: `loss_difference`,
`divergence` (losses.py), `influence` (influence.py). `registry.py` says what a selector is; `cut.py` flags
prompts by their scores. Importing this package loads no torch.
"""

from collections.abc import Callable
from functools import partial

from mendel.data.selectors import activations, influence, losses, plain
from mendel.data.selectors.cut import Flagged, SortedOut, flag, ranking, sort_out, top
from mendel.data.selectors.registry import (
    Answer,
    Candidate,
    Context,
    ContrastSet,
    Selector,
    selector,
    selectors,
)
from mendel.data.selectors.scoring import select
from mendel.study.schema import SelectConfig

__all__ = [
    "Answer",
    "Candidate",
    "Context",
    "ContrastSet",
    "Flagged",
    "Selector",
    "SortedOut",
    "activations",
    "check_selector",
    "flag",
    "influence",
    "losses",
    "plain",
    "ranking",
    "select",
    "selector",
    "selectors",
    "sort_out",
    "top",
]


def check_selector(
    config: SelectConfig, where: str | None = None, line: Callable[..., str] | None = None
) -> None:
    """Check the name, the options, the pattern and the packages of a selector, before there are rollouts.

    Args:
        config: The study's `select`.
        where: Its place in the study, for messages.
        line: A function from the keys within `select` to their place in the study.

    Raises:
        InputError: Something of these is wrong.
    """
    option = partial(line, "options") if line is not None else None
    selectors.parse_options(config.by, config.options, where=where, line=option)
    if config.by == "keyword":
        plain.keyword_pattern(config, where)
    if config.by == "influence":
        influence.require_bergson(where)
