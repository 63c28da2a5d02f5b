"""One trait's section: its numbers read from the verdict, each beside the responses behind it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mendel.report._edits import EditSize, edit_sizes
from mendel.report._responses import Responses
from mendel.report._text import (
    MISSING,
    Estimate,
    Format,
    as_dict,
    as_float,
    as_list,
    as_text,
    fitting,
    one_line,
    read_estimate,
    why_missing,
)
from mendel.report._words import CARRIERS, EDITS, HYPOTHESES, PARTS, REFERENCE, corner_sides, describe_arm

if TYPE_CHECKING:
    from mendel.report._folder import RunFolder

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
class ArmRow:
    """One arm's level and the responses behind it."""

    arm: str
    label: str
    detail: str
    level: Estimate | None
    responses: Responses | None
    sides: tuple[str, ...] = ()
    size: EditSize | None = None
    share: float | None = None
    group: str = "main"
    against_start: Estimate | None = None
    against_random: Estimate | None = None
    log_odds: Estimate | None = None
    why_missing: str = MISSING


@dataclass(frozen=True)
class Contrast:
    """One contrast of verdicts.json."""

    id: str
    kind: str
    arms: tuple[str, ...]
    reads: str
    estimate: Estimate | None
    n_students: int | None
    log_odds: Estimate | None
    why_missing: str


@dataclass(frozen=True)
class Hypothesis:
    """One hypothesis and what the contrasts say of it."""

    name: str
    says: str
    status: str
    why: str
    contrasts: tuple[str, ...]


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
    mixes: tuple[ArmRow, ...]
    others: tuple[ArmRow, ...]
    half_way: Estimate | None
    why_no_half_way: str
    contrasts: tuple[Contrast, ...]
    hypotheses: tuple[Hypothesis, ...]

    def edit(self, kind: str) -> ArmRow | None:
        """The row of an edit (`drop`, `swap-random`, …), if the run has it."""
        return next((row for row in self.edits if row.label == EDITS[kind][0]), None)

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


def find_contrast(contrasts: Sequence[Contrast], first: str, second: str) -> Estimate | None:
    """The difference first - second, if a contrast of just these two arms was computed."""
    for contrast in contrasts:
        if contrast.arms == (first, second):
            return contrast.estimate
        if contrast.arms == (second, first) and contrast.estimate:
            e = contrast.estimate
            low, high = (None if bound is None else -bound for bound in (e.high, e.low))
            return Estimate(-e.estimate, low, high)
    return None


def read_contrasts(verdict: Mapping[str, Any]) -> tuple[Contrast, ...]:
    """The contrasts of one trait's verdict, in log-odds too where those were measured."""
    log_odds = as_dict(as_dict(verdict.get("log_odds")).get("contrasts"))
    return tuple(
        Contrast(
            id=as_text(row.get("id")),
            kind=as_text(row.get("kind")),
            arms=tuple(map(as_text, as_list(row.get("arms")))),
            reads=as_text(row.get("reads")),
            estimate=read_estimate(row),
            n_students=n if isinstance(n := row.get("n_students"), int) else None,
            log_odds=read_estimate(log_odds.get(as_text(row.get("id")))),
            why_missing=why_missing(row),
        )
        for row in map(as_dict, as_list(verdict.get("contrasts")))
    )


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
    arms = _Arms(folder, name, verdict, responses)
    corners, edits, mixes = tuple(arms.corners()), tuple(arms.edits()), tuple(arms.mixes())
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
        mixes=mixes,
        others=tuple(arms.others()),
        half_way=half_way,
        why_no_half_way=why,
        contrasts=arms.contrasts,
        hypotheses=tuple(_hypotheses(as_dict(verdict.get("hypotheses")))),
    )


