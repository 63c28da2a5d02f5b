"""Verdicts: the state of a trait, where it sits, which part carries it, and which mechanism brings it in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from mendel.diagnose.conditions import Conditions
from mendel.diagnose.contrasts import INTERACTION, TOTAL, Contrast
from mendel.diagnose.effects import SMALLEST_EFFECT, Effects, TraitFacts, estimate_trait, log_odds_effects
from mendel.diagnose.findings import Levels
from mendel.diagnose.reached import Verdict, reach_verdict
from mendel.diagnose.remedies import Recommendation, RemedyFacts, recommend
from mendel.diagnose.robustness import with_recipes
from mendel.diagnose.stats.intervals import Estimate, number
from mendel.diagnose.summary import explanation, headline
from mendel.study.cube import PARTS

TWO_WAY = tuple(f"{a}:{b}" for i, a in enumerate(PARTS) for b in PARTS[i + 1 :])


@dataclass(frozen=True)
class Diagnosis:
    """The traits' part of verdicts.json and what is to be said beside it."""

    traits: Mapping[str, Mapping[str, object]]
    warnings: tuple[str, ...]
    effects: Mapping[str, Effects]
    """By trait, on the trait's own scale."""


def diagnose(
    students: pa.Table,
    measurements: pa.Table,
    traits: Sequence[TraitFacts],
    cube: Mapping[str, str],
    shares: Mapping[str, float] | None = None,
    levels: Levels | None = None,
    lacking: Callable[[str], str] = lambda arm: "",
    remedy_facts: Mapping[str, RemedyFacts] | None = None,
    conditions: Callable[[Effects, Effects | None], Conditions] = lambda effects, log_odds: Conditions(),
) -> Diagnosis:
    """Estimate the effects of every trait, and reach its verdict and recommendation.

    Depends only on the content of the tables, not on the order of their rows, students or traits.

    Args:
        students: As in `estimate_trait`.
        measurements: As in `estimate_trait`.
        traits: The facts of every trait.
        cube: The arm of each corner.
        shares: The original teacher's share by `mix` arm; None: read from the arms' names.
        levels: How sure each test has to be; None: one look and eight hypotheses.
        lacking: Returns why an arm cannot be trained in this study, '' if it can.
        remedy_facts: By trait, what a recommendation needs beside the effects. What is not given is said to
            be not measured.
        conditions: Returns what is known beside the contrasts, from a trait's effects and the same in
            log-odds; without it all conditions hold.

    Returns:
        The traits' part of verdicts.json, and warnings.

    Raises:
        ValueError: A corner has no arm, or a scenario is in two clusters.
        InputError: A package's hypotheses or remedies cannot be loaded.
    """
    verdicts, in_log_odds = {}, {}
    for facts in traits:
        effects = estimate_trait(students, measurements, facts, cube, shares)
        log_odds = log_odds_effects(students, measurements, facts, cube, shares)
        in_log_odds[facts.name] = log_odds
        verdict = reach_verdict(effects, levels, lacking, conditions(effects, log_odds))
        verdicts[facts.name] = with_recipes(verdict, students, measurements, facts)
    contents = {}
    for facts in traits:
        verdict = verdicts[facts.name]
        advice = recommend(
            verdict.effects,
            verdict.state.state,
            verdict.carrier.carrier,
            (remedy_facts or {}).get(facts.name),
        )
        content = trait_verdict(facts, verdict, in_log_odds[facts.name], advice)
        contents[facts.name] = {**content, "moves_with": _moves_with(facts.name, verdicts)}
    warnings = [warning for verdict in verdicts.values() for warning in verdict.effects.warnings]
    effects_of = {name: verdict.effects for name, verdict in verdicts.items()}
    return Diagnosis(contents, tuple(warnings), effects_of)


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
    advice = advice or recommend(effects, verdict.state.state, carried.carrier)
    first, why = headline(verdict), explanation(verdict)
    return {
        "present": verdict.present,
        "state": verdict.state.state,
        **_ends(effects),
        "effects": _effects_json(effects),
        "carrier": carried.carrier,
        "cause": verdict.cause,
        "location": {name: part.json() for name, part in verdict.location.items()},
        "recommendation": advice.json(),
        "hypotheses": {name: finding.json() for name, finding in verdict.findings.items()},
        "contrasts": [_contrast_json(effects, c) for c in effects.contrasts if effects.students(c)],
        "summary": " ".join(said.text for said in first),
        "explanation": " ".join(said.text for said in why),
        "sentences": [said.json() for said in (*first, *why)],
        "scale": facts.scale,
        "unit": effects.unit,
        "metric": facts.metric,
        "judge": facts.judge,
        "flagged": facts.flagged,
        "smallest_effect": SMALLEST_EFFECT * effects.unit,
        "training_noise": effects.training_noise,
        "carrier_why": carried.why.text,
        "state_why": verdict.state.why.text,
        "decisions": {part: decision.json() for part, decision in carried.decisions.items()},
        "levels": {
            arm: {**level.json(), "n_students": effects.counts.get(arm, 0)}
            for arm, level in effects.levels.items()
        }
        | {
            arm: {**level.json(), "n_students": check.counts[arm]}
            for check in verdict.recipes.values()
            for arm, level in check.levels.items()
        },
        **_robustness(verdict),
        "interpolation": _interpolation_json(effects),
        "log_odds": None if log_odds is None else _log_odds_json(log_odds),
    }


def _robustness(verdict: Verdict) -> dict[str, object]:
    checks = {variant: check.json() for variant, check in verdict.recipes.items()}
    return {"robustness": checks} if checks else {}


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
