"""One trait's section: its numbers read from the verdict, each beside the responses behind it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mendel.engine.text import one_line
from mendel.report.views.arms import ArmRow, Arms, ShownContrast
from mendel.report.views.responses import Responses
from mendel.report.views.words import (
    CARRIERS,
    OUTCOMES,
    SIZES,
    hypotheses_in_order,
    hypothesis_words,
    kind_words,
)
from mendel.results.values import (
    MISSING,
    Estimate,
    Format,
    as_dict,
    as_float,
    as_list,
    as_text,
    fitting,
    read_estimate,
    why_missing,
)

if TYPE_CHECKING:
    from mendel.report.views.folder import RunFolder

_FIRST = ("base", "prompts", "teacher", "interaction")
_EFFECTS: Mapping[str, str] = {
    "base": "the original base instead of the alternate one",
    "prompts": "the original prompts instead of the alternate ones",
    "teacher": "the original teacher instead of the alternate one",
    "interaction": "the three swapped one at a time, added up, minus all swapped at once",
    "total": "the original pipeline instead of the alternate one",
}


@dataclass(frozen=True)
class Effect:
    """One effect on the trait's scale and, where it was measured, in log-odds."""

    name: str
    means: str
    shared: bool
    """Both pipelines have this part in common, so that there is nothing to measure."""
    estimate: Estimate | None
    log_odds: Estimate | None
    why_missing: str
    why_no_log_odds: str


@dataclass(frozen=True)
class PredictionRow:
    """One prediction of a hypothesis beside what was measured."""

    says: str
    size: str
    """What it asks of its contrast, in words."""
    outcome: str
    measured: tuple[ShownContrast, ...]
    """Of several, one has to be so."""


@dataclass(frozen=True)
class HypothesisRow:
    """One hypothesis and what the contrasts say of it."""

    name: str
    says: str
    status: str
    why: str
    contrasts: tuple[str, ...]
    predictions: tuple[PredictionRow, ...]


@dataclass(frozen=True)
class TraitSection:
    """Everything that the page says of one trait."""

    name: str
    anchor: str
    present: str
    carrier: str
    cause: str
    summary: str
    explanation: str
    """The cause in two sentences."""
    carrier_why: str
    scale: str
    judge: str
    is_rate: bool
    flagged: str
    numbers: Format
    original: Estimate | None
    alternate: Estimate | None
    log_odds: tuple[Estimate | None, Estimate | None] | None
    effects: tuple[Effect, ...]
    corners: tuple[ArmRow, ...]
    edits: tuple[ArmRow, ...]
    thresholds: tuple[ArmRow, ...]
    mixes: tuple[ArmRow, ...]
    models: tuple[ArmRow, ...]
    others: tuple[ArmRow, ...]
    half_way: Estimate | None
    why_no_half_way: str
    contrasts: tuple[ShownContrast, ...]
    hypotheses: tuple[HypothesisRow, ...]

    def edit(self, kind: str) -> ArmRow | None:
        """The row of an edit (`drop`, `swap-random`, …), if the run has it."""
        return next((row for row in self.edits if row.label == kind_words(kind)[0]), None)

    @property
    def domain(self) -> tuple[float, float] | None:
        """The range of levels in the figures: 0 to 1 for rates, as wide as the data otherwise."""
        return (0.0, 1.0) if self.is_rate else None


def trait_sections(folder: RunFolder, responses: Mapping[tuple[str, str], Responses]) -> list[TraitSection]:
    """The sections in the order of verdicts.json."""
    traits = as_dict(folder.verdicts.get("traits"))
    return [
        _section(folder, name, as_dict(verdict), responses, f"trait-{i}")
        for i, (name, verdict) in enumerate(traits.items(), 1)
    ]


def read_half_way(verdict: Mapping[str, Any]) -> tuple[Estimate | None, str]:
    """The half-way share of the interpolation, or None and why there is none."""
    given = as_dict(verdict.get("interpolation"))
    half_way = read_estimate(given.get("half_way"))
    if half_way:
        return half_way, ""
    why = as_text(given.get("why")) or ("the run does not say why" if given else MISSING)
    return None, one_line(why)


