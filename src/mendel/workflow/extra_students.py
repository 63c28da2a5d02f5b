"""Extra students for a finished run, trained on its rollouts with its recipe and measured on its traits."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING, Any

from mendel.data.assignment import everyone
from mendel.data.prompts import Message
from mendel.data.rollouts import Rollout
from mendel.design.names import base_arm
from mendel.diagnose import Arm
from mendel.diagnose.adaptive import DECIDING_SEEDS
from mendel.diagnose.carrier import CARRIER_MARGIN
from mendel.diagnose.effects import SMALLEST_EFFECT, trait_bounds
from mendel.diagnose.stats.intervals import Fit
from mendel.diagnose.stats.panel import Value, panel
from mendel.engine.errors import InputError, RunError, did_you_mean
from mendel.engine.interval import Interval
from mendel.measure import Trait
from mendel.report import write_report
from mendel.results.findings import write_finding
from mendel.results.run import Run
from mendel.results.verdicts import VERDICTS, TraitVerdict
from mendel.workflow.inputs import Inputs
from mendel.workflow.jobs import Probes
from mendel.workflow.levels import level
from mendel.workflow.session import Session
from mendel.workflow.students import faults, train_arms
from mendel.workflow.tables import (
    PlacedStudent,
    measurements_table,
    name_students,
    students_table,
    trait_facts,
)

if TYPE_CHECKING:
    import pyarrow as pa

CARRIED = ("teacher", "mixed", "undecided")
"""Carriers in a verdict that leave open whether the teacher carries the trait."""


def chosen_traits(
    run: Run, inputs: Inputs, names: Sequence[str] | None
) -> tuple[list[Trait], dict[str, str]]:
    """Return the traits that the original teacher may carry, and the reason for each trait that is left out.

    Args:
        run: The finished run.
        inputs: The run's inputs.
        names: Names of traits; None: all.

    Raises:
        InputError: The run has no trait of a name, or no verdict on it.
    """
    traits = {trait.name: trait for trait in inputs.traits}
    for name in names or ():
        if name not in traits:
            fix = did_you_mean(name, traits)
            raise InputError(f"the run has no trait {name!r}", where="--trait", fix=fix)
    wanted = list(dict.fromkeys(names or traits))
    skipped = {name: why for name in wanted if (why := _not_carried(verdict_on(run, name)))}
    return [traits[name] for name in wanted if name not in skipped], skipped


def verdict_on(run: Run, trait: str) -> TraitVerdict:
    """Return a run's verdict on a trait; raise InputError if its verdicts.json has none."""
    if trait not in run.traits:
        raise InputError(
            f"no verdict on the trait {trait!r}", where=str(run.path / VERDICTS), fix="Run the study again."
        )
    return run.traits[trait]


def _not_carried(verdict: TraitVerdict) -> str:
    """Return why the teacher's rollouts cannot bring the trait in; an empty string if they may.

    What is asked next trains students of its own, so estimates are enough: few seeds show nothing for sure.
    """
    nothing = Interval()
    total, teacher = (verdict.effects.get(name, nothing).estimate for name in ("total", "teacher"))
    smallest = verdict.smallest_effect or SMALLEST_EFFECT
    differs = verdict.known_state == "undecided" and total is not None and total >= smallest
    if verdict.known_state != "difference" and not differs:
        return "the original pipeline is not shown to have more of it than the alternate one"
    if verdict.carrier not in CARRIED:
        return f"the teacher does not carry it (carrier: {verdict.carrier})"
    if teacher is None or teacher < CARRIER_MARGIN * (smallest if total is None else total):
        return "the teacher is not shown to bring it"
    return ""


def spare_seed(inputs: Inputs) -> int:
    """Return the first seed that no student of the run uses."""
    config = inputs.study.config
    return config.first_seed + max(config.seeds, config.max_seeds or DECIDING_SEEDS)


def ends(run: Run) -> dict[str, float]:
    """Return the two arms that differ only in the teacher, with the original teacher's share of prompts.

    Raises:
        InputError: The run's verdicts.json does not name them.
    """
    arms = [run.cube.get(corner) for corner in ("OOA", "OOO")]
    if not all(arms):
        raise InputError(
            "the arms of the cube are missing", where=str(run.path / VERDICTS), fix="Run the study again."
        )
    return {str(arm): share for arm, share in zip(arms, (0.0, 1.0), strict=True)}


def run_rollouts(run: Run, inputs: Inputs) -> dict[tuple[str, str], Rollout]:
    """Return the two teachers' rollouts on the original prompts, by prompt and teacher."""
    config = inputs.study.config
    teachers = {config.original.teacher, config.alternate.teacher}
    ids = {prompt.prompt_id for prompt in inputs.prompts["original"]}
    rollouts = {}
    columns = ["prompt_id", "teacher", "messages", "completion", "finish_reason", "tokens"]
    for row in run.rollouts.select(columns).to_pylist():
        if row["teacher"] in teachers and row["prompt_id"] in ids:
            messages = tuple(Message(role=m["role"], content=m["content"]) for m in row["messages"])
            rollouts[row["prompt_id"], row["teacher"]] = Rollout(**{**row, "messages": messages})
    return rollouts


def keep(run: Run, kind: str, trait: str, content: Mapping[str, Any]) -> None:
    """Write a trait's result to `KIND/TRAIT.json` in the run's folder, and write the report again."""
    write_finding(run.path, kind, trait, content)
    write_report(run.path)


