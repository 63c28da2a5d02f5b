"""What counts as a student's own fault: its data or its recipe make training fail, and the run goes on
without it.

A fault becomes the student's status `failed` and its reason. What is the machine's fault (memory, disk) is
raised.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from mendel.models.local.loading import first_line
from mendel.train.in_training import StudentInTraining
from mendel.train.trainers.memory import memory_error, out_of_memory

log = logging.getLogger(__name__)
TRAINING_FAULTS = (ValueError, RuntimeError, ArithmeticError, IndexError)
"""What torch, peft and TRL raise because of a student's own data or recipe."""


class StudentFault(Exception):
    """The reason why a student's training cannot end. It becomes the student's `fault` and never leaves the
    trainer.

    Args:
        check: Name of the check that the student fails, such as `adapters_bound`.
        reason: What is wrong, for the column `reason` of the students' table.
    """

    def __init__(self, check: str, reason: str) -> None:
        super().__init__(reason)
        self.check, self.reason = check, reason


@contextmanager
def catch_faults(student: StudentInTraining) -> Iterator[None]:
    """Context manager: turn an error that is the student's own fault into its `fault`.

    Args:
        student: The student that is trained in the block.

    Raises:
        RunError: Memory ran out.
    """
    try:
        yield
    except StudentFault as fault:
        student.fail(fault.check, fault.reason)
    except TRAINING_FAULTS as error:
        blame(student, error)


def blame(student: StudentInTraining, error: Exception) -> None:
    """Record the error as the student's fault. Raises RunError if the error says that memory ran out."""
    if out_of_memory(error):
        raise memory_error(error) from error
    log.error("student %s did not train", student.spec.digest[:12], exc_info=error)
    student.fail("loss_finite", f"training ended in {type(error).__name__}: {first_line(error)}")
