"""Verdicts: is the trait there, which part of the pipeline carries it, and the same in two sentences of plain
English.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from mendel.diagnose.contrasts import INTERACTION, TOTAL, Contrast
from mendel.diagnose.effects import SMALLEST_EFFECT, Effects, TraitFacts, estimate_trait, log_odds_effects
from mendel.diagnose.findings import FAMILY_ERROR, Finding, Levels, examine, strongest, unexplained
from mendel.diagnose.remedies import Recommendation, RemedyFacts, recommend
from mendel.diagnose.stats.intervals import Estimate, number
from mendel.diagnose.summary import explanation, summary
from mendel.study.cube import PARTS

Carrier = Literal["teacher", "prompts", "base", "mixed", "none", "undecided"]
Decision = Literal["carries", "does not carry", "undecided"]

CARRIER_MARGIN = 0.25
"""A part carries the trait if it makes more than this share of the difference between the pipelines.

Under a third, so that three parts with equal shares all carry; far enough from 0 that a small leak is no
carrier."""

TWO_WAY = tuple(f"{a}:{b}" for i, a in enumerate(PARTS) for b in PARTS[i + 1 :])


@dataclass(frozen=True)
class PartDecision:
    """Whether one part carries the trait: its effect minus a quarter of the difference, tested against 0."""

    decision: Decision
    excess: Estimate
    """effect - CARRIER_MARGIN * total, as one contrast."""
    interval: tuple[float, float] | None
    """At the level adjusted for the family."""

    def json(self) -> dict[str, object]:
        """Return the decision and the interval that it rests on."""
        low, high = self.interval or (None, None)
        return {"decision": self.decision, "estimate": self.excess.estimate, "low": low, "high": high}


@dataclass(frozen=True)
class CarrierVerdict:
    """Which part carries the trait, why, and the three decisions behind it."""

    carrier: Carrier
    why: str
    decisions: Mapping[str, PartDecision]


@dataclass(frozen=True)
class Diagnosis:
    """The traits' part of verdicts.json and what is to be said beside it."""

    traits: Mapping[str, Mapping[str, object]]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Verdict:
    """One trait's verdict as values, before it is written down."""

    effects: Effects
    present: bool
    settled_absent: bool
    """Shown to be absent, or to be less in the original pipeline: no student can make it present."""
    carrier: CarrierVerdict
    findings: Mapping[str, Finding]

    @property
    def cause(self) -> str:
        """The supported hypothesis that explains most.

        `none` where there is nothing to explain, else `undecided`.
        """
        if self.carrier.carrier == "none":
            return "none"
        return strongest(self.effects, self.findings) or "undecided"


def reach_verdict(
    effects: Effects, levels: Levels | None = None, lacking: Callable[[str], str] = lambda arm: ""
) -> Verdict:
    """Decide whether the trait is there, what carries it, and what the contrasts say of every hypothesis.

    Args:
        effects: The trait's effects.
        levels: How sure each test has to be; None: one look and seven hypotheses.
        lacking: Returns why an arm cannot be trained in this study, '' if it can.

    Returns:
        The verdict.

    Raises:
        InputError: A package's hypotheses cannot be loaded.
    """
    levels = levels or Levels()
    is_present, carried = present(effects, levels.family), carrier(effects, levels.family)
    total = effects.estimates[TOTAL].interval(1 - levels.family)
    less = total is not None and total[1] < 0
    if is_present:
        findings = examine(effects, levels, lacking)
    elif carried.carrier == "none":
        findings = unexplained("There is no difference between the pipelines to explain.")
    else:
        findings = unexplained(
            "The original pipeline is not shown to have more of the trait than the alternate one."
        )
    settled = carried.carrier == "none" or (less and effects.training_noise)
    return Verdict(effects, is_present, settled, carried, findings)


def diagnose(
    students: pa.Table,
    measurements: pa.Table,
    traits: Sequence[TraitFacts],
    cube: Mapping[str, str],
    shares: Mapping[str, float] | None = None,
    levels: Levels | None = None,
    lacking: Callable[[str], str] = lambda arm: "",
    remedy_facts: Mapping[str, RemedyFacts] | None = None,
) -> Diagnosis:
    """Estimate the effects of every trait, and reach its verdict and recommendation.

    Depends only on the content of the tables, not on the order of their rows, students or traits.

    Args:
        students: As in `estimate_trait`.
        measurements: As in `estimate_trait`.
        traits: The facts of every trait.
        cube: The arm of each corner.
        shares: The original teacher's share by `mix` arm; None: read from the arms' names.
        levels: How sure each test has to be; None: one look and seven hypotheses.
        lacking: Returns why an arm cannot be trained in this study, '' if it can.
        remedy_facts: By trait, what a recommendation needs beside the effects. What is not given is said to
            be not measured.

    Returns:
        The traits' part of verdicts.json, and warnings.

    Raises:
        ValueError: A corner has no arm, or a scenario is in two clusters.
        InputError: A package's hypotheses or remedies cannot be loaded.
    """
    verdicts = {
        facts.name: reach_verdict(
            estimate_trait(students, measurements, facts, cube, shares), levels, lacking
        )
        for facts in traits
    }
    contents = {}
    for facts in traits:
        log_odds = log_odds_effects(students, measurements, facts, cube, shares)
        verdict = verdicts[facts.name]
        advice = recommend(
            verdict.effects,
            verdict.present,
            verdict.carrier.carrier,
            (remedy_facts or {}).get(facts.name),
        )
        content = trait_verdict(facts, verdict, log_odds, advice)
        contents[facts.name] = {**content, "moves_with": _moves_with(facts.name, verdicts)}
    warnings = [warning for verdict in verdicts.values() for warning in verdict.effects.warnings]
    return Diagnosis(contents, tuple(warnings))


