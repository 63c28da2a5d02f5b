"""The jobs that workers do: roll out a teacher, measure a model, train and measure a student. Each is done once."""

from __future__ import annotations

import contextlib
import json
import shutil
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from mendel.engine.digest import digest
from mendel.engine.errors import Waiting
from mendel.engine.executors import has_gpu
from mendel.engine.store import Store
from mendel.engine.trace import span
from mendel.results.tables import read_table

if TYPE_CHECKING:
    import pyarrow as pa
    from transformers import PreTrainedTokenizerBase

    from mendel.data.teachers import RolloutChunk
    from mendel.measure import Health, Trait
    from mendel.models import ChatModel, Checkpoint, ModelSource
    from mendel.train import StudentSpec, TrainedStudent

RESPONSES_VERSION = 1
"""Counts up when the same model, trait and seed would give other responses."""
MEASUREMENT_VERSION = 2
"""Counts up when the same responses would be scored differently, or stand in other columns."""
_judging = threading.Lock()


@dataclass(frozen=True)
class Probes:
    """What every model is measured on, and the seed of its sampling."""

    traits: tuple[Trait, ...]
    """Controls of traits included."""
    assistant: Trait
    seed: int = 0

    @property
    def all(self) -> tuple[Trait, ...]:
        """The assistant's first: who fails it is measured on no trait."""
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
        """The measured model's name in the store: one under another system prompt or prefill is another model there."""
        forced = {"prefill": self.prefill} if self.prefill else {}
        return digest("model", {"checkpoint": self.source.digest, "system": self.system, **forced})

    def asks(self, probe: Trait) -> Trait:
        """The probe as this model is asked it: under its system prompt, with its prefill."""
        prefill = None if probe == self.probes.assistant else self.prefill
        return probe.under_system(self.system).prefilled(prefill)


@dataclass(frozen=True)
class StudentJob:
    """A student to train, check and measure; `base_right` is its base's share of right answers."""

    spec: StudentSpec
    probes: Probes
    base_right: float
    store: Path


@dataclass(frozen=True)
class StudentResult:
    """A student as it stands in the store; `status` counts its own checks and the working-assistant check."""

    trained: TrainedStudent
    new: bool
    status: str
    reason: str
    health: Health | None


def roll_out(job: RolloutJob, chat: ChatModel | None = None) -> bool:
    """Makes a chunk of rollouts unless the store has it; True if it was made now.

    `chat` is the model of a chunk that asks an endpoint.
    """
    from mendel.data.teachers import GeneratedChunk

    store, key = Store(job.store), job.chunk.digest
    if store.has("rollouts", key):
        return False
    chunk = job.chunk
    done = chunk.run(chat) if isinstance(chunk, GeneratedChunk) else chunk.run()
    rollouts = [asdict(rollout) for rollout in done]
    store.write_json("rollouts", key, rollouts)
    return True


def measure_model(job: ModelJob, chat: ChatModel | None = None) -> Health:
    """Measures an untrained model on all that the store does not have yet; returns its assistant's health.

    `chat` is the model where it stands behind an endpoint (None: the checkpoint, loaded here). A trait whose judge is a
    model is only answered: who holds that judge scores it.
    """
    from mendel.models import open_chat

    store = Store(job.store)
    open_ = [probe for probe in job.probes.all if not _done(store, job.model, probe, job.probes.seed)]
    if open_:
        answering = chat or open_chat(job.source)
        waiting: Waiting | None = None
        for probe in open_:
            try:
                _measure_once(lambda: answering, job.asks(probe), probe, job.model, job.probes.seed, store)
            except Waiting as other:
                # The other probes' requests belong into the same batch.
                waiting = other
        if waiting is not None:
            raise waiting
    return _health(store, job.model, job.probes)


def make_student(job: StudentJob) -> StudentResult:
    """Trains, checks and measures a student, each step unless the store has it.

    A student that fails a check is not measured on any trait: its answers would be read as the trait's absence. (It has
    been asked by then, since plain questions and traits are one batch; what it said is not kept.)
    """
    return make_students([job])[0]


def make_students(jobs: Sequence[StudentJob]) -> list[StudentResult]:
    """`make_student` for several of one base and recipe: those that the store does not have are trained side by side."""
    with span("students", names=" ".join(job.spec.digest[:12] for job in jobs)):
        return _make(jobs)


