"""Traits measured through Inspect: its tasks' samples, prompts, tools and turns, answered by mendel's chat models."""

from mendel.measure.inspect_tasks.responding import respond_to_task
from mendel.measure.inspect_tasks.task import InspectConfig, InspectTask, parse_inspect_ref

__all__ = ["InspectConfig", "InspectTask", "parse_inspect_ref", "respond_to_task"]
