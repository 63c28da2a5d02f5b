"""Training: students as values, the trainers behind them, and the checks that every trained student has to
pass.
"""

from mendel.train.in_training import load_student
from mendel.train.student import StudentSpec, TrainedStudent, TrainingRow, namer
from mendel.train.training import train_student, train_students

__all__ = [
    "StudentSpec",
    "TrainedStudent",
    "TrainingRow",
    "load_student",
    "namer",
    "train_student",
    "train_students",
]