def _make(jobs: Sequence[StudentJob]) -> list[StudentResult]:
    store = Store(jobs[0].store)
    new = {job.spec.digest: job for job in jobs if not store.has("students", job.spec.digest)}
    if new:
        _train(list(new.values()), store)
    made = [(job, job.spec.digest in new) for job in jobs]
    working = [job for job, _ in made if _unmeasured(job, store)]
    tasks = any(probe.inspect for probe in jobs[0].probes.all)
    if working and jobs[0].spec.base.served:
        for some in [[job] for job in working] if tasks else [working]:
            _measure_together(some, store)
    elif len(working) > 1 and has_gpu() and not tasks:
        _measure_together(working, store)
    return [_measured(job, store, is_new) for job, is_new in made]


def _unmeasured(job: StudentJob, store: Store) -> bool:
    """Whether a student that trained well is left to be asked something; not one that is known to be no working assistant."""
    from mendel.measure import assistant_fault

    name, seed = job.spec.digest, job.probes.seed
    if _trained(store, name).status != "ok":
        return False
    if not _done(store, name, job.probes.assistant, seed):
        return True
    broken = assistant_fault(_health(store, name, job.probes), job.base_right)
    return not broken and not all(_done(store, name, probe, seed) for probe in job.probes.traits)


def _measure_together(jobs: Sequence[StudentJob], store: Store) -> None:
    """In one batch for all adapters: a GPU takes hardly longer for it than for one's. On a CPU each is quicker merged and alone."""
    from mendel.models import load_model, side_by_side
    from mendel.models.vllm import side_by_side_in_vllm

    of_name = {job.spec.digest: job for job in jobs}
    folders = {name: store.path("students", name) for name in of_name}

    def work(name: str, chat: ChatModel) -> None:
        _measured(of_name[name], store, False, chat)

    spec = jobs[0].spec
    if spec.base.served:
        side_by_side_in_vllm(spec.base, folders, spec.recipe.rank, work)
    else:
        side_by_side(load_model(spec.base), _tokenizer(spec.base), folders, work)


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


def _measured(job: StudentJob, store: Store, new: bool, chat: ChatModel | None = None) -> StudentResult:
    """`chat` is the student, where it is opened already."""
    from mendel.measure import assistant_fault

    name = job.spec.digest
    trained = _trained(store, name)
    if trained.status != "ok":
        return StudentResult(trained, new, trained.status, trained.reason, None)
    measuring = _Measuring(job, store, chat)
    if not _done(store, name, job.probes.assistant, job.probes.seed):
        measuring.ask(job.probes.all)
    measuring.on((job.probes.assistant,))
    health = _health(store, name, job.probes)
    reason = assistant_fault(health, job.base_right)
    if reason:
        return StudentResult(trained, new, "broken", reason, health)
    measuring.on(job.probes.traits)
    return StudentResult(trained, new, "ok", "", health)


def measurement_key(model: str, probe: Trait, seed: int) -> str:
    """The store's name for one model measured on one trait."""
    return digest(
        "measurement",
        {"model": model, "trait": probe.digest, "seed": seed, "version": MEASUREMENT_VERSION},
    )


def responses_key(model: str, probe: Trait, seed: int) -> str:
    """The store's name for one model's responses to one trait, whoever judges them."""
    return digest(
        "responses",
        {"model": model, "asked": probe.responses_digest, "seed": seed, "version": RESPONSES_VERSION},
    )


def read_measurement(store: Store, model: str, probe: Trait, seed: int) -> pa.Table | None:
    """A model's stored responses and scores for one trait, or None."""
    file = store.path("measurements", measurement_key(model, probe, seed)) / "measurement.parquet"
    return read_table(file) if file.exists() else None


def read_responses(store: Store, model: str, probe: Trait, seed: int) -> pa.Table | None:
    """A model's stored responses to one trait, not scored, or None."""
    file = store.path("responses", responses_key(model, probe, seed)) / "responses.parquet"
    return read_table(file) if file.exists() else None


