"""One trait's verdict as values: its state, where it sits, which part carries it, and what is said of every
hypothesis.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from mendel.diagnose.carrier import CarrierVerdict, carrier
from mendel.diagnose.conditions import Conditions
from mendel.diagnose.effects import Effects
from mendel.diagnose.findings import Finding, Levels, examine, unexplained
from mendel.diagnose.location import Location, locate_parts
from mendel.diagnose.state import StateVerdict, trait_state
from mendel.diagnose.stats.intervals import Estimate
from mendel.engine.interval import Interval


@dataclass(frozen=True)
class RecipeCheck:
    """What another recipe says of a verdict."""

    recipe: str
    """The recipe in words."""
    difference: Estimate
    """Original minus alternate pipeline under it."""
    contrasts: Mapping[str, Interval] = field(default_factory=dict)
    """By id of a contrast that decided: its share of the difference under this recipe."""
    holds: Literal["yes", "no", "undecided"] = "undecided"
    """By the estimates; `undecided` where something has no usable student."""
    why: str = ""
    """What changes, or why nothing is known; '' where it holds."""
    students: int = 0
    """Usable students of the arm that has fewest."""
    levels: Mapping[str, Estimate] = field(default_factory=dict)
    """By arm, with its variant."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """Usable students by arm, with its variant."""

    def json(self) -> dict[str, object]:
        """Return the entry of `robustness`."""
        return {
            "recipe": self.recipe,
            "difference": self.difference.json(),
            "contrasts": {name: share.json() for name, share in self.contrasts.items()},
            "holds": self.holds,
            "why": self.why,
            "students": self.students,
        }


@dataclass(frozen=True)
class Verdict:
    """One trait's verdict as values, before it is written down."""

    effects: Effects
    state: StateVerdict
    carrier: CarrierVerdict
    findings: Mapping[str, Finding]
    location: Mapping[str, Location] = field(default_factory=dict)
    """By part; empty where the pipelines are not shown to differ."""
    levels: Levels = field(default_factory=Levels)
    """How sure each test had to be."""
    recipes: Mapping[str, RecipeCheck] = field(default_factory=dict)
    """By variant of the recipe: whether the verdict holds under it; empty where none was tried."""

    @property
    def present(self) -> bool:
        """Whether the original pipeline is shown to have more of the trait than the alternate one."""
        return self.state.state == "difference"

    @property
    def settled(self) -> bool:
        """Whether no student can bring a difference to explain: absent, shared, or shown to be less."""
        return self.state.state in ("absent", "shared") or self.state.reverse

    @property
    def cause(self) -> str:
        """The supported hypothesis that explains most.

        `none` where neither pipeline shows the trait, else `undecided`.
        """
        if self.state.state == "absent":
            return "none"
        return _strongest(self.effects, self.findings) or "undecided"


def reach_verdict(
    effects: Effects,
    levels: Levels | None = None,
    lacking: Callable[[str], str] = lambda arm: "",
    conditions: Conditions | None = None,
    *,
    intervals: bool = True,
) -> Verdict:
    """Decide the state of a trait, where it sits, what carries it, and what the contrasts say of every
    hypothesis.

    Args:
        effects: The trait's effects.
        levels: How sure each test has to be; None: one look and eight hypotheses.
        lacking: Returns why an arm cannot be trained in this study, '' if it can.
        conditions: What is known beside the contrasts; None: all conditions hold.
        intervals: Whether the intervals of the location's shares are searched for.

    Returns:
        The verdict.

    Raises:
        InputError: A package's hypotheses cannot be loaded.
    """
    levels = levels or Levels()
    state = trait_state(effects, levels.family)
    carried = carrier(effects, state.state, levels.family)
    if state.state != "difference":
        return Verdict(effects, state, carried, unexplained(state.why.text), levels=levels)
    findings = examine(effects, levels, lacking, conditions=conditions)
    location = locate_parts(effects, levels.family, lacking, intervals=intervals)
    return Verdict(effects, state, carried, findings, location, levels)


def _strongest(effects: Effects, findings: Mapping[str, Finding]) -> str | None:
    """Return the supported hypothesis whose weakest `most` prediction has the largest contrast.

    None: none is supported.
    """

    def weakest(finding: Finding) -> float:
        contrasts = [
            max(effects.estimates[c].estimate or 0.0 for c in checked.contrasts)
            for checked in finding.checked
            if checked.prediction.size == "most" and checked.contrasts
        ]
        return min(contrasts, default=0.0)

    supported = {name: weakest(f) for name, f in findings.items() if f.status == "supported"}
    return max(sorted(supported), key=lambda name: supported[name]) if supported else None
