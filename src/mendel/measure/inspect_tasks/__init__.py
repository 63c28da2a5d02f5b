"""Traits that an Inspect task asks: Inspect runs the samples, and mendel's chat models answer."""

from mendel.measure.inspect_tasks.responding import respond_to_task
from mendel.measure.inspect_tasks.task import InspectConfig, InspectTask, parse_inspect_ref

__all__ = ["InspectConfig", "InspectTask", "parse_inspect_ref", "respond_to_task"]
