"""`mendel bench selectors`: try every selector on organisms with known carriers, and retrain without them.

For each organism and selector, the bench reports precision and recall of the highest-scored 1, 2, 5, 10 and
25 %. It also reports how much of the trait is left after these prompts are dropped, and after the alternate
teacher answers them.

The control follows Rosser and Lee (2026): half of a mixture is known to be bad, and every selector removes
half of it.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mendel._version import __version__
from mendel.commands.bench.harness import BenchResult, once, run_jobs, source_digest
from mendel.data.selectors import Candidate, select, top
from mendel.design.arms import draw_rng
from mendel.engine.digest import digest
from mendel.engine.errors import MendelError
from mendel.engine.executors import Executor
from mendel.engine.progress import Progress
from mendel.engine.store import Store, default_store
from mendel.measure import Trait
from mendel.models import ModelSource
from mendel.organisms import organism
from mendel.study import load_study
from mendel.study.schema import SelectConfig
from mendel.workflow.flagging import candidates_of, context_of
from mendel.workflow.inputs import Inputs, load_inputs
from mendel.workflow.jobs import (
    ModelJob,
    Probes,
    RolloutJob,
    StudentJob,
    make_student,
    measure_model,
    roll_out,
)
from mendel.workflow.judging import rollout_scores
from mendel.workflow.levels import level
from mendel.workflow.measurements import Measurements
from mendel.workflow.rollouts import read_rollouts

if TYPE_CHECKING:
    from mendel.data.rollouts import Rollout

SHARES = (0.01, 0.02, 0.05, 0.10, 0.25)
ORACLE = "oracle"
"""The selector that knows the carriers: the best that any selector can do."""
SELECTORS = (
    "random",
    "length",
    "keyword",
    "judge",
    "embedding",
    "probe",
    "projection",
    "projection_difference",
    "loss_difference",
    "influence",
    ORACLE,
)
"""All but `divergence`, which needs checkpoints as teachers; an organism's teachers are rollouts."""
SPREADS = ("clustered", "scattered")
"""How an organism's carriers lie among the prompts."""


@dataclass(frozen=True)
class SelectorJob:
    """One organism to make and to try all selectors on."""

    spread: str
    seed: int
    store: Path

    @property
    def key(self) -> str:
        """The key of its record in the store; it depends on the version and the source."""
        return digest("bench-selectors", [self.spread, self.seed, __version__, source_digest()])


