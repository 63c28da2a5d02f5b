"""Rounds of students: train the requested arms and look at the verdicts, until no arm is requested."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mendel.data.rollouts import Rollout
from mendel.design.names import base_arm
from mendel.diagnose import (
    PARTS,
    Catalogue,
    Design,
    Estimate,
    Levels,
    Request,
    Verdict,
    all_hypotheses,
    estimate_trait,
    first_request,
    log_odds_effects,
    next_request,
    reach_verdict,
)
from mendel.diagnose.adaptive import looks
from mendel.engine.errors import Stopped
from mendel.engine.interval import Interval
from mendel.engine.progress import TraitSoFar
from mendel.workflow.inputs import Inputs
from mendel.workflow.jobs import Probes
from mendel.workflow.known import Known
from mendel.workflow.session import Session
from mendel.workflow.students import train_arms
from mendel.workflow.tables import MeasuredModel, PlacedStudent, measured_tables, trait_facts

log = logging.getLogger(__name__)
LOOK_EVERY = 15.0
"""Least time between two looks at the effects within a round, in seconds."""
LOOK_SHARE = 0.02
"""Greatest share of a run's time for these looks, which are only for progress and decide nothing."""


@dataclass
class Outcome:
    """A run's models and students until now: enough for its tables and verdicts, even if it ends early."""

    models: list[MeasuredModel] = field(default_factory=list)
    students: list[PlacedStudent] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    stopped: Stopped | None = None
    """The reason why the run ended early; None: it did not."""


@dataclass
class Rounds:
    """The rounds of one run."""

    session: Session
    inputs: Inputs
    catalogue: Catalogue
    rollouts: Mapping[tuple[str, str], Rollout]
    probes: Probes
    outcome: Outcome
    """Holds the measured models; students are added."""
    earlier_looks: int = 0
    """How often verdicts of this run were reached before, with other seeds."""
    known: Known = field(default_factory=Known)
    """What is known beside the contrasts."""
    _next_look: float = field(default=0.0, init=False)

    def run(self) -> Design:
        """Train all rounds, and return the design of the rounds that were begun."""
        request: Request | None = first_request(self.catalogue)
        trained: dict[str, int] = {}
        while request is not None:
            trained |= request.arms
            design = self.catalogue.design(trained)
            self._train(design)
            if self.outcome.stopped is not None:
                break
            verdicts = self._look(design, self.outcome.students)
            request = next_request(self.catalogue, trained, verdicts, self._levels)
            if request is not None:
                log.info("%d students so far; next: %s", design.students, request.why)
        return self.catalogue.design(trained)

    @property
    def _levels(self) -> Levels:
        return significance_levels(self.catalogue, self.earlier_looks)

    def _train(self, design: Design) -> None:
        """Train and measure the design's students that are not in `outcome` yet."""
        outcome = self.outcome
        self._next_look = max(self._next_look, time.monotonic() + LOOK_EVERY)

        def look(students: list[PlacedStudent]) -> None:
            if time.monotonic() > self._next_look:
                self._look(design, [*outcome.students, *students])

        health = {model.arm: model.health for model in outcome.models}
        right = {str(base): health[base_arm(base)].right for base in self.inputs.bases}
        trained = train_arms(
            self.session,
            self.inputs,
            design.arms,
            self.rollouts,
            self.probes,
            right,
            done={(student.arm.name, student.seed) for student in outcome.students},
            look=look,
        )
        outcome.students += trained.students
        outcome.stopped = trained.stopped
        order = {arm.name: number for number, arm in enumerate(design)}
        outcome.students.sort(key=lambda student: (order[student.arm.name], student.seed))

    def _look(self, design: Design, students: Sequence[PlacedStudent]) -> dict[str, Verdict]:
        """Return the verdicts on these students, and report the effects to progress."""
        began = time.monotonic()
        verdicts = self._verdicts(design, students)
        self.session.progress.effects([so_far(name, verdict) for name, verdict in verdicts.items()])
        now = time.monotonic()
        self._next_look = now + max(LOOK_EVERY, (now - began) / LOOK_SHARE)
        return verdicts

    def _verdicts(self, design: Design, students: Sequence[PlacedStudent]) -> dict[str, Verdict]:
        """Return the verdict on each trait."""
        tables = measured_tables(self.session.store, self.inputs, self.outcome.models, students)
        verdicts = {}
        for facts in trait_facts(self.inputs.traits):
            effects = estimate_trait(*tables, facts, design.cube, mix_shares(design))
            log_odds = log_odds_effects(*tables, facts, design.cube)
            conditions = self.known.conditions(effects, log_odds)
            verdicts[facts.name] = reach_verdict(
                effects, self._levels, self.catalogue.lacking, conditions, intervals=False
            )
        return verdicts


def so_far(trait: str, verdict: Verdict) -> TraitSoFar:
    """Return a trait's verdict in the form that progress shows."""
    effects, nothing = verdict.effects, Estimate(None)
    original, alternate = (effects.levels.get(effects.cube[corner], nothing) for corner in ("OOO", "AAA"))
    return TraitSoFar(
        trait,
        Interval.read(original.json()),
        Interval.read(alternate.json()),
        {part: Interval.read(effects.estimates[part].json()) for part in PARTS},
        effects.unit,
        verdict.carrier.carrier,
        verdict.state.state,
    )


def significance_levels(catalogue: Catalogue, earlier_looks: int = 0) -> Levels:
    """Return the significance levels of the tests, given the numbers of looks and of hypotheses."""
    return Levels(earlier_looks + looks(catalogue), len(all_hypotheses()))


def mix_shares(design: Design) -> dict[str, float]:
    """Return the original teacher's share of prompts in each `mix` arm, by arm."""
    return {arm.name: arm.share for arm in design if arm.share is not None}
