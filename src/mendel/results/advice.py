"""What a run advises about a trait, as types."""

from __future__ import annotations

from dataclasses import dataclass

from mendel.engine.interval import Interval
from mendel.results.records import optional

UNDECIDED = "undecided"


@dataclass(frozen=True)
class RemedyOption:
    """One edit that could remove the trait, as measured."""

    name: str = ""
    """Name of the remedy."""
    says: str = ""
    """What to do, and what that leaves, in a sentence."""
    costs: str = ""
    """What it costs, in a sentence."""
    takes_most: str = UNDECIDED
    """Whether it is shown to take away more than half of the difference, beyond its random control where it
    has one: `yes`, `no` or `undecided`."""
    takes: Interval = Interval()
    """What it takes away, beyond its random control where it has one, on the trait's scale."""
    beside_prior: str = "unknown"
    """What it leaves, beside the prior: `at` (shown to be within the smallest difference of interest),
    `above`, `below`, `undecided`, or `unknown`."""
    prior_why: str = ""
    """The same in sentences."""
    left: Interval = Interval()
    """The trait's level with the remedy, on the trait's scale."""
    far: Interval = Interval()
    """The trait's level far from what the filter saw, on the trait's scale."""
    assistant: Interval = Interval()
    """Share of plain questions that its students answer rightly."""
    rows: int | None = None
    """Number of training rows that it changes."""
    control: Interval | None = None
    """The level after the same edit of as many random prompts; null for a remedy without such a control."""


@dataclass(frozen=True)
class PriorLevel:
    """What is there of a trait where its situation was never answered."""

    interval: Interval = Interval()
    """The level, on the trait's scale."""
    arm: str | None = None
    """The arm that shows it: students of the unrelated prompts alone, as the alternate teacher answers them,
    or the untrained base; null where neither was measured."""


@dataclass(frozen=True)
class RecommendationVerdict:
    """What to do about a trait."""

    filtering_helps: str = UNDECIDED
    """Whether leaving out the flagged prompts helps: `yes`, `no` or `undecided`."""
    filtering_why: str = ""
    """The reason for `filtering_helps`, in words."""
    remedy: str | None = None
    """Name of the recommended remedy; null where none is recommended."""
    complete: str | None = None
    """Name of the remedy that takes away more and changes more, where there is one beside `remedy`."""
    why: str = ""
    """The reason in words."""
    options: tuple[RemedyOption, ...] = ()
    """Every remedy that was measured."""
    prior: PriorLevel | None = optional()
    """The prior that edits are compared with; missing where no difference between the pipelines is shown."""
