"""What workers do: roll out a teacher, measure a model, train and measure a student. Each is done once."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from mendel.engine.digest import digest
from mendel.engine.errors import Waiting
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
    """What every model is measured on, and the seed of its sampling."""

    traits: tuple[Trait, ...]
    """Controls of traits included."""
    assistant: Trait
    seed: int = MEASURING_SEED

    @property
    def all(self) -> tuple[Trait, ...]:
        """The assistant's probe first: a student that fails it is measured on no trait."""
        return (self.assistant, *self.traits)


@dataclass(frozen=True)
class RolloutJob:
    """One chunk of a teacher's rollouts."""

    chunk: RolloutChunk
    store: Path


@dataclass(frozen=True)
class ModelJob:
    """A base or a teacher, measured as it is: nothing is trained."""

    source: ModelSource
    system: str | None
    probes: Probes
    store: Path
    prefill: str | None = None
    """What its responses to the traits (not to the assistant's probe) are made to begin with."""

    @property
    def model(self) -> str:
        """The model's name in the store: one under another system prompt or prefix is another model there."""
        forced = {"prefill": self.prefill} if self.prefill else {}
        return digest("model", {"checkpoint": self.source.digest, "system": self.system, **forced})

    @property
    def measurements(self) -> Measurements:
        """What the store holds of the model."""
        return Measurements(Store(self.store), self.model, self.probes.seed)

    def asks(self, probe: Trait) -> Trait:
        """Return the probe as this model is asked it: under its system prompt, with its prefix."""
        prefill = None if probe == self.probes.assistant else self.prefill
        return probe.under_system(self.system).prefilled(prefill)


@dataclass(frozen=True)
class StudentJob:
    """A student to train, check and measure; `base_right` is its base's share of right answers."""

    spec: StudentSpec
    probes: Probes
    base_right: float
    store: Path

    @property
    def measurements(self) -> Measurements:
        """What the store holds of the student."""
        return Measurements(Store(self.store), self.spec.digest, self.probes.seed)


@dataclass(frozen=True)
class StudentResult:
    """A student as the store has it; `status` counts its own checks and the working-assistant check."""

    trained: TrainedStudent
    new: bool
    """Whether it was trained now."""
    status: str
    reason: str
    health: Health | None


def roll_out(job: RolloutJob, chat: ChatModel | None = None) -> bool:
    """Make a chunk of rollouts unless the store has it; return whether it was made now.

    `chat` is the model of a chunk that asks an endpoint.
    """
    from mendel.data.teachers import GeneratedChunk

    store, chunk = Store(job.store), job.chunk
    if store.has("rollouts", chunk.digest):
        return False
    rollouts = chunk.run(chat) if isinstance(chunk, GeneratedChunk) else chunk.run()
    store.write_json("rollouts", chunk.digest, [asdict(rollout) for rollout in rollouts])
    return True


def measure_model(job: ModelJob, chat: ChatModel | None = None) -> Health:
    """Measure an untrained model on all that the store does not have yet; return its assistant's health.

    `chat` is the model where it is behind an endpoint (None: the checkpoint, loaded here). A trait whose judge is a
    model is only answered: the main process scores it. Raises Waiting after all requests are in the batch, where they
    are not sent.
    """
    from mendel.models import open_chat

    measurements = job.measurements
    probes = measurements.left(job.probes.all)
    if probes:
        answering = chat or open_chat(job.source)
        waiting: Waiting | None = None
        for probe in probes:
            try:
                measurements.measure(probe, lambda: answering, asked=job.asks(probe))
            except Waiting as error:
                # The other probes' requests belong into the same batch.
                waiting = error
        if waiting is not None:
            raise waiting
    return measurements.health(job.probes.assistant)


def make_student(job: StudentJob) -> StudentResult:
    """Train, check and measure a student, each step unless the store has it.

    A student that fails a check is not measured on any trait: its answers would be read as the trait's absence. (It has
    been asked by then, since plain questions and traits are one batch; these responses are not kept.)
    """
    return make_students([job])[0]


def make_students(jobs: Sequence[StudentJob]) -> list[StudentResult]:
    """Do `make_student` for several of one base and recipe: those that the store lacks are trained side by side."""
    with span("students", names=" ".join(job.spec.digest[:12] for job in jobs)):
        return _make(jobs)


