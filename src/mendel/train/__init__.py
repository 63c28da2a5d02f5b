"""Training: students as values, the trainers behind them (side by side, or TRL's SFTTrainer), and the checks that all students pass or fail."""

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
