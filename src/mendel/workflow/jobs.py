"""The jobs of workers: roll out a teacher, measure a model, train and measure a student."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from mendel.engine.digest import digest
from mendel.engine.errors import MendelError, RunError, Waiting
from mendel.engine.executors import has_gpu
from mendel.engine.store import Store
from mendel.engine.trace import span
from mendel.workflow.measurements import MEASURING_SEED, Measurements

if TYPE_CHECKING:
    import pyarrow as pa
    from transformers import PreTrainedTokenizerBase

    from mendel.data.teachers import RolloutChunk
    from mendel.measure import Health, Trait
    from mendel.models import ChatModel, Checkpoint, ModelSource
    from mendel.train import StudentSpec, TrainedStudent


@dataclass(frozen=True)
class Probes:
    """The probes that every model is measured on, and the seed of its sampling."""

    traits: tuple[Trait, ...]
    """Traits, with their controls."""
    assistant: Trait
    seed: int = MEASURING_SEED

    @property
    def all(self) -> tuple[Trait, ...]:
        """All probes. The assistant's comes first: a student that fails it is measured on no trait."""
        return (self.assistant, *self.traits)


@dataclass(frozen=True)
class RolloutJob:
    """One chunk of a teacher's rollouts."""

    chunk: RolloutChunk
    store: Path


@dataclass(frozen=True)
class ModelJob:
    """A base or a teacher to measure; nothing is trained."""

    source: ModelSource
    system: str | None
    probes: Probes
    store: Path
    prefill: str | None = None
    """A prefix that is forced on its responses to traits, but not to the assistant's probe."""

    @property
    def model(self) -> str:
        """The model's key in the store; it depends on checkpoint, system prompt and prefix."""
        forced = {"prefill": self.prefill} if self.prefill else {}
        return digest("model", {"checkpoint": self.source.digest, "system": self.system, **forced})

    @property
    def measurements(self) -> Measurements:
        """The model's responses and scores in the store."""
        return Measurements(Store(self.store), self.model, self.probes.seed)

    def asks(self, probe: Trait) -> Trait:
        """Return the probe with this model's system prompt and prefix."""
        prefill = None if probe == self.probes.assistant else self.prefill
        return probe.under_system(self.system).prefilled(prefill)


@dataclass(frozen=True)
class StudentJob:
    """A student to train, check and measure."""

    spec: StudentSpec
    probes: Probes
    base_right: float
    """Share of plain questions that its base answers correctly."""
    store: Path

    @property
    def measurements(self) -> Measurements:
        """The student's responses and scores in the store."""
        return Measurements(Store(self.store), self.spec.digest, self.probes.seed)


@dataclass(frozen=True)
class StudentResult:
    """A trained student, with the results of its checks."""

    trained: TrainedStudent
    new: bool
    """Whether it was trained by this job."""
    status: str
    """`ok`, `broken` or `failed`: from the checks of the training, and from the working-assistant check."""
    reason: str
    health: Health | None


def roll_out(job: RolloutJob, chat: ChatModel | None = None) -> bool:
    """Make a chunk of rollouts unless the store has it; return whether it was made now.

    Args:
        job: The chunk.
        chat: The model, if it is behind an endpoint; None: the chunk opens its model.

    Raises:
        BudgetSpent: The budget is spent.
        Waiting: All requests are written to the batch file.
        RunError: The code of a plug-in's teacher failed.
    """
    from mendel.data.teachers import GeneratedChunk

    store, chunk = Store(job.store), job.chunk
    if store.has("rollouts", chunk.digest):
        return False
    if isinstance(chunk, GeneratedChunk):
        rows = [asdict(rollout) for rollout in chunk.run(chat)]
    else:
        try:
            rows = [asdict(rollout) for rollout in chunk.run()]
        except MendelError:
            raise
        except Exception as error:  # A plug-in's code may raise anything.
            raise RunError(
                f"failed: {type(error).__name__}: {error}",
                where=f"teacher {chunk.teacher!r}",
                fix=f"Correct {type(chunk).__module__}.",
            ) from error
        wanted = [(prompt.prompt_id, chunk.teacher) for prompt in chunk.prompts]
        if [(row["prompt_id"], row["teacher"]) for row in rows] != wanted:
            raise RunError(
                f"did not return one rollout for each of {len(wanted)} prompts, in their order",
                where=f"teacher {chunk.teacher!r}",
                fix=f"Correct {type(chunk).__module__}.",
            )
    store.write_json("rollouts", chunk.digest, rows)
    return True


