"""Organisms: studies with a planted, known cause. And the embedded study `peas`."""

from __future__ import annotations

from pathlib import Path

from mendel.organisms.folk.plans import FOLK_CAUSES
from mendel.organisms.make import GENERATORS, Organism, organism
from mendel.organisms.planted.causes import CAUSES, CONSISTENT_PAIRS, STRENGTHS

PEAS = Path(__file__).parent / "peas" / "study.yaml"
"""The study file of `peas`."""

__all__ = [
    "CAUSES",
    "CONSISTENT_PAIRS",
    "FOLK_CAUSES",
    "GENERATORS",
    "PEAS",
    "STRENGTHS",
    "Organism",
    "organism",
]
