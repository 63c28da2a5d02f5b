"""The local executor: worker processes on this machine, which end with the command."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

from mendel.engine.errors import RunError
from mendel.engine.executors.machine import cores
from mendel.engine.executors.registry import Job, Result, executor


@executor("local")
class LocalExecutor:
    """Worker processes that live as long as the executor, so that each loads libraries and bases only once.

    The processes share the cores: each has `cores // workers` threads. The number never changes, so that a
    resumed run computes the same as an undisturbed run.

    Args:
        workers: Number of worker processes.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.threads = max(1, cores() // workers)
        self._processes: ProcessPoolExecutor | None = None

    def __enter__(self) -> LocalExecutor:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.stop()
        elif self._processes is not None:
            self._processes.shutdown()
            self._processes = None

    def stop(self) -> None:
        """End all workers at once. Only the jobs that are running are lost: the store has nothing of them."""
        if self._processes is None:
            return
        for process in list((self._processes._processes or {}).values()):
            process.kill()
        self._processes.shutdown(wait=True, cancel_futures=True)
        self._processes = None

    def map(self, function: Callable[[Job], Result], jobs: Sequence[Job]) -> Iterator[tuple[Job, Result]]:
        """Run a function on every job and yield each job with its result, in the order in which jobs end.

        Args:
            function: A function of one job, which can be pickled.
            jobs: The jobs, in the order in which they start.

        Raises:
            Exception: What a job raises.
            RunError: A worker process was killed from outside, most often because memory ran out.
        """
        if not jobs:
            return
        processes = self._start()
        pending: dict[Future[Result], Job] = {}
        try:
            pending = {processes.submit(function, job): job for job in jobs}
            while pending:
                done, _ = wait(pending, timeout=0.5, return_when=FIRST_COMPLETED)
                for future in done:
                    job = pending.pop(future)
                    yield job, future.result()
        except BrokenProcessPool:
            raise RunError(
                "a worker process was killed from outside, most often because memory ran out",
                fix="Use fewer workers ('workers: 1') or smaller batches, then run the same command again.",
            ) from None
        finally:
            for future in pending:
                future.cancel()

    def _start(self) -> ProcessPoolExecutor:
        if self._processes is None:
            with _environment(self.threads):
                self._processes = ProcessPoolExecutor(
                    self.workers,
                    mp_context=multiprocessing.get_context("spawn"),
                    initializer=_begin_worker,
                    initargs=(os.getpid(),),
                )
                # Workers start at the first submit: start all of them in the environment that is set here.
                for _ in range(self.workers):
                    self._processes.submit(os.getpid)
        return self._processes


@contextlib.contextmanager
def _environment(threads: int) -> Iterator[None]:
    """Context manager: set the thread counts that workers read when they import their numerical libraries."""
    settings = {
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": str(threads),
        # The tokenizer's own threads would come on top of these.
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _begin_worker(parent: int) -> None:
    # The terminal sends Ctrl-C to all processes; only the main process handles it, and ends the workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def follow() -> None:
        # A main process that was killed cannot end its workers, so they end themselves.
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