@dataclass
class _Arms:
    """Rows of arms for one trait, and which arms have had one."""

    folder: RunFolder
    trait: str
    verdict: Mapping[str, Any]
    responses: Mapping[tuple[str, str], Responses]
    shown: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.levels = as_dict(self.verdict.get("levels"))
        self.cube = self.folder.cube
        self.contrasts = read_contrasts(self.verdict)
        self.log_odds = as_dict(as_dict(self.verdict.get("log_odds")).get("levels"))

    def known(self, arm: str) -> bool:
        return arm in self.levels or (self.trait, arm) in self.responses

    def row(
        self, arm: str, label: str, detail: str = "", level: Estimate | None = None, **more: Any
    ) -> ArmRow:
        self.shown.add(arm)
        level = level or read_estimate(self.levels.get(arm))
        found = self.responses.get((self.trait, arm))
        log_odds, why = read_estimate(self.log_odds.get(arm)), why_missing(self.levels.get(arm))
        return ArmRow(arm, label, detail, level, found, log_odds=log_odds, why_missing=why, **more)

    def corners(self) -> Iterator[ArmRow]:
        """The cube, each arm once; the pipelines' own corners carry the verdict's levels."""
        own = {
            self.cube["AAA"]: self.verdict.get("alternate"),
            self.cube["OOO"]: self.verdict.get("original"),
        }
        for corner, arm in self.cube.items():
            if arm in self.shown or not (self.known(arm) or read_estimate(own.get(arm))):
                continue
            sides = tuple(
                "shared" if part in self.folder.shared else side
                for part, side in zip(PARTS, corner_sides(corner), strict=True)
            )
            level = read_estimate(self.levels.get(arm)) or read_estimate(own.get(arm))
            yield self.row(arm, describe_arm(arm, self.cube), level=level, sides=sides)

    def edits(self) -> Iterator[ArmRow]:
        """Drop, swap and only, each beside its random control, between the two references."""
        arms = {kind: f"{kind}/{self.trait}" for kind in EDITS}
        there = {kind: arm for kind, arm in arms.items() if self.known(arm)}
        if not there:
            return
        sizes = edit_sizes(
            self.folder.tables["assignments"],
            {arm: self.cube[REFERENCE[kind]] for kind, arm in there.items()},
        )
        yield self.reference("OOO", "original pipeline", "nothing is edited")
        for kind, arm in there.items():
            label, detail = EDITS[kind]
            random = kind.endswith("-random")
            yield self.row(
                arm,
                label,
                detail,
                size=sizes.get(arm),
                group="control" if random else "main",
                against_start=find_contrast(self.contrasts, arm, self.cube[REFERENCE[kind]]),
                against_random=None
                if random
                else find_contrast(self.contrasts, arm, f"{kind}-random/{self.trait}"),
            )
        yield self.reference("OOA", "alternate teacher", "the alternate teacher answers all prompts")

    def reference(self, corner: str, label: str, detail: str) -> ArmRow:
        arm = self.cube[corner]
        level = read_estimate(self.verdict.get("original")) if corner == "OOO" else None
        return self.row(
            arm, label, detail, level=read_estimate(self.levels.get(arm)) or level, group="reference"
        )

    def mixes(self) -> Iterator[ArmRow]:
        """The interpolation's points in the order of their shares."""
        given = as_dict(self.verdict.get("interpolation"))
        shares = list(map(as_float, as_list(given.get("shares"))))
        ends = {0.0: self.cube["OOA"], 1.0: self.cube["OOO"]}
        named = as_list(given.get("arms")) or [ends.get(s, f"mix/{s:g}") for s in shares if s is not None]
        points = [
            (share, as_text(arm), read_estimate(level))
            for share, arm, level in zip(shares, named, as_list(given.get("levels")), strict=False)
            if share is not None
        ]
        for share, arm, level in sorted(points, key=lambda point: point[0]):
            yield self.row(arm, f"{100 * share:g} %", level=level, share=share)

    def others(self) -> Iterator[ArmRow]:
        """Arms that stand in no other table: bases, teachers, other traits' edits."""
        measured = {arm for trait, arm in self.responses if trait == self.trait}
        for arm in sorted((measured | set(self.levels)) - self.shown):
            yield self.row(arm, describe_arm(arm, self.cube))


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
    selector = as_text(flagged.get("selector"))
    text = f"{count:,.0f} of {of:,.0f} prompts{share}" + (f", by {selector}" if selector else "")
    shown = as_float(flagged.get("alternate_shows"))
    return text if shown is None else f"{text}; the alternate teacher shows it on {100 * shown:.0f} % of them"


def _hypotheses(given: Mapping[str, Any]) -> Iterator[Hypothesis]:
    for name in [*HYPOTHESES, *(name for name in given if name not in HYPOTHESES)]:
        content = as_dict(given.get(name))
        yield Hypothesis(
            name=name,
            says=HYPOTHESES.get(name, ""),
            status=as_text(content.get("status")) or "untested",
            why=as_text(content.get("why")),
            contrasts=tuple(map(as_text, as_list(content.get("contrasts")))),
        )
