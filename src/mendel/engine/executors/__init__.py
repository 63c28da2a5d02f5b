"""Executors: where jobs run. `registry.py` says what an executor is."""

from mendel.engine.executors.inline import InlineExecutor
from mendel.engine.executors.local import LocalExecutor
from mendel.engine.executors.machine import cores, default_workers, has_gpu
from mendel.engine.executors.registry import (
    Executor,
    ExecutorFactory,
    at_once,
    executor,
    executors,
    open_executor,
)

__all__ = [
    "Executor",
    "ExecutorFactory",
    "InlineExecutor",
    "LocalExecutor",
    "at_once",
    "cores",
    "default_workers",
    "executor",
    "executors",
    "has_gpu",
    "open_executor",
]
