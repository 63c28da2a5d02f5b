"""Batches of the requests of many samples, which do not depend on the order in which the requests arrive."""

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
"""Seconds without news after which requests no longer wait for the other samples.

A sample may hang, or its tool may be slow.
"""


@dataclass(frozen=True)
class WaitingConversation:
    """A conversation that waits for an answer."""

    model: str
    """The role that is asked: `student` or `grader`."""
    place: int
    """The sample's place among all samples of all variants and epochs, from 0."""
    conversation: tuple[Mapping[str, object], ...]
    max_tokens: int
    temperature: float
    answer: Future[Completion] = field(default_factory=Future, compare=False)


class RequestBatcher:
    """Collects requests until every running sample has one, then returns them as a batch, sorted by place.

    A sample that sends one request after another is therefore always in the same batches; a sample that sends
    several at once is not. Samples ask from the thread of Inspect's event loop; batches are taken in the
    model's thread.

    Args:
        samples: Number of samples that run, of all variants and epochs.
    """

    def __init__(self, samples: int) -> None:
        self.error: MendelError | None = None
        """The error that ended the run; `ask` raises it from then on."""
        self._running = set(range(samples))
        self._waiting: list[WaitingConversation] = []
        self._over = False
        self._news = 0
        self._changed = threading.Condition()

    def ask(self, request: WaitingConversation) -> Future[Completion]:
        """Add a request and return its future answer; raise the error that ended the run, if there is one."""
        with self._changed:
            if self.error is not None:
                raise self.error
            self._waiting.append(request)
            self._notify()
        return request.answer

    def leave(self, place: int) -> None:
        """Wait no longer for a sample that is finished or failed."""
        with self._changed:
            self._running.discard(place)
            self._notify()

    def give_up(self, error: MendelError) -> MendelError:
        """End the run: all waiting requests get the error. Return the run's first error, which counts."""
        with self._changed:
            self.error = self.error or error
            waiting, self._waiting = self._waiting, []
            self._notify()
        for request in _still_wanted(waiting):
            request.answer.set_exception(self.error)
        return self.error

    def touch(self) -> None:
        """Start the wait anew: there was progress elsewhere, such as an endpoint's answer."""
        with self._changed:
            self._notify()

    def finish(self) -> None:
        """Say that Inspect is finished, so that no further batch comes."""
        with self._changed:
            self._over = True
            self._notify()

    def next_batch(self) -> list[WaitingConversation]:
        """Wait for the next batch and return it, sorted, all for one model; empty at the end."""
        with self._changed:
            while not self._over:
                waiting = {request.place for request in self._waiting if not request.answer.cancelled()}
                complete = bool(waiting) and self._running <= waiting
                batch = self._take() if complete else self._wait(len(waiting))
                if batch:
                    return batch
        return []

    def _wait(self, waiting: int) -> list[WaitingConversation]:
        """Wait for news; return an incomplete batch where there was none for too long."""
        news = self._news
        self._changed.wait(PATIENCE)
        if not waiting or news != self._news:
            return []
        log.warning(
            "%d of %d samples wait for a model, the others sent no request for %.0f s: "
            "not waiting for them, so the answers may depend on how fast this machine is",
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
        # By the conversation too: a sample may send several requests at once, in any order.
        return sorted(
            _still_wanted(batch), key=lambda r: (r.place, [str(sorted(m.items())) for m in r.conversation])
        )

    def _notify(self) -> None:
        self._news += 1
        self._changed.notify_all()


def _still_wanted(requests: list[WaitingConversation]) -> list[WaitingConversation]:
    """Return the requests that Inspect has not cancelled; from here on it cannot."""
    return [request for request in requests if request.answer.set_running_or_notify_cancel()]


def as_run_error(error: BaseException, what: str) -> MendelError:
    """Return the error itself if it is a MendelError, else a RunError that says what failed and how."""
    if isinstance(error, MendelError):
        return error
    return RunError(f"{what}: {type(error).__name__}: {error}")