def _moves_with(trait: str, verdicts: Mapping[str, Verdict]) -> list[str]:
    """Return the other traits that the same persona brings: those of which persona selection is supported,
    too.
    """
    persona = "persona_selection"
    findings = {name: verdict.findings.get(persona) for name, verdict in verdicts.items()}
    shown = [name for name, finding in findings.items() if finding and finding.status == "supported"]
    return [name for name in shown if name != trait] if trait in shown else []


def trait_verdict(
    facts: TraitFacts,
    verdict: Verdict,
    log_odds: Effects | None,
    advice: Recommendation | None = None,
) -> dict[str, object]:
    """Return one trait's part of verdicts.json: the contract's keys, and what the report needs beside them.

    Args:
        facts: The trait.
        verdict: Its verdict.
        log_odds: Its effects in log-odds; None where none were measured.
        advice: The recommendation; None: made from the verdict only.

    Returns:
        The content, ready for JSON.

    Raises:
        InputError: A package's remedies cannot be loaded.
    """
    effects, carried = verdict.effects, verdict.carrier
    advice = advice or recommend(effects, verdict.present, carried.carrier)
    return {
        "present": verdict.present,
        **_ends(effects),
        "effects": _effects_json(effects),
        "carrier": carried.carrier,
        "cause": verdict.cause,
        "recommendation": advice.json(),
        "hypotheses": {name: finding.json() for name, finding in verdict.findings.items()},
        "contrasts": [_contrast_json(effects, c) for c in effects.contrasts if effects.students(c)],
        "summary": summary(effects, carried.carrier),
        "explanation": explanation(effects, verdict.cause, verdict.findings),
        "scale": facts.scale,
        "unit": effects.unit,
        "metric": facts.metric,
        "judge": facts.judge,
        "flagged": facts.flagged,
        "smallest_effect": SMALLEST_EFFECT * effects.unit,
        "training_noise": effects.training_noise,
        "carrier_why": carried.why,
        "decisions": {part: decision.json() for part, decision in carried.decisions.items()},
        "levels": {
            arm: {**level.json(), "n_students": effects.counts.get(arm, 0)}
            for arm, level in effects.levels.items()
        },
        "interpolation": _interpolation_json(effects),
        "log_odds": None if log_odds is None else _log_odds_json(log_odds),
    }


def present(effects: Effects, error: float = FAMILY_ERROR) -> bool:
    """Return whether the trait is there: original minus alternate is shown to be above 0, and is worth a
    change.

    Args:
        effects: The trait's effects.
        error: The level of the two-sided test.

    Returns:
        True if the interval lies above 0 and the estimate is at least the smallest effect of interest.
    """
    total = effects.estimates[TOTAL]
    ends = total.interval(1 - error)
    if total.estimate is None or ends is None:
        return False
    return ends[0] > 0 and total.estimate >= SMALLEST_EFFECT * effects.unit


def absent(effects: Effects, error: float = FAMILY_ERROR) -> bool:
    """Return whether original minus alternate is shown to be within the smallest effect of interest.

    Two one-sided tests at `error` each (TOST: D. Schuirmann, J. Pharmacokinet. Biopharm. 15, 1987): at 5 %
    the 90 % interval lies within.
    """
    ends = effects.estimates[TOTAL].interval(1 - 2 * error)
    smallest = SMALLEST_EFFECT * effects.unit
    return ends is not None and -smallest < ends[0] and ends[1] < smallest


