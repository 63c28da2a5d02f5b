"""Fleets: group students that are trained side by side, and report their progress."""

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
"""Tokens of a full pass: beyond this, time grows with the tokens, and sharing a pass saves nothing."""
MOST = 16
"""Greatest number of adapters that one worker trains at once: an interrupted fleet is lost as a whole."""
TOKEN = 4
"""Approximate number of characters in a token."""


def train_fleets(
    jobs: Mapping[str, StudentJob],
    places: Mapping[str, tuple[Arm, int]],
    executor: Executor,
    progress: Progress,
) -> Iterator[tuple[StudentJob, StudentResult, bool]]:
    """Train and measure students, and yield each with its result as it is done.

    Args:
        jobs: By the student's digest.
        places: The arm and seed that progress shows for each student, by digest.
        executor: Trains the fleets.
        progress: Receives an event for every change of a student's status.

    Yields:
        The job, its result, and whether it is the last of its fleet. A caller that stops in the middle of a
        fleet loses students that are done.
    """
    fleets = in_fleets(list(jobs.values()), at_once(executor))
    digests = [[job.spec.digest for job in fleet] for fleet in fleets]
    queue = Queue(progress, places, digests, at_once(executor))
    for fleet, results in executor.map(make_students, fleets):
        for place, (job, result) in enumerate(zip(fleet, results, strict=True), 1):
            queue.done(job.spec.digest, result.status, result.reason)
            yield job, result, place == len(fleet)


def in_fleets(jobs: Sequence[StudentJob], workers: int) -> list[list[StudentJob]]:
    """Return the jobs in fleets, in the order of the jobs; a fleet has one base and one recipe for adapters.

    A student that the store has is a fleet by itself, since it needs no training. Fleets are small enough
    that every worker has one.
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
    """Return the approximate number of tokens in a training step."""
    texts = [[*(message["content"] for message in row.messages), row.completion] for row in spec.rows]
    characters = sum(len(text) for of_row in texts for text in of_row)
    rows = min(len(texts), spec.recipe.batch_size)
    return max(1, characters * rows // (TOKEN * max(1, len(texts))))


class Queue:
    """The students' status for progress: executors take fleets in order, so the first unfinished ones run."""

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
        # In the order in which the executor takes the fleets.
        self._waiting = {number: list(fleet) for number, fleet in enumerate(fleets)}
        for name in self._fleet_of:
            self._tell(name, "waiting")
        self._begin()

    def done(self, name: str, status: str, reason: str) -> None:
        """Report that a student is done; after the last of its fleet, the next fleet begins.

        Students that the store has are quick, and come in any order.
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
