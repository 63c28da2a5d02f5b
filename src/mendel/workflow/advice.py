"""What a recommendation rests on beside a trait's effects: changed rows, the ladder, the assistant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mendel.diagnose import Leaks, TraitFacts, arm_levels, find_leaks
from mendel.diagnose.remedies import RemedyFacts
from mendel.engine.interval import Interval
from mendel.measure import Trait
from mendel.results.basis import Basis
from mendel.workflow.inputs import Inputs
from mendel.workflow.tables import trait_facts

if TYPE_CHECKING:
    import pyarrow as pa

    from mendel.design.catalogue import Design


@dataclass(frozen=True)
class AdviceBasis:
    """What the recommendations of all traits of a run rest on; a run's folder keeps it in basis.json."""

    rows: Mapping[str, int]
    """By arm: how many rows of the original pipeline's data it changes."""
    prompts: int | None
    """How many prompts the original pipeline has."""
    assistant: Mapping[str, Interval]
    """By arm: the share of plain questions that its students answer rightly."""

    @classmethod
    def of_run(
        cls, inputs: Inputs, design: Design, students: pa.Table, measurements: pa.Table
    ) -> AdviceBasis:
        """Return the basis of a run that is being written."""
        rows = design.rows_changed()
        right = assistant_levels(students, measurements, inputs.assistant)
        return cls(rows, len(inputs.prompts["original"]), right)

    @classmethod
    def of_folder(cls, basis: Basis) -> AdviceBasis:
        """Return the basis that a run's folder keeps; what an older folder lacks counts as not measured."""
        return cls(basis.rows, basis.prompts, basis.assistant)

    def facts(self, leaks: Leaks | None) -> RemedyFacts:
        """Return what the recommendation for one trait needs; `leaks`: None without a ladder."""
        ladder = leaks.on_ladder() if leaks is not None else {}
        return RemedyFacts(self.rows, self.prompts, ladder, self.assistant)


def assistant_levels(students: pa.Table, measurements: pa.Table, probe: Trait) -> dict[str, Interval]:
    """Return the share of plain questions that each arm's students answer rightly, by arm."""
    import pyarrow as pa
    import pyarrow.compute as pc

    questions = [s.scenario for s in probe.scenarios if s.kind == "question"]
    asked = pc.equal(measurements["trait"], probe.name)
    if questions:
        # As the health check does: a small base follows few instructions, so a share of them is noise.
        asked = pc.and_(asked, pc.is_in(measurements["scenario"], value_set=pa.array(questions)))
    levels = arm_levels(students, measurements.filter(asked), TraitFacts(probe.name, probe.scale), "hit")
    return {arm: Interval.read(level.json()) for arm, level in levels.items()}


def trait_leaks(
    trait: Trait,
    rungs: Mapping[str, Trait],
    students: pa.Table,
    measurements: pa.Table,
    cube: Mapping[str, str],
) -> Leaks | None:
    """Return what edits leave of a trait on each rung of its ladder; None without rungs."""
    if not rungs:
        return None
    facts, *rung_facts = trait_facts((trait, *rungs.values()))
    return find_leaks(students, measurements, facts, dict(zip(rungs, rung_facts, strict=True)), cube)