def _section(
    folder: RunFolder,
    name: str,
    verdict: Mapping[str, Any],
    responses: Mapping[tuple[str, str], Responses],
    anchor: str,
) -> TraitSection:
    arms = Arms(folder, name, verdict, responses)
    corners, edits, mixes = tuple(arms.corners()), tuple(arms.edits()), tuple(arms.mixes())
    thresholds, models = tuple(arms.thresholds()), tuple(arms.models())
    original, alternate = read_estimate(verdict.get("original")), read_estimate(verdict.get("alternate"))
    log_odds = as_dict(verdict.get("log_odds"))
    half_way, why = read_half_way(verdict)
    carrier = as_text(verdict.get("carrier")) or "undecided"
    present = verdict.get("present")
    return TraitSection(
        name=name,
        anchor=anchor,
        present="present" if present is True else "not shown" if present is False else "undecided",
        carrier=carrier,
        cause=as_text(verdict.get("cause")) or "undecided",
        summary=as_text(verdict.get("summary")) or CARRIERS.get(carrier, ""),
        explanation=as_text(verdict.get("explanation")),
        carrier_why=as_text(verdict.get("carrier_why")),
        scale=as_text(verdict.get("scale")),
        judge=as_text(verdict.get("judge")),
        is_rate=verdict.get("metric", "rate") == "rate",
        flagged=_flagged(verdict.get("flagged")),
        numbers=fitting(original, alternate, *(row.level for row in (*corners, *edits))),
        original=original,
        alternate=alternate,
        log_odds=(read_estimate(log_odds.get("original")), read_estimate(log_odds.get("alternate")))
        if log_odds
        else None,
        effects=_effects(as_dict(verdict.get("effects")), as_dict(log_odds.get("effects")), folder.shared),
        corners=corners,
        edits=edits,
        thresholds=thresholds,
        mixes=mixes,
        models=models,
        others=tuple(arms.others()),
        half_way=half_way,
        why_no_half_way=why,
        contrasts=arms.contrasts,
        hypotheses=tuple(_hypotheses(as_dict(verdict.get("hypotheses")), arms.contrasts)),
    )


def _effects(
    rates: Mapping[str, Any], log_odds: Mapping[str, Any], shared: frozenset[str]
) -> tuple[Effect, ...]:
    def effect(name: str) -> Effect:
        pair = name.split(":")
        means = _EFFECTS.get(name, "")
        if len(pair) == 2:
            means = f"effect of the {pair[0]} with the original {pair[1]}, minus that with the alternate {pair[1]}"
        same = sorted(shared & set(pair))
        if same:
            means = f"the pipelines share their {' and '.join(same)}, so that this is 0 by construction"
        rate, other = rates.get(name), log_odds.get(name)
        return Effect(
            name,
            means,
            bool(same),
            read_estimate(rate),
            read_estimate(other),
            why_missing(rate),
            why_missing(other),
        )

    more = [name for name in rates if name not in _FIRST]
    return tuple(map(effect, [*_FIRST, *more])) if rates else ()


def _flagged(given: object) -> str:
    flagged = as_dict(given)
    count, of = as_float(flagged.get("count", given)), as_float(flagged.get("of"))
    if count is None or of is None:
        return "" if count is None else f"{count:,.0f} prompts"
    share = f" ({100 * count / of:.1f} %)" if of else ""
    # A cut says how many it takes, which stands here already.
    selector = as_text(flagged.get("selector")).removesuffix(f" ({count:.0f} of {of:.0f} prompts)")
    text = f"{count:,.0f} of {of:,.0f} prompts{share}" + (f", by {selector}" if selector else "")
    shown = as_float(flagged.get("alternate_shows"))
    return text if shown is None else f"{text}; the alternate teacher shows it on {100 * shown:.0f} % of them"


def _hypotheses(given: Mapping[str, Any], known: Sequence[ShownContrast]) -> Iterator[HypothesisRow]:
    by_id = {contrast.id: contrast for contrast in known}
    for name in hypotheses_in_order(given):
        content = as_dict(given.get(name))
        yield HypothesisRow(
            name=name,
            says=as_text(content.get("says")) or hypothesis_words(name)[0],
            status=as_text(content.get("status")) or "untested",
            why=as_text(content.get("why")),
            contrasts=tuple(map(as_text, as_list(content.get("contrasts")))),
            predictions=tuple(
                PredictionRow(
                    as_text(p.get("says")),
                    SIZES.get(as_text(p.get("size")), as_text(p.get("size"))),
                    OUTCOMES.get(as_text(p.get("outcome")), as_text(p.get("outcome"))),
                    tuple(by_id[c] for c in map(as_text, as_list(p.get("contrasts"))) if c in by_id),
                )
                for p in map(as_dict, as_list(content.get("predictions")))
            ),
        )