def bench_selectors(
    per_spread: int,
    seeds_from: int,
    *,
    workers: int | None = None,
    store: str | Path | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> BenchResult:
    """Try every selector on organisms whose carriers are known.

    An organism takes about 130 students. The store keeps the students and the finished records: an
    interrupted bench continues from there.

    Args:
        per_spread: Number of organisms of each spread of carriers; organism i has seed `seeds_from + i`.
        seeds_from: First seed.
        workers: Number of local worker processes; None: as many as suit the machine.
        store: Folder of the store; None: the default store.
        executor: Runs the jobs; None: local worker processes.
        progress: Receives progress events; None: progress is not shown.

    Returns:
        The version and every record.

    Raises:
        RunError: A worker process was killed.
    """
    root = Store(Path(store) if store is not None else default_store()).prepare().root
    jobs = [SelectorJob(name, seeds_from + i, root) for i in range(per_spread) for name in SPREADS]

    def label(job: SelectorJob, record: dict[str, Any]) -> str:
        return f"{job.spread} {job.seed}"

    records = run_jobs(jobs, try_all_selectors, label, executor=executor, workers=workers, progress=progress)
    content = {"version": __version__, "records": records}
    return BenchResult(content, describe(content))


def try_all_selectors(job: SelectorJob) -> dict[str, Any]:
    """Return the record of an organism: from the store, or from trying all selectors in a scratch folder."""
    return once(job, lambda: _try_all(job))


def _try_all(job: SelectorJob) -> dict[str, Any]:
    identity = {"spread": job.spread, "seed": job.seed}
    with tempfile.TemporaryDirectory() as scratch:
        folder, truth = Path(scratch, "organism"), Path(scratch, "truth.json")
        try:
            organism("simple_generalization", job.seed, folder, truth=truth, spread=job.spread)
        except MendelError as error:
            if error.exit_code == 2:
                raise
            return {**identity, "made": False, "reads": error.message}
        planted = json.loads(truth.read_text())
        trial = _Trial.of(folder / "study.yaml", planted, Store(job.store))
        return {**identity, "made": True, **trial.run()}


@dataclass
class _Trial:
    """One organism's prompts, selector scores and students."""

    inputs: Inputs
    trait: Trait
    carriers: frozenset[str]
    rollouts: Mapping[tuple[str, str], Rollout]
    store: Store
    recipe: str
    right: float = 0.0
    students: int = 0
    levels: dict[str, tuple[float, float] | None] = field(default_factory=dict)

    @classmethod
    def of(cls, study: Path, planted: Mapping[str, Any], store: Store) -> _Trial:
        """Return the trial of an organism, given its study file and the truth about it."""
        inputs = load_inputs(load_study(study))
        jobs = [RolloutJob(chunk, store.root) for chunk in inputs.chunks]
        for job in jobs:
            roll_out(job)
        trait = next(trait for trait in inputs.traits if trait.name == planted["trait"])
        carriers = frozenset(planted["carriers"])
        return cls(inputs, trait, carriers, read_rollouts(jobs, store), store, str(planted["recipe"]))

    def run(self) -> dict[str, Any]:
        """Return the results of all selectors at all shares, and of the control."""
        base = self.inputs.bases["original"]
        probes = Probes((), self.inputs.assistant)
        source = ModelSource(base.ref, base.digest, base)
        self.right = measure_model(ModelJob(source, None, probes, self.store.root)).right
        rows = candidates_of(self.inputs, self.rollouts)
        ids = [row.prompt_id for row in rows]
        scores = self._scores(rows)
        whole, none = self._left(ids, ids), self._left(ids, ())
        tried = [self._try(name, by_prompt, ids) for name, by_prompt in scores.items()]
        return {
            "recipe": self.recipe,
            "prompts": len(ids),
            "carriers": len(self.carriers),
            "whole": whole,
            "none": none,
            "selectors": tried,
            "control": self._control(rows, scores),
            "students": self.students,
        }

    def _scores(self, rows: Sequence[Candidate]) -> dict[str, dict[str, float]]:
        """Return the scores of each selector, by prompt id."""
        teachers = (self.inputs.study.config.original.teacher, self.inputs.study.config.alternate.teacher)
        judged = rollout_scores(self.trait, [r for (_, t), r in self.rollouts.items() if t in teachers])
        forced = self.trait.log_odds
        pattern = rf"\b{forced.trait[0].strip()}\b" if forced else None
        scores = {}
        for name in SELECTORS:
            if name == ORACLE:
                scores[name] = {row.prompt_id: float(row.prompt_id in self.carriers) for row in rows}
                continue
            config = SelectConfig(by=name, pattern=pattern if name == "keyword" else None)
            context = context_of(self.inputs, self.trait, config, judged, rows)
            scores[name] = select(rows, context, self.store)
        return scores

    def _try(self, name: str, scores: Mapping[str, float], ids: Sequence[str]) -> dict[str, Any]:
        """Return a selector's precision, recall and remaining trait at all shares."""
        cuts = []
        for share in SHARES:
            flagged = set(top(scores, max(1, round(share * len(ids)))))
            hits = len(flagged & self.carriers)
            kept = [prompt_id for prompt_id in ids if prompt_id not in flagged]
            cuts.append(
                {
                    "share": share,
                    "flagged": len(flagged),
                    "precision": hits / len(flagged),
                    "recall": hits / len(self.carriers),
                    "dropped": self._left(kept, kept),
                    "swapped": self._left(ids, kept),
                }
            )
        return {"selector": name, "cuts": cuts}

    def _control(
        self, rows: Sequence[Candidate], scores: Mapping[str, Mapping[str, float]]
    ) -> dict[str, Any]:
        """Mix all carriers with as many other prompts; each selector removes half of the mixture."""
        bad = [row.prompt_id for row in rows if row.prompt_id in self.carriers]
        others = [row.prompt_id for row in rows if row.prompt_id not in self.carriers]
        # A separate random generator: the random selector must not repeat this draw.
        rng = draw_rng("control", self.trait.name, 0, others)
        fine = {others[place] for place in rng.permutation(len(others))[: len(bad)]}
        mixture = [row.prompt_id for row in rows if row.prompt_id in self.carriers or row.prompt_id in fine]
        # As many steps as with the whole set: with fewer, the carriers bring in nothing that could be
        # removed.
        epochs = max(1, round(len(rows) / len(mixture)))
        left = {"none": self._left(mixture, mixture, epochs)}
        for name, by_prompt in scores.items():
            removed = set(top({prompt_id: by_prompt[prompt_id] for prompt_id in mixture}, len(bad)))
            kept = [prompt_id for prompt_id in mixture if prompt_id not in removed]
            left[name] = self._left(kept, kept, epochs)
        return {"rows": len(mixture), "removed": len(bad), "left": left}

    def _left(
        self, ids: Sequence[str], original: Collection[str], epochs: int = 1
    ) -> dict[str, float] | None:
        """Train a student on these prompts; return its share of hits and mean probability, None if it broke.

        The original teacher answers the prompts in `original`, the alternate teacher the rest. `epochs`
        multiplies the recipe's epochs.
        """
        from mendel.train import StudentSpec, TrainingRow

        config = self.inputs.study.config
        by_original = set(original)
        rows = []
        for prompt_id in ids:
            teacher = (config.original if prompt_id in by_original else config.alternate).teacher
            rollout = self.rollouts[prompt_id, teacher]
            rows.append(TrainingRow(prompt_id, teacher, rollout.messages, rollout.completion))
        recipe = config.recipe.model_copy(update={"epochs": epochs * config.recipe.epochs})
        spec = StudentSpec(self.inputs.bases["original"], tuple(rows), recipe, config.first_seed)
        probes = Probes((self.trait,), self.inputs.assistant)
        result = make_student(StudentJob(spec, probes, self.right, self.store.root))
        self.students += result.new
        table = Measurements(self.store, spec.digest).scores(self.trait)
        if result.status != "ok" or table is None:
            return None
        hits = [bool(hit) for hit in table["hit"].to_pylist() if hit is not None]
        probability = level(table, self.trait)
        return None if probability is None else {"rate": sum(hits) / len(hits), "probability": probability}


def describe(found: Mapping[str, Any]) -> str:
    """Return a line for each selector: means over organisms of the remaining effect, precision and recall."""
    made = [r for r in found["records"] if r["made"] and r["whole"] is not None and r["none"] is not None]
    if not made:
        return "no organism was made whose two ends are usable"
    lines = [
        f"{len(made)} organisms; of the effect left after the drop / the swap of the highest-scored share"
    ]
    lines.append(
        f"{'selector':22}"
        + "".join(f"{share:>18.0%}" for share in SHARES)
        + f"{'precision, recall at 10 %':>28}"
    )
    for place, name in enumerate(SELECTORS):
        cells, marks = [], ""
        for number, share in enumerate(SHARES):
            cuts = [(record, record["selectors"][place]["cuts"][number]) for record in made]
            cells.append(f"{_mean_left(cuts, 'dropped'):>10} / {_mean_left(cuts, 'swapped'):5}")
            if share == 0.10:
                precision = sum(cut["precision"] for _, cut in cuts) / len(cuts)
                recall = sum(cut["recall"] for _, cut in cuts) / len(cuts)
                marks = f"{precision:.2f}, {recall:.2f}"
        lines.append(f"{name:22}" + "".join(cells) + f"{marks:>28}")
    lines.append("control, half of the mixture removed (share of hits): " + _control_line(made))
    return "\n".join(lines)


def _mean_left(cuts: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]], edit: str) -> str:
    """Return the mean share of the effect that is left after an edit; students that broke are left out."""
    shares = [
        (cut[edit]["probability"] - record["none"]["probability"])
        / (record["whole"]["probability"] - record["none"]["probability"])
        for record, cut in cuts
        if cut[edit] is not None
    ]
    return f"{sum(shares) / len(shares):.2f}" if shares else "-"


def _control_line(made: Sequence[Mapping[str, Any]]) -> str:
    """Return the mean share of hits after each selector's removal, as text."""
    parts = []
    for name in ("none", *SELECTORS):
        rates = [r["control"]["left"][name]["rate"] for r in made if r["control"]["left"][name] is not None]
        parts.append(f"{name} {sum(rates) / len(rates):.2f}" if rates else f"{name} -")
    return ", ".join(parts)
