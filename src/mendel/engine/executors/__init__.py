"""Executors: where jobs run. `registry.py` says what one of them is."""

from mendel.engine.executors.inline import InlineExecutor
from mendel.engine.executors.local import LocalExecutor
from mendel.engine.executors.machine import cores, default_workers, has_gpu
from mendel.engine.executors.registry import Executor, at_once

__all__ = ["Executor", "InlineExecutor", "LocalExecutor", "at_once", "cores", "default_workers", "has_gpu"]
