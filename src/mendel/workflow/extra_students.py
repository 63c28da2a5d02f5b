"""More students of a finished run: trained on its rollouts by its recipe, measured on its traits, beside its own."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mendel.data.prompts import Message
from mendel.data.rollouts import Rollout
from mendel.diagnose import Arm, Design
from mendel.diagnose.effects import trait_bounds
from mendel.diagnose.stats.intervals import Fit
from mendel.diagnose.stats.panel import Value, panel
from mendel.engine.errors import BudgetSpent, InputError, did_you_mean
from mendel.engine.executors import Executor
from mendel.engine.progress import Progress
from mendel.engine.store import Store, write_atomic
from mendel.measure import Trait
from mendel.report import write_report
from mendel.results.run import Run
from mendel.workflow import tables as gather
from mendel.workflow.inputs import Inputs
from mendel.workflow.jobs import Probes, StudentJob, StudentResult
from mendel.workflow.judging import Judging
from mendel.workflow.rounds import MEASURING_SEED, student_specs, trait_facts
from mendel.workflow.students import train_students_of

if TYPE_CHECKING:
    import pyarrow as pa

CARRIED = ("teacher", "mixed", "undecided")


def chosen_traits(
    run: Run, inputs: Inputs, names: Sequence[str] | None
) -> tuple[list[Trait], dict[str, str]]:
    """The named traits (None: all) that the original teacher may carry, and why the others are left out.

    Raises InputError for a name that the run does not have.
    """
    known = {trait.name: trait for trait in inputs.traits}
    for name in names or ():
        if name not in known:
            raise InputError(f"the run has no trait {name!r}", where="--trait", fix=did_you_mean(name, known))
    asked = list(dict.fromkeys(names or known))
    skipped = {name: why for name in asked if (why := _not_carried(run.verdicts["traits"][name]))}
    return [known[name] for name in asked if name not in skipped], skipped


def _not_carried(verdict: Mapping[str, Any]) -> str:
    """Why a part of the teacher's rollouts cannot bring the trait; '' if it may."""
    if not verdict["present"]:
        return "the original pipeline is not shown to have more of it than the alternate one"
    if verdict["carrier"] not in CARRIED:
        return f"the teacher does not carry it (carrier: {verdict['carrier']})"
    low = verdict["effects"]["teacher"]["low"]
    if low is None or low <= 0:
        return "the teacher is not shown to bring it"
    return ""


def spare_seed(inputs: Inputs) -> int:
    """The first seed that no student of the run has."""
    config = inputs.study.config
    return config.first_seed + max(config.seeds, config.max_seeds or 0)


def ends(run: Run) -> dict[str, float]:
    """The run's own arms that differ in their teacher alone, by the share of prompts that is the original's."""
    cube = run.verdicts["cube"]
    return {cube["OOA"]: 0.0, cube["OOO"]: 1.0}


def run_rollouts(run: Run, inputs: Inputs) -> dict[tuple[str, str], Rollout]:
    """The two teachers' rollouts on the original prompts, those that the run trained on."""
    config = inputs.study.config
    teachers = {config.original.teacher, config.alternate.teacher}
    ids = {prompt.prompt_id for prompt in inputs.prompts["original"]}
    found = {}
    columns = ["prompt_id", "teacher", "messages", "completion", "finish_reason", "tokens"]
    for row in run.rollouts.select(columns).to_pylist():
        if row["teacher"] in teachers and row["prompt_id"] in ids:
            messages = tuple(Message(role=m["role"], content=m["content"]) for m in row["messages"])
            found[row["prompt_id"], row["teacher"]] = Rollout(**{**row, "messages": messages})
    return found


def keep(run: Run, kind: str, trait: str, content: Mapping[str, Any]) -> None:
    """Writes what was found of a trait into the run's folder, as `KIND/TRAIT.json`, and its page again, which shows it."""
    (run.path / kind).mkdir(exist_ok=True)
    text = json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False)
    write_atomic(run.path / kind / f"{trait}.json", text + "\n")
    write_report(run.path)


