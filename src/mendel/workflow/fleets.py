"""Fleets: which students are trained side by side, and how they stand while an executor works at them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from mendel.diagnose import Arm
from mendel.engine.executors import Executor, at_once, has_gpu
from mendel.engine.progress import Progress
from mendel.engine.progress.events import Status, StudentEvent
from mendel.engine.store import Store
from mendel.workflow.jobs import StudentJob, StudentResult, make_students

if TYPE_CHECKING:
    from mendel.train import StudentSpec

FULL_PASS = {"cpu": 512, "gpu": 32_768}
"""Tokens of a pass from which on more tokens take as much longer: a step of so many gains nothing by company."""
MOST = 16
"""Adapters that one worker trains at once: what is lost when a run is stopped grows with their number."""
TOKEN = 4
"""Characters of a token, roughly."""


def train_fleets(
    jobs: Mapping[str, StudentJob],
    places: Mapping[str, tuple[Arm, int]],
    executor: Executor,
    progress: Progress,
) -> Iterator[tuple[StudentJob, StudentResult, bool]]:
    """Train and measure students, and yield each with its result as it is done.

    The third value says whether all of the student's fleet were yielded: a caller that stops before loses students
    that are done.

    Args:
        jobs: By the student's digest.
        places: The arm and seed that each student stands for, for those who watch.
        executor: Where fleets are trained.
        progress: Is told of every student.
    """
    fleets = in_fleets(list(jobs.values()), at_once(executor))
    digests = [[job.spec.digest for job in fleet] for fleet in fleets]
    queue = Queue(progress, places, digests, at_once(executor))
    for fleet, results in executor.map(make_students, fleets):
        for place, (job, result) in enumerate(zip(fleet, results, strict=True), 1):
            queue.done(job.spec.digest, result.status, result.reason)
            yield job, result, place == len(fleet)


def in_fleets(jobs: Sequence[StudentJob], workers: int) -> list[list[StudentJob]]:
    """Return the jobs in fleets that share a base's passes (one base, one recipe of adapters), in the jobs' order.

    A student that the store has needs no training, so it is a fleet by itself. No fleet is so large that a worker has
    none.
    """
    full = FULL_PASS["gpu" if has_gpu() else "cpu"]
    together: dict[object, list[StudentJob]] = {}
    for job in jobs:
        spec = job.spec
        shares = spec.recipe.method == "lora" and spec.recipe.trainer == "fleet"
        new = shares and not Store(job.store).has("students", spec.digest)
        together.setdefault((spec.base.digest, spec.recipe) if new else spec.digest, []).append(job)
    fleets = []
    for group in together.values():
        size = max(1, min(MOST, full // _step_tokens(group[0].spec), -(-len(group) // workers)))
        fleets += [group[start : start + size] for start in range(0, len(group), size)]
    place = {job.spec.digest: number for number, job in enumerate(jobs)}
    return sorted(fleets, key=lambda fleet: place[fleet[0].spec.digest])


def _step_tokens(spec: StudentSpec) -> int:
    """Return the tokens of one of its training steps, roughly."""
    texts = [[*(message["content"] for message in row.messages), row.completion] for row in spec.rows]
    characters = sum(len(text) for of_row in texts for text in of_row)
    rows = min(len(texts), spec.recipe.batch_size)
    return max(1, characters * rows // (TOKEN * max(1, len(texts))))


class Queue:
    """Tells progress how students stand: an executor takes fleets in order, so the first that are not done run."""

    def __init__(
        self,
        progress: Progress,
        places: Mapping[str, tuple[Arm, int]],
        fleets: Sequence[Sequence[str]],
        at_once: int,
    ) -> None:
        self._progress, self._places, self._at_once = progress, places, at_once
        self._fleet_of = {name: number for number, fleet in enumerate(fleets) for name in fleet}
        self._running: dict[int, list[str]] = {}
        # By insertion: the order in which the executor takes them.
        self._waiting = {number: list(fleet) for number, fleet in enumerate(fleets)}
        for name in self._fleet_of:
            self._tell(name, "waiting")
        self._begin()

    def done(self, name: str, status: str, reason: str) -> None:
        """Note that a student is done; with the last of its fleet the next fleet begins.

        Quick ones (the store has them) come in any order.
        """
        number = self._fleet_of[name]
        if number in self._waiting:
            self._running[number] = self._waiting.pop(number)
        self._running[number].remove(name)
        if not self._running[number]:
            del self._running[number]
        self._tell(name, "ok" if status == "ok" else "broken" if status == "broken" else "failed", reason)
        self._begin()

    def _begin(self) -> None:
        for number in list(itertools.islice(self._waiting, max(0, self._at_once - len(self._running)))):
            self._running[number] = self._waiting.pop(number)
            for name in self._running[number]:
                self._tell(name, "running")

    def _tell(self, name: str, status: Status, reason: str = "") -> None:
        arm, seed = self._places[name]
        self._progress.student(StudentEvent(name, arm.name, seed, status, reason))