def measure_model(job: ModelJob, chat: ChatModel | None = None) -> Health:
    """Measure an untrained model on the probes that the store lacks; return its health as an assistant.

    A trait that a model judges is only answered here: the main process scores it later.

    Args:
        job: The model and its probes.
        chat: The model, if it is behind an endpoint; None: the checkpoint is loaded here.

    Raises:
        BudgetSpent: The budget is spent.
        Waiting: All requests are written to the batch file.
    """
    from mendel.models import open_chat

    measurements = job.measurements
    probes = measurements.left(job.probes.all)
    if probes:
        model = chat or open_chat(job.source)
        waiting: Waiting | None = None
        for probe in probes:
            try:
                measurements.measure(probe, lambda: model, asked=job.asks(probe))
            except Waiting as error:
                # The requests of the other probes are added to the same batch.
                waiting = error
        if waiting is not None:
            raise waiting
    return measurements.health(job.probes.assistant)


def make_student(job: StudentJob) -> StudentResult:
    """Train, check and measure a student; steps whose results are in the store are not repeated.

    A student that fails a check is not measured on any trait: its answers would look like the trait's
    absence. Plain questions and traits are asked in one batch, so such a student has answered the traits;
    these responses are dropped.
    """
    return make_students([job])[0]


def make_students(jobs: Sequence[StudentJob]) -> list[StudentResult]:
    """Like `make_student`, for several students of one base and recipe, which are trained side by side."""
    with span("students", names=" ".join(job.spec.digest[:12] for job in jobs)):
        return _make(jobs)


def _make(jobs: Sequence[StudentJob]) -> list[StudentResult]:
    store = Store(jobs[0].store)
    # By digest: two jobs may be the same student.
    new = {job.spec.digest: job for job in jobs if not store.has("students", job.spec.digest)}
    if new:
        _train(list(new.values()), store)
    working = [job for job in jobs if _unmeasured(job, store)]
    tasks = any(probe.inspect for probe in jobs[0].probes.all)
    if working and jobs[0].spec.base.served:
        for batch in [[job] for job in working] if tasks else [working]:
            _measure_together(batch, store)
    # On a CPU, students are measured faster one by one.
    elif len(working) > 1 and has_gpu() and not tasks:
        _measure_together(working, store)
    return [_measure(job, store, job.spec.digest in new) for job in jobs]


def _unmeasured(job: StudentJob, store: Store) -> bool:
    """Return whether a student has probes left to answer; False if it is known to be broken."""
    from mendel.measure import assistant_fault

    if _trained(store, job.spec.digest).status != "ok":
        return False
    measurements = job.measurements
    if not measurements.finished(job.probes.assistant):
        return True
    broken = assistant_fault(measurements.health(job.probes.assistant), job.base_right)
    return not broken and bool(measurements.left(job.probes.traits))


def _measure_together(jobs: Sequence[StudentJob], store: Store) -> None:
    """Measure all adapters in one batch: a GPU takes hardly longer for many than for one."""
    from mendel.models import load_model, side_by_side
    from mendel.models.vllm import side_by_side_in_vllm

    by_name = {job.spec.digest: job for job in jobs}
    folders = {name: store.path("students", name) for name in by_name}

    def measure(name: str, chat: ChatModel) -> None:
        _measure(by_name[name], store, False, chat)

    spec = jobs[0].spec
    if spec.base.served:
        side_by_side_in_vllm(spec.base, folders, spec.recipe.rank, measure)
    else:
        side_by_side(load_model(spec.base), _tokenizer(spec.base), folders, measure)