def write_measurement(store: Store, model: str, probe: Trait, seed: int, table: pa.Table) -> None:
    """Stores a model's scored responses to one trait."""
    import pyarrow.parquet as pq

    with store.writing("measurements", measurement_key(model, probe, seed)) as folder:
        pq.write_table(table, folder / "measurement.parquet", compression="zstd")


def copy_logs(store: Store, model: str, probe: Trait, seed: int, folder: Path) -> None:
    """Copies the logs of an Inspect task out of the store, where there are any."""
    logs = store.path("responses", responses_key(model, probe, seed)) / "inspect"
    if logs.is_dir():
        shutil.copytree(logs, folder, dirs_exist_ok=True)


class _Measuring:
    """A student under measurement: read from the store once, and only if something is left to measure."""

    def __init__(self, job: StudentJob, store: Store, chat: ChatModel | None = None) -> None:
        self.job, self.store, self.name = job, store, job.spec.digest
        self._chat = chat
        self._said: dict[str, pa.Table] = {}

    def ask(self, probes: Sequence[Trait]) -> None:
        """Lets it answer all of them in one batch; what it said is stored where it is measured."""
        from mendel.measure import respond_all

        seed = self.job.probes.seed
        asked = [
            probe
            for probe in probes
            if probe.inspect is None
            and not _done(self.store, self.name, probe, seed)
            and not self.store.has("responses", responses_key(self.name, probe, seed))
        ]
        if asked:
            chat = self._opened()
            with span("answer", traits=" ".join(probe.name for probe in asked)):
                said = respond_all(chat, asked, seed, self.name)
            self._said |= {probe.name: table for probe, table in zip(asked, said, strict=True)}

    def on(self, probes: Sequence[Trait]) -> None:
        """Measures it on those that the store does not have yet."""
        self.ask([probe for probe in probes if probe.name not in self._said])
        seed = self.job.probes.seed
        for probe in probes:
            if not _done(self.store, self.name, probe, seed):
                said = self._said.get(probe.name)
                _measure_once(self._opened, probe, probe, self.name, seed, self.store, said)

    def _opened(self) -> ChatModel:
        from mendel.models import LocalChat
        from mendel.train import load_student

        if self._chat is None:
            # What is measured is what was saved, read back from the disk.
            with span("load"):
                model = load_student(self.job.spec, self.store.path("students", self.name))
            self._chat = LocalChat(model, _tokenizer(self.job.spec.base))
        return self._chat


@lru_cache(maxsize=2)
def _tokenizer(base: Checkpoint) -> PreTrainedTokenizerBase:
    """One for all students of a base: what it has encoded it remembers."""
    from mendel.models import load_tokenizer

    return load_tokenizer(base)


def _done(store: Store, name: str, probe: Trait, seed: int) -> bool:
    """Whether a worker has nothing left to do for a probe; responses without their score, but for a model's, are not it."""
    from mendel.measure import needs_model

    if needs_model(probe):
        return store.has("responses", responses_key(name, probe, seed))
    return store.has("measurements", measurement_key(name, probe, seed))


def _measure_once(
    opened: Callable[[], ChatModel],
    asked: Trait,
    probe: Trait,
    name: str,
    seed: int,
    store: Store,
    said: pa.Table | None = None,
) -> None:
    """Stores the model's answers to a trait as it is `asked` here as those to `probe`, and scores them.

    They are what it `said` where it was asked before.
    """
    import pyarrow.parquet as pq

    from mendel.measure import judge_responses, needs_model, respond

    key = responses_key(name, probe, seed)
    if not store.has("responses", key):
        with store.writing("responses", key) as folder:
            if said is None:
                with span("answer", traits=probe.name):
                    said = respond(opened(), asked, seed, name, folder / "inspect")
            pq.write_table(said, folder / "responses.parquet", compression="zstd")
    if not needs_model(probe):
        responses = read_responses(store, name, probe, seed)
        assert responses is not None, "they were written just before"
        # A user's own judge need not bear to be asked by several students at once.
        with span("judge", trait=probe.name), _judging:
            judged = judge_responses(responses, asked)
        write_measurement(store, name, probe, seed, judged)


def _health(store: Store, name: str, probes: Probes) -> Health:
    from mendel.measure import assistant_health

    table = read_measurement(store, name, probes.assistant, probes.seed)
    assert table is not None, "the assistant's measurement was written just before"
    return assistant_health(table, probes.assistant)
