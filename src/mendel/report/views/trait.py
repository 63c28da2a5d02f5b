"""One trait's section: its numbers read from the verdict, each beside the responses behind it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mendel.engine.text import one_line
from mendel.report.views.arms import ArmRow, Arms, ShownContrast
from mendel.report.views.location import LocationRow, location_rows
from mendel.report.views.responses import Responses
from mendel.report.views.words import (
    CARRIERS,
    OUTCOMES,
    SIZES,
    STATUSES,
    hypotheses_in_order,
    hypothesis_words,
    kind_words,
)
from mendel.results.folder import RunFolder
from mendel.results.interval import MISSING, Format, Interval, fitting
from mendel.results.verdicts import FlaggedVerdict, HypothesisVerdict, LogOddsVerdict, TraitVerdict

_FIRST = ("base", "prompts", "teacher", "interaction")
_EFFECTS: Mapping[str, str] = {
    "base": "the original base instead of the alternate one",
    "prompts": "the original prompts instead of the alternate ones",
    "teacher": "the original teacher instead of the alternate one",
    "interaction": "the three swapped one at a time, added up, minus all swapped at once",
    "total": "the original pipeline instead of the alternate one",
}


_DECIDED = ("supported", "refuted")


@dataclass(frozen=True)
class Effect:
    """One effect on the trait's scale and, where it was measured, in log-odds."""

    name: str
    means: str
    shared: bool
    """Both pipelines have this part in common, so that there is nothing to measure."""
    estimate: Interval
    log_odds: Interval


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
    """`supported`, `refuted`, `undecided`, `untested`, or `impossible` where this study cannot test it."""
    measured: bool
    """Whether a contrast of two different arms decided it."""
    why: str
    contrasts: tuple[str, ...]
    predictions: tuple[PredictionRow, ...]

    @property
    def status_words(self) -> str:
        """The status in words."""
        return STATUSES.get(self.status, self.status)


@dataclass(frozen=True)
class TraitSection:
    """Everything that the page says of one trait."""

    name: str
    anchor: str
    state: str
    """`difference`, `shared`, `absent` or `undecided`."""
    carrier: str
    cause: str
    said: Mapping[str, str]
    """The run's sentences, by key; empty for a folder of an older mendel."""
    summary: str
    explanation: str
    """What is said of the cause."""
    carrier_why: str
    state_why: str
    location: tuple[LocationRow, ...]
    scale: str
    judge: str
    is_rate: bool
    flagged: str
    numbers: Format
    original: Interval
    alternate: Interval
    log_odds: tuple[Interval, Interval] | None
    effects: tuple[Effect, ...]
    corners: tuple[ArmRow, ...]
    edits: tuple[ArmRow, ...]
    thresholds: tuple[ArmRow, ...]
    mixes: tuple[ArmRow, ...]
    models: tuple[ArmRow, ...]
    others: tuple[ArmRow, ...]
    half_way: Interval
    why_no_half_way: str
    contrasts: tuple[ShownContrast, ...]
    hypotheses: tuple[HypothesisRow, ...]

    def edit(self, kind: str) -> ArmRow | None:
        """Return the row of an edit (`drop`, `swap-random`, …), if the run has it."""
        return next((row for row in self.edits if row.label == kind_words(kind)[0]), None)

    @property
    def counts(self) -> str:
        """How many hypotheses are supported, refuted by a measured contrast, and so on; empty without any."""
        counted = [row.status for row in self.hypotheses if row.status not in _DECIDED or row.measured]
        words = {**STATUSES, "refuted": "refuted by a measured contrast"}
        parts = [f"{counted.count(status)} {word}" for status, word in words.items() if status in counted]
        return f"Of {len(self.hypotheses)} hypotheses: {', '.join(parts)}." if parts else ""

    @property
    def not_asked(self) -> str:
        """Which hypotheses were not asked, all for the same reason; empty where any was."""
        if {row.status for row in self.hypotheses} != {"untested"} or len(
            {r.why for r in self.hypotheses}
        ) > 1:
            return ""
        names = ", ".join(row.name.replace("_", " ") for row in self.hypotheses)
        return f"Not asked: {names}. {self.hypotheses[0].why}"

    @property
    def domain(self) -> tuple[float, float] | None:
        """The range of levels in the figures: 0 to 1 for rates, as wide as the data otherwise."""
        return (0.0, 1.0) if self.is_rate else None


def trait_sections(folder: RunFolder, responses: Mapping[tuple[str, str], Responses]) -> list[TraitSection]:
    """Return the sections in the order of verdicts.json."""
    return [
        _section(folder, name, verdict, responses, f"trait-{i}")
        for i, (name, verdict) in enumerate(folder.verdicts.traits.items(), 1)
    ]


