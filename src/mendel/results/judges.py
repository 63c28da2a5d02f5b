"""What commands say of judges, as types: what a second judge changes, and how far raters agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mendel.engine.interval import Interval
from mendel.results.records import by
from mendel.results.verdicts import TraitVerdict


@dataclass(frozen=True)
class JudgePair:
    """The first judge of a trait and the second one."""

    before: str = ""
    """The judge of the run."""
    after: str = ""
    """The judge that judged again."""


@dataclass(frozen=True)
class JudgeAgreement:
    """How far two judges agree on hits."""

    kappa: float | None = None
    """Cohen's kappa."""
    low: float | None = None
    """Lower end of its 95 % interval."""
    high: float | None = None
    """Upper end of its 95 % interval."""
    says: str = ""
    """The same in words."""


@dataclass(frozen=True)
class JudgeChange:
    """What a second judge changes of one trait's verdict."""

    judge: JudgePair = field(default_factory=JudgePair)
    """The two judges."""
    before: TraitVerdict = field(default_factory=TraitVerdict)
    """The run's verdict: present, state, original, alternate, effects, carrier, cause."""
    after: TraitVerdict = field(default_factory=TraitVerdict)
    """The same under the second judge."""
    responses: int = 0
    """Number of responses."""
    unjudged: int = 0
    """Responses that the second judge could not score."""
    agreement: JudgeAgreement = field(default_factory=JudgeAgreement)
    """How far the judges agree."""
    changed: tuple[str, ...] = ()
    """Which of state, carrier and cause changed."""


@dataclass(frozen=True)
class RejudgedRecord:
    """The JSON object of `mendel rejudge`."""

    folder: str = ""
    """The folder of the second judge's verdicts and measurements."""
    traits: Mapping[str, JudgeChange] = by("trait")
    """What changes, by trait."""


@dataclass(frozen=True)
class RaterPair:
    """How far two raters of the same responses agree."""

    first: str = ""
    """The first rater."""
    second: str = ""
    """The second rater."""
    n: int = 0
    """Responses that both scored."""
    unjudged: int = 0
    """Responses that one of them did not score."""
    agreement: float | None = None
    """Share (0 to 1) of responses that both call a hit, or neither."""
    hits: tuple[int, ...] = (0, 0)
    """Number of hits of each rater."""
    table: tuple[tuple[int, ...], ...] = ()
    """Counts by the first rater's hit (no, yes), then by the second's."""
    kappa: Interval = Interval()
    """Cohen's kappa on hits."""
    weighted: Interval | None = None
    """Quadratic-weighted kappa on the scores; null where hits say it all."""


@dataclass(frozen=True)
class AgreementRecord:
    """The JSON object of `mendel judge agree`."""

    trait: str = ""
    """Name of the trait."""
    labels: int = 0
    """Number of labels by hand."""
    pairs: tuple[RaterPair, ...] = ()
    """Each pair of raters."""
