"""Training: students as values, TRL's SFTTrainer behind them, and the checks that every student passes or fails."""

from mendel.train.student import StudentSpec, TrainedStudent, TrainingRow
from mendel.train.training import load_student, train_student

__all__ = ["StudentSpec", "TrainedStudent", "TrainingRow", "load_student", "train_student"]