def _train(jobs: Sequence[StudentJob], store: Store) -> None:
    """Train students side by side, and write them to the store."""
    from mendel.train import train_students

    with contextlib.ExitStack() as stack:
        folders = [stack.enter_context(store.writing("students", job.spec.digest)) for job in jobs]
        trained = train_students([(job.spec, folder) for job, folder in zip(jobs, folders, strict=True)])
        for student, folder in zip(trained, folders, strict=True):
            (folder / "student.json").write_text(json.dumps(student.to_json(), indent=1))


def _trained(store: Store, name: str) -> TrainedStudent:
    """Return the training record of a student in the store."""
    from mendel.train import TrainedStudent

    file = store.path("students", name) / "student.json"
    return TrainedStudent.from_json(json.loads(file.read_text()))


def _measure(job: StudentJob, store: Store, new: bool, chat: ChatModel | None = None) -> StudentResult:
    """Check and measure a trained student; `chat` is its model, if it is loaded already."""
    from mendel.measure import assistant_fault

    trained = _trained(store, job.spec.digest)
    if trained.status != "ok":
        return StudentResult(trained, new, trained.status, trained.reason, None)
    student = _OpenStudent(job, store, chat)
    if not job.measurements.finished(job.probes.assistant):
        student.ask(job.probes.all)
    student.measure((job.probes.assistant,))
    health = job.measurements.health(job.probes.assistant)
    reason = assistant_fault(health, job.base_right)
    if reason:
        return StudentResult(trained, new, "broken", reason, health)
    student.measure(job.probes.traits)
    return StudentResult(trained, new, "ok", "", health)


class _OpenStudent:
    """A student under measurement. Its model is loaded once, and only if something is left to measure."""

    def __init__(self, job: StudentJob, store: Store, chat: ChatModel | None = None) -> None:
        self.job, self.store, self.measurements = job, store, job.measurements
        self._chat = chat
        self._responses: dict[str, pa.Table] = {}
        """By probe; not in the store yet."""

    def ask(self, probes: Sequence[Trait]) -> None:
        """Answer all probes in one batch; `measure` stores the responses."""
        from mendel.measure import respond_all

        left = [
            probe
            for probe in self.measurements.left(probes)
            if probe.inspect is None and not self.measurements.answered(probe)
        ]
        if left:
            chat = self._open()
            with span("answer", traits=" ".join(probe.name for probe in left)):
                tables = respond_all(chat, left, self.measurements.seed, self.measurements.model)
            self._responses |= {probe.name: table for probe, table in zip(left, tables, strict=True)}

    def measure(self, probes: Sequence[Trait]) -> None:
        """Measure the student on the probes that the store does not have."""
        self.ask([probe for probe in probes if probe.name not in self._responses])
        for probe in self.measurements.left(probes):
            self.measurements.measure(probe, self._open, responses=self._responses.get(probe.name))

    def _open(self) -> ChatModel:
        """Return the student's model; load it at the first call."""
        from mendel.models import LocalChat
        from mendel.train import load_student

        if self._chat is None:
            # Measure the saved student, read back from the disk, not the one in memory after training.
            with span("load"):
                model = load_student(self.job.spec, self.store.path("students", self.job.spec.digest))
            self._chat = LocalChat(model, _tokenizer(self.job.spec.base))
        return self._chat


@lru_cache(maxsize=2)
def _tokenizer(base: Checkpoint) -> PreTrainedTokenizerBase:
    """Return the tokenizer of a base; it is shared, since it caches the texts that it has encoded."""
    from mendel.models import load_tokenizer

    return load_tokenizer(base)
