"""Selectors score prompts, so that a filter can flag a share of them. Each is a registered function.

Texts: `keyword`, `judge`, `length`, `random` (plain.py). The base model's activations: `embedding`, `probe`,
`projection`, `projection_difference` (activations.py). Its losses and gradients: `loss_difference`,
`divergence` (losses.py), `influence` (influence.py). `registry.py` says what a selector is; `cut.py` flags
prompts by their scores. Importing this package loads no torch.
"""

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


def check_selector(config: SelectConfig, where: str | None = None) -> None:
    """Find the faults of a `select:` section that show before there are rollouts.

    Args:
        config: The study's `select:` section.
        where: Its place in the study, for messages.

    Raises:
        InputError: The name is unknown, the pattern is no regular expression, or a package is missing.
    """
    selectors.get(config.by, where=where)
    if config.by == "keyword":
        plain.keyword_pattern(config, where)
    if config.by == "influence":
        influence.require_bergson(where)
