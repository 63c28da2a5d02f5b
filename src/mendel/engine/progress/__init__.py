"""Progress: what is done, of how much, and how long it will still take."""

from mendel.engine.interval import Interval
from mendel.engine.progress.choose import show_progress
from mendel.engine.progress.events import StudentEvent, TraitSoFar
from mendel.engine.progress.format import clock, number
from mendel.engine.progress.lines import Lines
from mendel.engine.progress.protocol import NullProgress, Progress, Tee
from mendel.engine.progress.state import StateFile

__all__ = [
    "Interval",
    "Lines",
    "NullProgress",
    "Progress",
    "StateFile",
    "StudentEvent",
    "Tee",
    "TraitSoFar",
    "clock",
    "number",
    "show_progress",
]
