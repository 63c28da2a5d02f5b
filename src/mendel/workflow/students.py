"""Students on their way through the executor: who is trained side by side, and how they stand."""

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
"""Tokens of a pass from which on more of them take as much longer: a step of so many needs no company."""
MOST = 16
"""Adapters that one worker trains at once: what is lost when a run is stopped grows with their number."""
TOKEN = 4
"""Characters of a token, roughly."""


def train_students_of(
    jobs: Mapping[str, StudentJob], places: Mapping[str, tuple[Arm, int]], executor: Executor, told: Progress
) -> Iterator[tuple[StudentJob, StudentResult, bool]]:
    """Trains and measures the students (by their digests), and gives each with its result as it is done.

    Last comes whether all of its fleet were given: who stops before that loses students that are done.

    `places` says which arm and seed each stands for, to those who watch.
    """
    fleets = in_fleets(list(jobs.values()), at_once(executor))
    queue = Queue(told, places, [[job.spec.digest for job in fleet] for fleet in fleets], at_once(executor))
    for fleet, results in executor.map(make_students, fleets):
        for place, (job, result) in enumerate(zip(fleet, results, strict=True), 1):
            queue.done(job.spec.digest, result.status, result.reason)
            yield job, result, place == len(fleet)


def in_fleets(jobs: Sequence[StudentJob], workers: int) -> list[list[StudentJob]]:
    """The jobs in groups that can share a base's passes (one base, one recipe of adapters), none left out, the first first.

    What the store has needs no training, so it stands alone; and no group is so large that a worker has none.
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
    """Tokens of one of its steps, roughly."""
    texts = [[*(message["content"] for message in row.messages), row.completion] for row in spec.rows]
    characters = sum(len(text) for of_row in texts for text in of_row)
    rows = min(len(texts), spec.recipe.batch_size)
    return max(1, characters * rows // (TOKEN * max(1, len(texts))))


class Queue:
    """Tells how students stand: a executor takes fleets in order, so the first that are not done are under way."""

    def __init__(
        self,
        told: Progress,
        places: Mapping[str, tuple[Arm, int]],
        fleets: Sequence[Sequence[str]],
        at_once: int,
    ) -> None:
        self._told, self._places, self._at_once = told, places, at_once
        self._fleet_of = {name: number for number, fleet in enumerate(fleets) for name in fleet}
        self._running: dict[int, list[str]] = {}
        # By insertion: the order in which the executor takes them.
        self._waiting = {number: list(fleet) for number, fleet in enumerate(fleets)}
        for name in self._fleet_of:
            self._tell(name, "waiting")
        self._begin()

    def done(self, name: str, status: str, reason: str) -> None:
        """This one is done, and with the last of its fleet the next begins; quick ones (the store has them) come in any order."""
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
        self._told.student(StudentEvent(name, arm.name, seed, status, reason))
