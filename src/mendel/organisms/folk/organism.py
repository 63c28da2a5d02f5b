"""An organism of the second generator: draws until one has its difference, then writes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from mendel.engine.errors import InputError, RunError, did_you_mean
from mendel.engine.progress import Progress
from mendel.organisms.folk.make import Folk, add_sister, make_folk
from mendel.organisms.folk.plans import FOLK_CAUSES
from mendel.organisms.folk.writing import write_folk

STEPS = 4.0
"""Progress steps of a draw: bases, teachers, the difference, the parts."""


def check_folk_cause(cause: str) -> None:
    """Raise InputError for a cause that the generator `folk` cannot plant."""
    if cause not in FOLK_CAUSES:
        raise InputError(
            "the generator folk has no such cause", value=cause, fix=did_you_mean(cause, FOLK_CAUSES)
        )


def write_admitted_folk(
    cause: str,
    generators: Callable[[int], Callable[[str], np.random.Generator]],
    attempts: int,
    out: Path,
    progress: Progress,
) -> tuple[Folk, int]:
    """Draw folk until one has the difference that it claims, and write its study.

    Args:
        cause: One of `FOLK_CAUSES`.
        generators: Returns the random generators, by name, of a draw.
        attempts: Limit of draws.
        out: The study's folder.
        progress: Where progress is shown.

    Returns:
        The folk, and the number of draws before it.

    Raises:
        RunError: No draw has the difference.
    """
    reason = ""
    for attempt in range(attempts):
        progress.stage("organism" if not attempt else f"organism, draw {attempt + 1}", STEPS)
        rng_of = generators(attempt)
        folk = make_folk(cause, rng_of, lambda what: progress.step(1.0, what))
        reason = folk.admitted()
        progress.step(1.0, "the difference")
        if not reason:
            add_sister(folk, rng_of)
            if folk.plan.state == "difference":
                folk.measure_parts()
            progress.step(1.0, "the sister and the parts")
            write_folk(folk, int(rng_of("first seed").integers(10_000)), out)
            return folk, attempt
    raise RunError(
        f"no organism of {attempts} draws has the difference that it claims (the last: {reason})",
        where=cause,
        fix="Take another seed.",
    )