def _make(jobs: Sequence[StudentJob]) -> list[StudentResult]:
    store = Store(jobs[0].store)
    new = {job.spec.digest: job for job in jobs if not store.has("students", job.spec.digest)}
    if new:
        _train(list(new.values()), store)
    working = [job for job in jobs if _unmeasured(job, store)]
    tasks = any(probe.inspect for probe in jobs[0].probes.all)
    if working and jobs[0].spec.base.served:
        for batch in [[job] for job in working] if tasks else [working]:
            _measure_together(batch, store)
    elif len(working) > 1 and has_gpu() and not tasks:
        _measure_together(working, store)
    return [_measure(job, store, job.spec.digest in new) for job in jobs]


def _unmeasured(job: StudentJob, store: Store) -> bool:
    """Return whether a student that trained well is left to be asked; not one that is known to be no assistant."""
    from mendel.measure import assistant_fault

    if _trained(store, job.spec.digest).status != "ok":
        return False
    measurements = job.measurements
    if not measurements.finished(job.probes.assistant):
        return True
    broken = assistant_fault(measurements.health(job.probes.assistant), job.base_right)
    return not broken and bool(measurements.left(job.probes.traits))


def _measure_together(jobs: Sequence[StudentJob], store: Store) -> None:
    """Measure all adapters in one batch: a GPU takes hardly longer than for one. On a CPU each is quicker alone."""
    from mendel.models import load_model, side_by_side
    from mendel.models.vllm import side_by_side_in_vllm

    of_name = {job.spec.digest: job for job in jobs}
    folders = {name: store.path("students", name) for name in of_name}

    def measure(name: str, chat: ChatModel) -> None:
        _measure(of_name[name], store, False, chat)

    spec = jobs[0].spec
    if spec.base.served:
        side_by_side_in_vllm(spec.base, folders, spec.recipe.rank, measure)
    else:
        side_by_side(load_model(spec.base), _tokenizer(spec.base), folders, measure)


def _train(jobs: Sequence[StudentJob], store: Store) -> None:
    from mendel.train import train_students

    with contextlib.ExitStack() as stack:
        folders = [stack.enter_context(store.writing("students", job.spec.digest)) for job in jobs]
        trained = train_students([(job.spec, folder) for job, folder in zip(jobs, folders, strict=True)])
        for student, folder in zip(trained, folders, strict=True):
            (folder / "student.json").write_text(json.dumps(student.to_json(), indent=1))


def _trained(store: Store, name: str) -> TrainedStudent:
    from mendel.train import TrainedStudent

    file = store.path("students", name) / "student.json"
    return TrainedStudent.from_json(json.loads(file.read_text()))


def _measure(job: StudentJob, store: Store, new: bool, chat: ChatModel | None = None) -> StudentResult:
    """Check and measure a trained student; `chat` is the student, where it is opened already."""
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
    """A student under measurement: read from the store once, and only if something is left to measure."""

    def __init__(self, job: StudentJob, store: Store, chat: ChatModel | None = None) -> None:
        self.job, self.store, self.measurements = job, store, job.measurements
        self._chat = chat
        self._responses: dict[str, pa.Table] = {}
        """By probe, not stored yet."""

    def ask(self, probes: Sequence[Trait]) -> None:
        """Let it answer all of them in one batch; the responses are stored when it is measured on a probe."""
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
        """Measure it on those that the store does not have yet."""
        self.ask([probe for probe in probes if probe.name not in self._responses])
        for probe in self.measurements.left(probes):
            self.measurements.measure(probe, self._open, responses=self._responses.get(probe.name))

    def _open(self) -> ChatModel:
        from mendel.models import LocalChat
        from mendel.train import load_student

        if self._chat is None:
            # What is measured is what was saved, read back from the disk.
            with span("load"):
                model = load_student(self.job.spec, self.store.path("students", self.job.spec.digest))
            self._chat = LocalChat(model, _tokenizer(self.job.spec.base))
        return self._chat


@lru_cache(maxsize=2)
def _tokenizer(base: Checkpoint) -> PreTrainedTokenizerBase:
    """Return one tokenizer for all students of a base: it remembers what it has encoded."""
    from mendel.models import load_tokenizer

    return load_tokenizer(base)
