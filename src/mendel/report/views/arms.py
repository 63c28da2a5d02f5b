"""One trait's arms as rows: levels, edits beside their random control, and where the responses stand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mendel.design.names import mix_arm, random_control, trait_arm
from mendel.report.views.edits import EditSize, edit_sizes
from mendel.report.views.responses import Responses
from mendel.report.views.words import (
    EDITS,
    MODELS,
    PARTS,
    corner_sides,
    describe_arm,
    filter_names,
    kind_words,
    start_of,
)
from mendel.results.values import (
    MISSING,
    Estimate,
    as_dict,
    as_float,
    as_list,
    as_text,
    read_estimate,
    why_missing,
)

if TYPE_CHECKING:
    from mendel.report.views.folder import RunFolder


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
    assistant: float | None = None
    """The share of plain questions that its students answer rightly."""


@dataclass(frozen=True)
class ShownContrast:
    """One contrast of verdicts.json."""

    id: str
    kind: str
    arms: tuple[str, ...]
    reads: str
    estimate: Estimate | None
    n_students: int | None
    log_odds: Estimate | None
    why_missing: str


def find_contrast(contrasts: Sequence[ShownContrast], first: str, second: str) -> Estimate | None:
    """The difference first - second, if a contrast of just these two arms was computed."""
    for contrast in contrasts:
        if contrast.arms == (first, second):
            return contrast.estimate
        if contrast.arms == (second, first) and contrast.estimate:
            e = contrast.estimate
            low, high = (None if bound is None else -bound for bound in (e.high, e.low))
            return Estimate(-e.estimate, low, high)
    return None


def read_contrasts(verdict: Mapping[str, Any]) -> tuple[ShownContrast, ...]:
    """The contrasts of one trait's verdict, in log-odds too where those were measured."""
    log_odds = as_dict(as_dict(verdict.get("log_odds")).get("contrasts"))
    return tuple(
        ShownContrast(
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


@dataclass
class Arms:
    """Rows of arms for one trait, and which arms have had one."""

    folder: RunFolder
    trait: str
    verdict: Mapping[str, Any]
    responses: Mapping[tuple[str, str], Responses]
    shown: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.levels = as_dict(self.verdict.get("levels"))
        self.cube, self.words = self.folder.cube, self.folder.arm_words
        self.contrasts = read_contrasts(self.verdict)
        self.log_odds = as_dict(as_dict(self.verdict.get("log_odds")).get("levels"))

    def known(self, arm: str) -> bool:
        """Return whether the arm has a level or responses."""
        return arm in self.levels or (self.trait, arm) in self.responses

    def row(
        self, arm: str, label: str, detail: str = "", level: Estimate | None = None, **more: Any
    ) -> ArmRow:
        """Return the arm's row, and remember that it is shown."""
        self.shown.add(arm)
        level = level or read_estimate(self.levels.get(arm))
        found, health = self.responses.get((self.trait, arm)), self.folder.assistant.get(arm)
        log_odds, why = read_estimate(self.log_odds.get(arm)), why_missing(self.levels.get(arm))
        return ArmRow(
            arm, label, detail, level, found, log_odds=log_odds, why_missing=why, assistant=health, **more
        )

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
            yield self.row(arm, describe_arm(arm, self.cube, self.words), level=level, sides=sides)

    def edits(self) -> Iterator[ArmRow]:
        """Drop, swap and only, each beside its random control, between the two references."""
        arms = {kind: trait_arm(kind, self.trait) for kind in EDITS}
        there = {kind: arm for kind, arm in arms.items() if self.known(arm)}
        if not there:
            return
        sizes = edit_sizes(
            self.folder.tables["assignments"],
            {arm: self.cube[start_of(kind)] for kind, arm in there.items()},
        )
        yield self.reference("OOO", "original pipeline", "nothing is edited")
        for kind, arm in there.items():
            label, detail = kind_words(kind)
            random = kind.endswith("-random")
            yield self.row(
                arm,
                label,
                detail,
                size=sizes.get(arm),
                group="control" if random else "main",
                against_start=find_contrast(self.contrasts, arm, self.cube[start_of(kind)]),
                against_random=None
                if random
                else find_contrast(self.contrasts, arm, trait_arm(random_control(kind), self.trait)),
            )
        yield self.reference("OOA", "alternate teacher", "the alternate teacher answers all prompts")

    def reference(self, corner: str, label: str, detail: str) -> ArmRow:
        """Return the row of a corner that edits are compared with."""
        arm = self.cube[corner]
        level = read_estimate(self.verdict.get("original")) if corner == "OOO" else None
        return self.row(
            arm, label, detail, level=read_estimate(self.levels.get(arm)) or level, group="reference"
        )

    def thresholds(self) -> Iterator[ArmRow]:
        """Dropping by a looser and by stricter filters, the loosest first; nothing unless one besides the study's own was trained."""
        found = [(trait_arm(kind, self.trait), label) for kind, label in filter_names().items()]
        there = [(arm, label) for arm, label in found if self.known(arm)]
        if all(arm == trait_arm("drop", self.trait) for arm, _ in there):
            return
        yield self.reference("OOO", "nothing dropped", "the original pipeline")
        sizes = edit_sizes(self.folder.tables["assignments"], {arm: self.cube["OOO"] for arm, _ in there})
        for arm, label in there:
            yield self.row(
                arm,
                label,
                size=sizes.get(arm),
                against_start=find_contrast(self.contrasts, self.cube["OOO"], arm),
            )

    def models(self) -> Iterator[ArmRow]:
        """Bases and teachers, as they are before any training here."""
        for arm, label in MODELS.items():
            if self.known(arm):
                yield self.row(arm, label)

    def mixes(self) -> Iterator[ArmRow]:
        """The interpolation's points in the order of their shares."""
        given = as_dict(self.verdict.get("interpolation"))
        shares = list(map(as_float, as_list(given.get("shares"))))
        ends = {0.0: self.cube["OOA"], 1.0: self.cube["OOO"]}
        named = as_list(given.get("arms")) or [ends.get(s, mix_arm(s)) for s in shares if s is not None]
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
            yield self.row(arm, describe_arm(arm, self.cube, self.words))
