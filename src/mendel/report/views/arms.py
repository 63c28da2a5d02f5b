"""One trait's arms as rows: levels, edits beside their random control, and where the responses stand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mendel.design.names import mix_arm, trait_arm
from mendel.report.views.edits import EditSize, edit_sizes
from mendel.report.views.responses import Responses
from mendel.report.views.words import (
    EDITS,
    MODELS,
    corner_sides,
    describe_arm,
    filter_names,
    kind_words,
    start_of,
)
from mendel.results.folder import RunFolder
from mendel.results.interval import Interval
from mendel.results.verdicts import LogOddsVerdict, TraitVerdict
from mendel.study.cube import PARTS


@dataclass(frozen=True)
class ArmRow:
    """One arm's level and the responses behind it."""

    arm: str
    label: str
    detail: str
    level: Interval
    responses: Responses | None
    sides: tuple[str, ...] = ()
    size: EditSize | None = None
    share: float | None = None
    group: str = "main"
    against_start: Interval = Interval()
    against_random: Interval = Interval()
    log_odds: Interval = Interval()
    assistant: float | None = None
    """The share of plain questions that its students answer rightly."""


@dataclass(frozen=True)
class ShownContrast:
    """One contrast of verdicts.json."""

    id: str
    kind: str
    arms: tuple[str, ...]
    reads: str
    estimate: Interval
    n_students: int | None
    log_odds: Interval


def find_contrast(contrasts: Sequence[ShownContrast], first: str, second: str) -> Interval:
    """Return the difference first - second; unknown if no contrast of exactly these two arms was computed."""
    for contrast in contrasts:
        if contrast.arms == (first, second):
            return contrast.estimate
        if contrast.arms == (second, first) and contrast.estimate:
            return -contrast.estimate
    return Interval()


def shown_contrasts(verdict: TraitVerdict) -> tuple[ShownContrast, ...]:
    """Return the contrasts of one trait's verdict, in log-odds too where those were measured."""
    log_odds = verdict.log_odds or LogOddsVerdict()
    return tuple(
        ShownContrast(
            id=contrast.id,
            kind=contrast.kind,
            arms=contrast.arms,
            reads=contrast.reads,
            estimate=contrast.interval,
            n_students=contrast.n_students,
            log_odds=log_odds.contrasts.get(contrast.id, Interval()),
        )
        for contrast in verdict.contrasts
    )


