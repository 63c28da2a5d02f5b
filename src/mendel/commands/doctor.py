"""Check this machine: list the installed packages and the device, and train and sample a tiny student."""

from __future__ import annotations

import os
import platform
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mendel._version import versions
from mendel.engine.errors import MendelError
from mendel.engine.executors import Executor, cores
from mendel.engine.progress import Progress
from mendel.report import Shown
from mendel.study import built_in_study
from mendel.workflow.inputs import load_inputs
from mendel.workflow.session import Session
from mendel.workflow.speed import Speed, SpeedJob, time_student


@dataclass(frozen=True)
class Checkup(Shown):
    """The result of `mendel doctor`; `fault` is empty if everything works."""

    system: str
    cores: int
    memory_bytes: int
    packages: dict[str, str]
    store: str
    store_free_bytes: int
    speed: Speed | None
    seconds: float
    fault: str

    @property
    def works(self) -> bool:
        """Whether the tiny student trained and generated."""
        return not self.fault

    def to_json(self) -> dict[str, Any]:
        """Return the object for `--json`."""
        return {**asdict(self), "works": self.works}

    def describe(self) -> str:
        """Return the checkup as text."""
        packages = ", ".join(
            f"{name} {version}" for name, version in self.packages.items() if name not in ("mendel", "python")
        )
        lines = [
            f"mendel    {self.packages['mendel']} on Python {self.packages['python']}, {self.system}",
            f"machine   {self.cores} cores, {self.memory_bytes / 2**30:.1f} GiB of memory",
            f"packages  {packages}",
            f"store     {self.store} ({self.store_free_bytes / 2**30:.1f} GiB free)",
        ]
        if self.speed:
            lines += [
                f"device    {self.speed.device}",
                f"student   a tiny one trains ({self.speed.train_tokens_per_second:,.0f} tokens/s) "
                f"and generates ({self.speed.generate_tokens_per_second:,.0f} tokens/s) here, "
                f"{self.seconds:.0f} s in all",
            ]
        lines.append(f"FAULT     {self.fault}" if self.fault else "all works")
        return "\n".join(lines)


def doctor(
    *,
    store: str | Path | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> Checkup:
    """Check this machine, and train a tiny student on it.

    Args:
        store: Folder of the store; None: the default store.
        executor: Runs the jobs; None: one local worker process.
        progress: Receives progress events; None: progress is not shown.

    Returns:
        System, packages, store, speed, and the fault if the tiny student did not train: a fault of the
        machine is returned, not raised.
    """
    began = time.monotonic()
    session = Session(store=store, executor=executor, progress=progress)
    session.progress.stage("a tiny student", 1)
    fault, speed = "", None
    try:
        inputs = load_inputs(built_in_study("peas"))
        job = SpeedJob(inputs.bases["original"], inputs.study.config.recipe, inputs.prompts["original"][:64])
        with session:
            ((_, speed),) = session.executor.map(time_student, [job])
    except (MendelError, ImportError) as error:
        fault = str(error)
    session.progress.step(1)
    return Checkup(
        system=f"{platform.system()} {platform.machine()}",
        cores=cores(),
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        packages=versions(),
        store=str(session.store.root),
        store_free_bytes=shutil.disk_usage(_existing(session.store.root)).free,
        speed=speed,
        seconds=time.monotonic() - began,
        fault=fault,
    )


def _existing(path: Path) -> Path:
    """Return the nearest folder above that exists."""
    while not path.exists():
        path = path.parent
    return path
