"""Organisms: studies with a planted, known cause. And the embedded study `peas`."""

from __future__ import annotations

from pathlib import Path

from mendel.organisms.make import Organism, organism
from mendel.organisms.planted.causes import CAUSES, CONSISTENT_PAIRS, STRENGTHS

PEAS = Path(__file__).parent / "peas" / "study.yaml"
"""The study file of `peas`."""

__all__ = ["CAUSES", "CONSISTENT_PAIRS", "PEAS", "STRENGTHS", "Organism", "organism"]