@dataclass
class Arms:
    """Rows of arms for one trait, and which arms have had one."""

    folder: RunFolder
    trait: str
    verdict: TraitVerdict
    responses: Mapping[tuple[str, str], Responses]
    shown: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.cube, self.words = self.folder.cube, self.folder.arm_words
        self.contrasts = shown_contrasts(self.verdict)
        self.log_odds = self.verdict.log_odds or LogOddsVerdict()

    def known(self, arm: str) -> bool:
        """Return whether the arm has a level or responses."""
        return arm in self.verdict.levels or (self.trait, arm) in self.responses

    def level(self, arm: str) -> Interval:
        """Return the arm's level, which may be unknown."""
        level = self.verdict.levels.get(arm)
        return level.interval if level else Interval()

    def row(
        self, arm: str, label: str, detail: str = "", level: Interval | None = None, **more: Any
    ) -> ArmRow:
        """Return the arm's row, and remember that it is shown; `level` is taken where it is known."""
        self.shown.add(arm)
        return ArmRow(
            arm,
            label,
            detail,
            level or self.level(arm),
            self.responses.get((self.trait, arm)),
            log_odds=self.log_odds.levels.get(arm, Interval()),
            assistant=self.folder.assistant.get(arm),
            **more,
        )

    def corners(self) -> Iterator[ArmRow]:
        """Yield the cube, each arm once; the pipelines' own corners carry the verdict's levels."""
        ends = {self.cube["AAA"]: self.verdict.alternate, self.cube["OOO"]: self.verdict.original}
        for corner, arm in self.cube.items():
            end = ends.get(arm, Interval())
            if arm in self.shown or not (self.known(arm) or end):
                continue
            sides = tuple(
                "shared" if part in self.folder.shared else side
                for part, side in zip(PARTS, corner_sides(corner), strict=True)
            )
            level = self.level(arm) or end
            yield self.row(arm, describe_arm(arm, self.cube, self.words), level=level, sides=sides)

    def edits(self) -> Iterator[ArmRow]:
        """Yield drop, swap and only, each beside its random control, between the two references."""
        arms = {kind: trait_arm(kind, self.trait) for kind in EDITS}
        measured = {kind: arm for kind, arm in arms.items() if self.known(arm)}
        if not measured:
            return
        sizes = edit_sizes(
            self.folder.tables["assignments"],
            {arm: self.cube[start_of(kind)] for kind, arm in measured.items()},
        )
        yield self.reference("OOO", "original pipeline", "nothing is edited")
        for kind, arm in measured.items():
            label, detail = kind_words(kind)
            random = kind.endswith("-random")
            control = Interval()
            if not random:
                control = find_contrast(self.contrasts, arm, f"{kind}-random/{self.trait}")
            yield self.row(
                arm,
                label,
                detail,
                size=sizes.get(arm),
                group="control" if random else "main",
                against_start=find_contrast(self.contrasts, arm, self.cube[start_of(kind)]),
                against_random=control,
            )
        yield self.reference("OOA", "alternate teacher", "the alternate teacher answers all prompts")

    def reference(self, corner: str, label: str, detail: str) -> ArmRow:
        """Return the row of a corner that edits are compared with."""
        arm = self.cube[corner]
        level = self.level(arm)
        if not level and corner == "OOO":
            level = self.verdict.original
        return self.row(arm, label, detail, level=level, group="reference")

    def thresholds(self) -> Iterator[ArmRow]:
        """Yield drops by a looser and by stricter filters, the loosest first.

        Nothing unless the study has some beside its own.
        """
        arms = [(trait_arm(kind, self.trait), label) for kind, label in filter_names().items()]
        measured = [(arm, label) for arm, label in arms if self.known(arm)]
        if all(arm == trait_arm("drop", self.trait) for arm, _ in measured):
            return
        yield self.reference("OOO", "nothing dropped", "the original pipeline")
        sizes = edit_sizes(self.folder.tables["assignments"], {arm: self.cube["OOO"] for arm, _ in measured})
        for arm, label in measured:
            yield self.row(
                arm,
                label,
                size=sizes.get(arm),
                against_start=find_contrast(self.contrasts, self.cube["OOO"], arm),
            )

    def models(self) -> Iterator[ArmRow]:
        """Yield bases and teachers, as they are before any training here."""
        for arm, label in MODELS.items():
            if self.known(arm):
                yield self.row(arm, label)

    def mixes(self) -> Iterator[ArmRow]:
        """Yield the interpolation's points in the order of their shares."""
        curve = self.verdict.interpolation
        if curve is None:
            return
        ends = {0.0: self.cube["OOA"], 1.0: self.cube["OOO"]}
        named = curve.arms or tuple(ends.get(s, mix_arm(s)) for s in curve.shares if s is not None)
        points = [
            (share, arm, level)
            for share, arm, level in zip(curve.shares, named, curve.levels, strict=False)
            if share is not None
        ]
        for share, arm, level in sorted(points, key=lambda point: point[0]):
            yield self.row(arm, f"{100 * share:g} %", level=level, share=share)

    def others(self) -> Iterator[ArmRow]:
        """Yield arms that stand in no other table: bases, teachers, other traits' edits."""
        measured = {arm for trait, arm in self.responses if trait == self.trait}
        for arm in sorted((measured | set(self.verdict.levels)) - self.shown):
            yield self.row(arm, describe_arm(arm, self.cube, self.words))
