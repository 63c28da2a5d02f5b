"""What a design asks for: the first students, and then those that can still change a verdict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mendel.design.arms import EDITS
from mendel.design.catalogue import Catalogue
from mendel.design.names import trait_arm
from mendel.diagnose.findings import Finding
from mendel.diagnose.remedies import edited_kinds
from mendel.diagnose.verdict import Verdict
from mendel.study.cube import ALTERNATE, ORIGINAL

FIXED = ("effects", "grid")
"""Designs that look once."""


@dataclass(frozen=True)
class Request:
    """Students to train next: arms with the number of seeds that each shall have, and why."""

    arms: Mapping[str, int]
    why: str


def first_request(catalogue: Catalogue) -> Request:
    """Return the students that are trained before anything is known.

    Args:
        catalogue: The arms that the study can have.

    Returns:
        For `grid` every arm; for `standard` and `effects` the cube, the edits, the interpolation and the arms
        of remedies that other packages bring; for `adaptive` the two pipelines.

    Raises:
        InputError: A package's remedies cannot be loaded.
    """
    seeds = catalogue.config.seeds
    if catalogue.config.design == "grid":
        return Request(dict.fromkeys(catalogue.grid(), seeds), "every arm")
    if catalogue.config.design in ("standard", "effects"):
        arms = [*catalogue.standard(), *_remedy_arms(catalogue)]
        return Request(dict.fromkeys(arms, seeds), "the cube, the edits, the interpolation")
    ends = (catalogue.cube[ORIGINAL], catalogue.cube[ALTERNATE])
    return Request(dict.fromkeys(ends, seeds), "is there a difference?")


def _remedy_arms(catalogue: Catalogue) -> list[str]:
    """Return the arms of remedies and of their random controls that are beyond the standard ones and can be
    made.
    """
    kinds = [kind for pair in edited_kinds().items() for kind in pair if kind and kind not in EDITS]
    arms = [trait_arm(kind, trait) for trait in catalogue.materials for kind in dict.fromkeys(kinds)]
    return [arm for arm in arms if not catalogue.lacking(arm)]


def most_students(catalogue: Catalogue) -> int:
    """Return how many students the design can have at most: every arm, with all the seeds that it may get."""
    config = catalogue.config
    if config.design in FIXED:
        return len(first_request(catalogue).arms) * config.seeds
    return len(catalogue.grid()) * (config.max_seeds or config.seeds)


def next_request(
    catalogue: Catalogue, trained: Mapping[str, int], verdicts: Mapping[str, Verdict]
) -> Request | None:
    """Return the students that can still change the verdict of any trait.

    Arms first, seeds later: an arm that was never trained may decide a hypothesis outright, so seeds are
    added only where every prediction that is left has been measured. A hypothesis that is refuted asks for
    nothing more.

    Args:
        catalogue: The arms that the study can have.
        trained: The number of seeds that each arm has.
        verdicts: The verdict of each trait, from the students so far.

    Returns:
        Arms with the number of seeds that each shall have; None: no student can change a verdict.
    """
    config = catalogue.config
    if config.design in FIXED:
        return None
    wanted: dict[str, int] = {}
    reasons = []
    for trait, verdict in verdicts.items():
        arms = _arms(catalogue, trained, verdict)
        if arms:
            wanted |= dict.fromkeys((arm for arm in arms if arm not in trained), config.seeds)
            reasons.append(trait)
    if wanted:
        return Request(wanted, f"new arms for {', '.join(reasons)}")
    most = config.max_seeds or config.seeds
    for trait, verdict in verdicts.items():
        more = {arm: trained[arm] + 1 for arm in _open(catalogue, verdict) if trained.get(arm, most) < most}
        if more:
            wanted |= more
            reasons.append(trait)
    return Request(wanted, f"another seed for {', '.join(reasons)}") if wanted else None


def _arms(catalogue: Catalogue, trained: Mapping[str, int], verdict: Verdict) -> list[str]:
    """Return the arms that a trait lacks.

    None where a single seed hides the noise of training: nothing could be decided.
    """
    if not verdict.present or not verdict.effects.training_noise:
        return []
    star = [arm for arm in catalogue.star if arm not in trained]
    if star:
        return star
    wanted = [arm for finding in _alive(verdict.findings) for arm in _first_missing(finding)]
    if wanted:
        return [arm for arm in dict.fromkeys(wanted) if arm not in trained]
    if verdict.carrier.carrier == "undecided":
        return [arm for arm in catalogue.corners if arm not in trained]
    return []


def _open(catalogue: Catalogue, verdict: Verdict) -> list[str]:
    """Return the arms of which more seeds could decide what is open."""
    if verdict.settled_absent:
        return []
    if not verdict.present:
        return [catalogue.cube[ORIGINAL], catalogue.cube[ALTERNATE]]
    checks = [c for f in _alive(verdict.findings) for c in f.checked if c.outcome == "open"]
    arms = list(dict.fromkeys(arm for check in checks for arm in check.arms))
    if not arms and verdict.carrier.carrier == "undecided":
        return catalogue.star
    return arms


def _alive(findings: Mapping[str, Finding]) -> Iterable[Finding]:
    """Return the undecided hypotheses.

    One that lacks a checkpoint or prompts can still be refuted by another prediction.
    """
    return (finding for finding in findings.values() if finding.status in ("undecided", "untested"))


def _first_missing(finding: Finding) -> tuple[str, ...]:
    return next((c.arms for c in finding.checked if c.outcome == "missing"), ())