def carrier(effects: Effects, error: float = FAMILY_ERROR) -> CarrierVerdict:
    """Decide which part carries the trait (docs/decisions/002-carrier.md).

    Args:
        effects: The trait's effects.
        error: The chance at most that any of the three parts is decided wrongly (Bonferroni).

    Returns:
        The carrier; `undecided` unless all three parts are decided.
    """
    total = effects.estimates[TOTAL]
    decisions = {part: _decide(effects, part, error) for part in PARTS}
    if total.estimate is None:
        return CarrierVerdict(
            "undecided", f"The difference between the pipelines is unknown: {total.why}.", decisions
        )
    if not effects.training_noise and set(effects.shared) != set(PARTS):
        why = (
            "One usable student an arm says nothing about the noise of training; it takes at least "
            "2 seeds an arm."
        )
        return CarrierVerdict("undecided", why, decisions)
    if absent(effects, error):
        why = (
            f"The difference between the pipelines, {number(total)}, is shown to be within "
            f"{SMALLEST_EFFECT * effects.unit:g}."
        )
        return CarrierVerdict("none", why, decisions)
    if not present(effects, error):
        why = (
            f"The difference between the pipelines, {number(total)}, is neither shown to be above 0 "
            "and at least "
            f"{SMALLEST_EFFECT * effects.unit:g} nor shown to be within it; more seeds or scenarios "
            "would decide it."
        )
        return CarrierVerdict("undecided", why, decisions)
    return _name_carrier(effects, decisions)


def _name_carrier(effects: Effects, decisions: Mapping[str, PartDecision]) -> CarrierVerdict:
    carrying = [part for part, decision in decisions.items() if decision.decision == "carries"]
    open_ = [part for part, decision in decisions.items() if decision.decision == "undecided"]
    share = f"{CARRIER_MARGIN:.0%} of the difference between the pipelines"
    if open_:
        unknown = [f"{part} ({decisions[part].excess.why})" for part in open_ if decisions[part].excess.why]
        why = f"Not decided for {' and '.join(open_)}: more or less than {share}"
        return CarrierVerdict(
            "undecided", f"{why}; {'; '.join(unknown)}." if unknown else f"{why}.", decisions
        )
    if not carrying:
        why = f"No part makes more than {share} by itself: they act only together."
        return CarrierVerdict("undecided", why, decisions)
    others = [part for part in PARTS if part not in carrying]
    why = (
        f"The {' and the '.join(carrying)} "
        f"{'makes' if carrying in (['base'], ['teacher']) else 'make'} more than {share}"
    )
    why += " each" if len(carrying) > 1 else ""
    why += f", the {' and the '.join(others)} less." if others else "."
    why += f" The three decisions together are wrong in at most {FAMILY_ERROR:.0%} of studies."
    name: Carrier = "mixed" if len(carrying) > 1 else carrying[0]  # type: ignore[assignment]
    return CarrierVerdict(name, why, decisions)


def _decide(effects: Effects, part: str, error: float) -> PartDecision:
    """Test one contrast, effect - margin * total, so that the noise which the two share cancels."""
    excess = effects.combination((1.0, effects.weights(part)), (-CARRIER_MARGIN, effects.weights(TOTAL)))
    # A wrong decision is on the wrong side, so each of the family's tests is one-sided.
    ends = excess.interval(1 - 2 * error / len(PARTS))
    if ends is None:
        return PartDecision("undecided", excess, None)
    decision: Decision = "carries" if ends[0] > 0 else "does not carry" if ends[1] < 0 else "undecided"
    return PartDecision(decision, excess, ends)


def _ends(effects: Effects) -> dict[str, object]:
    nothing = Estimate(None, why="no such arm")
    return {
        side: effects.levels.get(effects.cube[corner], nothing).json()
        for side, corner in (("original", "OOO"), ("alternate", "AAA"))
    }


def _effects_json(effects: Effects) -> dict[str, object]:
    names = (*PARTS, INTERACTION, *TWO_WAY, TOTAL)
    return {name: effects.estimates[name].json() for name in names if name in effects.estimates}


def _contrast_json(effects: Effects, contrast: Contrast) -> dict[str, object]:
    estimate = effects.estimates[contrast.id]
    reads = f"{contrast.reads[0].upper()}{contrast.reads[1:]}"
    return {
        "id": contrast.id,
        "kind": contrast.kind,
        "arms": list(contrast.arms),
        "n_students": effects.students(contrast),
        "reads": f"{reads}: {number(estimate)}." if contrast.weights else f"{reads}.",
        **estimate.json(),
    }


def _interpolation_json(effects: Effects) -> dict[str, object]:
    levels = [effects.levels.get(arm, Estimate(None, why="no such arm")) for arm in effects.curve.values()]
    return {
        "shares": list(effects.curve),
        "arms": list(effects.curve.values()),
        "levels": [level.json() for level in levels],
        "half_way": effects.half_way.json() if effects.half_way else None,
        "why": effects.half_way.why,
    }


def _log_odds_json(effects: Effects) -> dict[str, object]:
    return {
        "scale": effects.scale,
        **_ends(effects),
        "effects": _effects_json(effects),
        "levels": {arm: level.json() for arm, level in effects.levels.items()},
        "contrasts": {c.id: effects.estimates[c.id].json() for c in effects.contrasts if effects.students(c)},
    }
