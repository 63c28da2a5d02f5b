"""What stands beside edits' numbers: how many prompts each changes, and what it leaves beside the prior."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mendel.engine.text import one_line
from mendel.results.advice import RecommendationVerdict

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class EditSize:
    """Prompts that an arm answers otherwise than its reference, per student."""

    changed: int
    of: int


def edit_sizes(assignments: pa.Table | None, reference_of: Mapping[str, str]) -> Mapping[str, EditSize]:
    """Return the size of each arm's edit against its reference arm; arms that the table lacks are left out.

    A random arm has one assignment a seed, which the table lists one after the other; they are of one size by
    design, so the mean over them is the size of each.
    """
    if assignments is None or not {"arm", "prompt_id", "teacher"} <= set(assignments.column_names):
        return {}
    rows = {arm: _rows(assignments, arm) for arm in {*reference_of, *reference_of.values()}}
    sizes = {}
    for arm, reference in reference_of.items():
        start, edited = dict(rows[reference]), rows[arm]
        if not start or not edited:
            continue
        prompts = len({prompt for prompt, _ in edited})
        changed = sum(start.get(prompt, teacher) != teacher for prompt, teacher in edited)
        sizes[arm] = EditSize(round(changed * prompts / len(edited)), len(start))
    return sizes


def prior_sentences(advice: RecommendationVerdict | None) -> tuple[str, ...]:
    """Return what the run says of each edit beside the base's own prior, in the run's own words."""
    options = advice.options if advice else ()
    return tuple(one_line(option.prior_why, 600) for option in options if option.prior_why)


def _rows(assignments: pa.Table, arm: str) -> list[tuple[str, str | None]]:
    import pyarrow.compute as pc

    chosen = assignments.filter(pc.equal(assignments["arm"], arm))
    return list(zip(chosen["prompt_id"].to_pylist(), chosen["teacher"].to_pylist(), strict=True))
