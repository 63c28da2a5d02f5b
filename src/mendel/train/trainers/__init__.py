"""Trainers: how students are trained. `fleet` and `trl` are built in; `registry.py` says how to add one.

`fleet` trains many students of one base side by side. `trl` trains one after another with TRL's SFTTrainer
and is the reference that `fleet` is tested against. Importing this package loads no torch.
"""

from mendel.train.in_training import StudentInTraining
from mendel.train.order import Steps
from mendel.train.trainers.faults import StudentFault, catch_faults
from mendel.train.trainers.fleet.fleet import train_by_fleet
from mendel.train.trainers.registry import Trainer, trainer, trainers
from mendel.train.trainers.trl import train_by_trl

__all__ = [
    "Steps",
    "StudentFault",
    "StudentInTraining",
    "Trainer",
    "catch_faults",
    "train_by_fleet",
    "train_by_trl",
    "trainer",
    "trainers",
]
