"""Where the requests of many samples meet: answered in batches that do not depend on which request comes first."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field

from mendel.engine.errors import MendelError, RunError
from mendel.models.chat import Completion

log = logging.getLogger(__name__)

PATIENCE = 120.0
"""Seconds without any news after which those who wait are answered without the others: a task that hangs, or a slow tool."""


@dataclass(frozen=True)
class WaitingConversation:
    """A conversation that waits for an answer."""

    model: str
    """Who is asked: `student` or `grader`."""
    place: int
    """The sample's, among all samples of all variants and epochs."""
    conversation: tuple[Mapping[str, object], ...]
    max_tokens: int
    temperature: float
    answer: Future[Completion] = field(default_factory=Future, compare=False)


class Together:
    """Collects requests until every sample that is not over has one, and hands them out as a batch, by place.

    A sample that asks one thing after another (all but those that ask several at once) is then always in the same
    batches. Samples ask from the thread of Inspect's event loop; the batches are taken where the model lives.
    """

    def __init__(self, samples: int) -> None:
        self.error: MendelError | None = None
        """Why everything ends; whoever asks after it is given it."""
        self._running = set(range(samples))
        self._waiting: list[WaitingConversation] = []
        self._over = False
        self._news = 0
        self._changed = threading.Condition()

    def ask(self, request: WaitingConversation) -> Future[Completion]:
        """Waits with the others; raises the error that ended everything, if there is one."""
        with self._changed:
            if self.error is not None:
                raise self.error
            self._waiting.append(request)
            self._notify()
        return request.answer

    def leave(self, place: int) -> None:
        """A sample is over, scored or failed: nobody waits for it any more."""
        with self._changed:
            self._running.discard(place)
            self._notify()

    def give_up(self, error: MendelError) -> MendelError:
        """Ends everything: who waits gets the error; the first one stays. Returns the one that counts."""
        with self._changed:
            self.error = self.error or error
            waiting, self._waiting = self._waiting, []
            self._notify()
        for request in _still_wanted(waiting):
            request.answer.set_exception(self.error)
        return self.error

    def touch(self) -> None:
        """Something goes on elsewhere (an endpoint answered): those who wait can wait longer."""
        with self._changed:
            self._notify()

    def finish(self) -> None:
        """Inspect is done: no batch comes any more."""
        with self._changed:
            self._over = True
            self._notify()

    def next_batch(self) -> list[WaitingConversation]:
        """The next requests, all to one model, sorted; empty when all is done."""
        with self._changed:
            while not self._over:
                waiting = {request.place for request in self._waiting if not request.answer.cancelled()}
                everybody = bool(waiting) and self._running <= waiting
                batch = self._take() if everybody else self._wait(len(waiting))
                if batch:
                    return batch
        return []

    def _wait(self, waiting: int) -> list[WaitingConversation]:
        """Waits for news; after too long without any, what there is."""
        news = self._news
        self._changed.wait(PATIENCE)
        if not waiting or news != self._news:
            return []
        log.warning(
            "%d of %d samples wait for a model, the others do something else for %.0f s: not waiting for them, so the "
            "answers may depend on how fast this machine is",
            waiting,
            len(self._running),
            PATIENCE,
        )
        return self._take()

    def _take(self) -> list[WaitingConversation]:
        first = min(self._waiting, key=lambda request: request.model)
        kind = (first.model, first.max_tokens, first.temperature)
        batch = [r for r in self._waiting if (r.model, r.max_tokens, r.temperature) == kind]
        self._waiting = [r for r in self._waiting if (r.model, r.max_tokens, r.temperature) != kind]
        # By what is asked, too: a sample may ask several things at once, in any order.
        return sorted(
            _still_wanted(batch), key=lambda r: (r.place, [str(sorted(m.items())) for m in r.conversation])
        )

    def _notify(self) -> None:
        self._news += 1
        self._changed.notify_all()


def _still_wanted(requests: list[WaitingConversation]) -> list[WaitingConversation]:
    """Those that Inspect has not cancelled (a limit of the task, say); from here on it cannot."""
    return [request for request in requests if request.answer.set_running_or_notify_cancel()]


def as_run_error(error: BaseException, what: str) -> MendelError:
    """The error itself if it is one of ours, else a RunError that says what failed and how."""
    if isinstance(error, MendelError):
        return error
    return RunError(f"{what}: {type(error).__name__}: {error}")