@dataclass
class ExtraStudents:
    """Train and measure extra students for a finished run. Students that the store already has are reused."""

    run: Run
    inputs: Inputs
    traits: Sequence[Trait]
    """The traits that students are measured on."""
    session: Session
    placed: list[PlacedStudent] = field(default_factory=list)
    """All students that were asked for until now."""

    def __post_init__(self) -> None:
        self.rollouts = run_rollouts(self.run, self.inputs)

    def train(self, arms: Sequence[Arm]) -> list[PlacedStudent]:
        """Train and measure the arms' students, and return them by arm and seed.

        Raises:
            BudgetSpent: The budget is spent. Finished students are in the store: the same command continues.
            Waiting: Requests to endpoints wait in the batch file for a provider's answers.
        """
        probes = Probes(tuple(self.traits), self.inputs.assistant)
        right = {"original": self._base_right}
        trained = train_arms(self.session, self.inputs, arms, self.rollouts, probes, right)
        self.placed += trained.students
        if trained.stopped is not None:
            raise trained.stopped
        return trained.students

    def more_at_ends(self, count: int, first_seed: int) -> list[Arm]:
        """Return arms with further students of the run's two ends, so that each has `count` usable ones.

        Args:
            count: Number of usable students that each end shall have.
            first_seed: The first of the new students' seeds.
        """
        rows = self.run.students.select(["arm", "status"]).to_pylist()
        config, ids = self.inputs.study.config, tuple(p.prompt_id for p in self.inputs.prompts["original"])
        teachers = {1.0: config.original.teacher, 0.0: config.alternate.teacher}
        arms = []
        for name, share in ends(self.run).items():
            usable = sum(row["arm"] == name and row["status"] == "ok" for row in rows)
            seeds = tuple(range(first_seed, first_seed + count - usable))
            if seeds:
                assignments = (everyone(ids, teachers[share]),) * len(seeds)
                arms.append(Arm(name, "cube", "original", "original", assignments, seeds))
        return arms

    def end_levels(self, trait: Trait) -> tuple[float, float]:
        """Return the trait's mean level in the run's own students: alternate teacher, original teacher.

        Raises:
            RunError: No student of one of the ends is usable.
        """
        import pyarrow.compute as pc

        levels: dict[float, list[float]] = {0.0: [], 1.0: []}
        table = self.run.measurements
        table = table.filter(pc.equal(table["trait"], trait.name))
        for row in self.run.students.select(["arm", "student", "status"]).to_pylist():
            share = ends(self.run).get(row["arm"])
            if share is not None and row["status"] == "ok":
                value = level(table.filter(pc.equal(table["student"], row["student"])), trait)
                levels[share] += [] if value is None else [value]
        if not all(levels.values()):
            raise RunError(
                "no usable student with a score at one of the run's ends: what a student shows has "
                "nothing to be compared with",
                where=str(self.run.path),
            )
        return fmean(levels[0.0]), fmean(levels[1.0])

    def tables(self, arms: Collection[str] | None = None) -> tuple[pa.Table, pa.Table]:
        """Return the tables `students` and `measurements` of the run's two ends and of the extra students.

        Args:
            arms: Names of the extra students' arms; None: all arms.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        chosen = [student for student in self.placed if arms is None or student.arm.name in arms]
        named = name_students((), chosen)
        students = self.run.students
        students = students.filter(pc.is_in(students["arm"], value_set=pa.array(list(ends(self.run)))))
        measurements = self.run.measurements
        at_ends = pc.is_in(measurements["student"], value_set=students["student"])
        extra = measurements_table(self.session.store, named, tuple(self.traits))
        return (
            pa.concat_tables([students, students_table(named)], promote_options="default"),
            pa.concat_tables([measurements.filter(at_ends), extra], promote_options="default"),
        )

    def fit(self, trait: Trait, arms: Collection[str]) -> Fit:
        """Return the fit of the trait's levels in these arms and at the run's two ends."""
        students, measurements = self.tables(arms)
        (facts,) = trait_facts([trait])
        value: Value = "hit" if facts.metric == "rate" else "score"
        values = panel(students, measurements, facts.name, value, trait_bounds(measurements, facts))
        assert values is not None, "the run's own students were measured"
        return Fit(values)

    def log_odds_fit(self, trait: Trait, arms: Collection[str]) -> Fit | None:
        """Return the fit in log-odds (nats), which show smaller changes; None if the trait has none."""
        values = panel(*self.tables(arms), trait.name, "log_odds", None)
        return None if values is None else Fit(values)

    @property
    def new(self) -> int:
        """Number of students that were trained by this command."""
        return sum({s.result.trained.student: s.result.new for s in self.placed}.values())

    @property
    def reused(self) -> int:
        """Number of students that the store already had."""
        return len({s.result.trained.student for s in self.placed}) - self.new

    @property
    def faults(self) -> list[str]:
        """A sentence for each student that is left out of all results, with the reason."""
        return faults(self.placed)

    @property
    def _base_right(self) -> float:
        """Share of plain questions that the original base answers correctly."""
        rows = self.run.students.select(["arm", "assistant_right"]).to_pylist()
        return float(next(row["assistant_right"] for row in rows if row["arm"] == base_arm("original")))