def half_way_of(verdict: TraitVerdict) -> tuple[Interval, str]:
    """Return the half-way share of the interpolation, or an unknown one and why there is none."""
    curve = verdict.interpolation
    if curve is None:
        return Interval(), MISSING
    if curve.half_way:
        return curve.half_way, ""
    return Interval(), one_line(curve.why or "the run does not say why")


def _section(
    folder: RunFolder,
    name: str,
    verdict: TraitVerdict,
    responses: Mapping[tuple[str, str], Responses],
    anchor: str,
) -> TraitSection:
    arms = Arms(folder, name, verdict, responses)
    corners, edits, mixes = tuple(arms.corners()), tuple(arms.edits()), tuple(arms.mixes())
    thresholds, models = tuple(arms.thresholds()), tuple(arms.models())
    log_odds = verdict.log_odds
    half_way, why = half_way_of(verdict)
    return TraitSection(
        name=name,
        anchor=anchor,
        state=verdict.known_state,
        carrier=verdict.carrier,
        cause=verdict.cause,
        said={said.key: said.text for said in verdict.sentences},
        summary=verdict.summary or CARRIERS.get(verdict.carrier, ""),
        explanation=verdict.explanation,
        carrier_why=verdict.carrier_why,
        state_why=verdict.state_why,
        location=location_rows(verdict),
        scale=verdict.scale,
        judge=verdict.judge,
        is_rate=verdict.metric == "rate",
        flagged=_flagged(verdict.flagged),
        numbers=fitting(verdict.original, verdict.alternate, *(row.level for row in (*corners, *edits))),
        original=verdict.original,
        alternate=verdict.alternate,
        log_odds=(log_odds.original, log_odds.alternate) if log_odds else None,
        effects=_effects(verdict, folder.shared),
        corners=corners,
        edits=edits,
        thresholds=thresholds,
        mixes=mixes,
        models=models,
        others=tuple(arms.others()),
        half_way=half_way,
        why_no_half_way=why,
        contrasts=arms.contrasts,
        hypotheses=tuple(_hypotheses(verdict.hypotheses, arms.contrasts)),
    )


def _effects(verdict: TraitVerdict, shared: frozenset[str]) -> tuple[Effect, ...]:
    log_odds = (verdict.log_odds or LogOddsVerdict()).effects

    def effect(name: str) -> Effect:
        pair = name.split(":")
        means = _EFFECTS.get(name, "")
        if len(pair) == 2:
            first, second = pair
            means = (
                f"effect of the {first} with the original {second}, minus that with the alternate {second}"
            )
        same = sorted(shared & set(pair))
        if same:
            means = f"the pipelines share their {' and '.join(same)}, so that this is 0 by construction"
        rate, odds = (effects.get(name, Interval()) for effects in (verdict.effects, log_odds))
        return Effect(name, means, bool(same), rate, odds)

    more = [name for name in verdict.effects if name not in _FIRST]
    return tuple(map(effect, [*_FIRST, *more])) if verdict.effects else ()


def _flagged(flagged: FlaggedVerdict) -> str:
    count, of = flagged.count, flagged.of
    if count is None or of is None:
        return "" if count is None else f"{count:,} prompts"
    share = f" ({100 * count / of:.1f} %)" if of else ""
    # A cut says how many it takes, which stands here already.
    selector = flagged.selector.removesuffix(f" ({count} of {of} prompts)")
    text = f"{count:,} of {of:,} prompts{share}" + (f", by {selector}" if selector else "")
    if flagged.alternate_shows is None:
        return text
    return f"{text}; the alternate teacher shows it on {100 * flagged.alternate_shows:.0f} % of them"


def _hypotheses(
    verdicts: Mapping[str, HypothesisVerdict], contrasts: Sequence[ShownContrast]
) -> Iterator[HypothesisRow]:
    by_id = {contrast.id: contrast for contrast in contrasts}
    for name in hypotheses_in_order(verdicts):
        verdict = verdicts.get(name, HypothesisVerdict())
        yield HypothesisRow(
            name=name,
            says=verdict.says or hypothesis_words(name)[0],
            status="impossible" if verdict.impossible else verdict.status,
            measured=any(len(set(by_id[c].arms)) > 1 for c in verdict.contrasts if c in by_id),
            why=verdict.why.removeprefix("impossible: "),
            contrasts=verdict.contrasts,
            predictions=tuple(
                PredictionRow(
                    prediction.says,
                    SIZES.get(prediction.size, prediction.size),
                    OUTCOMES.get(prediction.outcome, prediction.outcome),
                    tuple(by_id[c] for c in prediction.contrasts if c in by_id),
                )
                for prediction in verdict.predictions
            ),
        )