@dataclass
class MoreStudents:
    """Trains and measures students beside a run's own; each is done once, whoever asks for it."""

    run: Run
    inputs: Inputs
    traits: Sequence[Trait]
    """What they are measured on."""
    store: Store
    executor: Executor
    judging: Judging
    told: Progress
    placed: list[gather.PlacedStudent] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rollouts = run_rollouts(self.run, self.inputs)

    def train(self, arms: Sequence[Arm]) -> list[gather.PlacedStudent]:
        """The arms' students, in the design's order; raises BudgetSpent and what a run's training and judging raise."""
        probes = Probes(tuple(self.traits), self.inputs.assistant, MEASURING_SEED)
        where: dict[str, list[tuple[Arm, int]]] = {}
        jobs: dict[str, StudentJob] = {}
        for arm, seed, spec in student_specs(self.inputs, Design(tuple(arms), {}), self.rollouts):
            where.setdefault(spec.digest, []).append((arm, seed))
            jobs.setdefault(spec.digest, StudentJob(spec, probes, self._base_right, self.store.root))
        self._allow(list(jobs))
        done: dict[str, StudentResult] = {}
        self.told.stage("students", len(jobs))
        places = {name: where[name][0] for name in jobs}
        for job, result, _ in train_students_of(jobs, places, self.executor, self.told):
            done[job.spec.digest] = result
            if result.status == "ok":
                for trait in self.traits:
                    self.judging.finish(job.spec.digest, trait, trait, MEASURING_SEED)
            self.told.step(1, f"{len(done)} of {len(jobs)}")
        base = self.inputs.bases["original"].ref
        made = [gather.PlacedStudent(arm, seed, base, done[n]) for n in jobs for arm, seed in where[n]]
        self.placed += made
        return made

    def _allow(self, students: Sequence[str]) -> None:
        """Raises BudgetSpent, before anything is trained, where these would be more than the study's budget of students allows."""
        allowed = self.inputs.study.config.budget.students
        missing = sum(not self.store.has("students", name) for name in students)
        if allowed is not None and self.new + missing > allowed:
            raise BudgetSpent(
                f"{self.new + missing} students would have to be trained, and the study's budget allows {allowed}",
                fix="Ask for fewer, or run the study with a greater budget.students first: nothing is trained again.",
            )

    def tables(self, arms: Collection[str] | None = None) -> tuple[pa.Table, pa.Table]:
        """Students and measurements of the run's own two ends and of the `arms` that were trained here (None: all of them)."""
        import pyarrow as pa
        import pyarrow.compute as pc

        wanted = [one for one in self.placed if arms is None or one.arm.name in arms]
        named = gather.name_students((), wanted)
        own = self.run.students
        two = own.filter(pc.is_in(own["arm"], value_set=pa.array(list(ends(self.run)))))
        theirs = self.run.measurements
        theirs = theirs.filter(pc.is_in(theirs["student"], value_set=two["student"]))
        made = gather.measurements_table(self.store, named, tuple(self.traits), MEASURING_SEED)
        return (
            pa.concat_tables([two, gather.students_table(named)], promote_options="default"),
            pa.concat_tables([theirs, made], promote_options="default"),
        )

    def fit(self, trait: Trait, arms: Collection[str]) -> Fit:
        """The trait's levels in these arms and the run's own two ends, to be compared."""
        students, measurements = self.tables(arms)
        (facts,) = trait_facts([trait])
        value: Value = "hit" if facts.metric == "rate" else "score"
        found = panel(students, measurements, facts.name, value, trait_bounds(measurements, facts))
        assert found is not None, "the run's own students were measured"
        return Fit(found)

    def log_odds_fit(self, trait: Trait, arms: Collection[str]) -> Fit | None:
        """The same in log-odds (nats), which tell of small changes too; None where the trait has none."""
        found = panel(*self.tables(arms), trait.name, "log_odds", None)
        return None if found is None else Fit(found)

    @property
    def new(self) -> int:
        """How many were trained now."""
        return sum({one.result.trained.student: one.result.new for one in self.placed}.values())

    @property
    def reused(self) -> int:
        """How many the store had."""
        return len({one.result.trained.student for one in self.placed}) - self.new

    @property
    def faults(self) -> list[str]:
        """Which students count nowhere, and why."""
        return [
            f"student {one.result.trained.student[:12]} ({one.arm.name}, seed {one.seed}) is {one.result.status} "
            f"and counts nowhere: {one.result.reason}"
            for one in self.placed
            if one.result.status != "ok"
        ]

    @property
    def _base_right(self) -> float:
        """The share of plain questions that the original base answers rightly."""
        rows = self.run.students.select(["arm", "assistant_right"]).to_pylist()
        return float(next(row["assistant_right"] for row in rows if row["arm"] == "base/original"))
